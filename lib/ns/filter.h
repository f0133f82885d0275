/* SPDX-License-Identifier: MIT */
/*
 * filter.h - a container's system call filters, from its first process or its configuration.
 *
 * Theory of operation
 *
 * ns_seccomp_read() asks the kernel for the programs themselves
 * (PTRACE_SECCOMP_GET_FILTER). That stops the target for some microseconds, and
 * a tracer that gets stuck on a target that doesn't stop (frozen, in an
 * uninterruptible sleep) could never let go of it; so a short-lived child does
 * it, in our memory, while we wait: whatever happens to that child, the kernel
 * detaches. Nobody is stopped at all if the status file says that there is no
 * filter. The few system calls that a stop interrupts for good (signal(7): epoll_wait,
 * sigtimedwait, ...) give the target an EINTR, as with every debugger.
 *
 * Where that isn't permitted, ns_seccomp_from_oci() compiles linux.seccomp of the OCI
 * configuration with libseccomp, in the way runc does. Both give the same struct.
 *
 * (The file cannot be called seccomp.h, as libseccomp's header is.)
 *
 * ns_seccomp_install() is the last thing before execve(): each filter may
 * forbid anything but execve.
 */
#ifndef NS_FILTER_H
#define NS_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "pidfd.h"

#define NS_SECCOMP_FILTERS_MAX 512
#define NS_SECCOMP_INSNS_MAX   32768 /* MAX_INSNS_PER_PATH of Linux: all filters of a process */

struct ns_seccomp_filter {
	struct sock_filter *insns; /* ours to free */
	unsigned short n;
	unsigned int flags; /* SECCOMP_FILTER_FLAG_*; what can be known: LOG */
};

struct ns_seccomp {
	struct ns_seccomp_filter *v; /* oldest first, as they are installed */
	size_t n;                    /* 0: no filter */
	/* some rule hands calls to a supervisor or tracer that isn't ours: they fail with ENOSYS */
	bool supervised;
	uint64_t stopped_ns; /* how long the target stood still */
};

/*
 * ns_seccomp_read() - The filters of the process's first thread.
 *
 * Should: be called while single-threaded, before signal handlers for SIGCHLD
 * are set; a child is cloned and reaped.
 *
 * Return: 0, also for a process without filters;
 *	   -EPERM      not permitted (no CAP_SYS_ADMIN, already traced, we are under a filter
 *		       ourselves): use ns_seccomp_from_oci();
 *	   -ENOSYS     the kernel cannot (no CONFIG_CHECKPOINT_RESTORE): likewise;
 *	   -EBUSY      it does not stop (paused, uninterruptible): likewise;
 *	   -EOPNOTSUPP strict mode: there is no execve in it, so nothing could be started;
 *	   -E2BIG      more than NS_SECCOMP_*_MAX; -ESRCH it is gone; -EPROTO, -ENOMEM.
 * In each case *@ret may be passed to ns_seccomp_fini().
 */
int ns_seccomp_read(const struct pid_ref *p, struct ns_seccomp *ret, struct err *e) _must_check_;

/*
 * ns_seccomp_from_oci() - linux.seccomp of the OCI configuration @path.
 *
 * Return: 0, also for a configuration without filter; -ENOENT there is no such
 *	   file; -EPROTO it is malformed; another -errno.
 */
int ns_seccomp_from_oci(const char *path, struct ns_seccomp *ret, struct err *e) _must_check_;

struct json_object;
/* The same for the object linux.seccomp itself; NULL: no filter. */
int ns_seccomp_compile(struct json_object *seccomp, struct ns_seccomp *ret, struct err *e)
	_must_check_;

void ns_seccomp_fini(struct ns_seccomp *s);
#define _cleanup_seccomp_ _cleanup_(ns_seccomp_fini)

/*
 * ns_seccomp_install() - Put the calling thread under the filters, oldest first.
 *
 * Plain system calls only, no memory. Needs no_new_privs or CAP_SYS_ADMIN in the effective set.
 * Mustn't be followed by anything but execve() and _exit().
 *
 * Return: 0 or -errno; after a failure some filters may be in force.
 */
int ns_seccomp_install(const struct ns_seccomp *s) _must_check_;

#endif
