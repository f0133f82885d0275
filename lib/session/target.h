/* SPDX-License-Identifier: MIT */
/*
 * target.h - a container's first process, and all that a session takes from it.
 *
 * Theory of operation
 *
 * target_open() runs on the host with the caller's rights, and takes over the process
 * that the caller holds (ctr_open()). Everything is reached through the descriptors of
 * struct pid_ref, so it is of one process even if that ends and its pid is reused;
 * target_check() asks at the end whether it still lives.
 */
#ifndef SESSION_TARGET_H
#define SESSION_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "cgjoin.h"
#include "cgroup.h"
#include "cred.h"
#include "err.h"
#include "filter.h"
#include "nsid.h"
#include "pidfd.h"

/* Where the system call filter was taken from. */
enum target_filter {
	FILTER_NONE,
	FILTER_PROCESS,
	FILTER_CONFIG,
	FILTER_UNKNOWN
};

struct target {
	struct pid_ref ref;
	struct ns_set ns;
	int rootfd; /* path descriptor of its root directory */
	char *cwd;  /* relative to its root; "/" if it has none we can name */
	char *exe;  /* for display; NULL if not readable */
	struct cgroup_dirs cgroups;
	struct cgjoin join;
	struct ns_cred cred;
	struct ns_seccomp seccomp;
	enum target_filter filter;
	char filter_why[ERR_MSG_MAX]; /* why it is unknown */
	char *environ;
	size_t environ_len;
	char *mountinfo; /* with TARGET_MOUNTS */
	size_t mountinfo_len;
};

#define TARGET_INIT                                                                       \
	{                                                                                 \
		.ref = PID_REF_INIT, .ns = NS_SET_INIT, .rootfd = -1, .join = CGJOIN_INIT \
	}

enum {
	TARGET_RIGHTS = 1 << 0, /* read the filter too: it stands still for some microseconds */
	TARGET_PAUSED = 1 << 1, /* a paused one will do: nothing is going to join it */
	TARGET_MOUNTS =
		1 << 2, /* its mount table too: a second, if a container has 10,000 mounts */
};

/*
 * target_open() - Take all from the process @ref, which becomes the target's, and itself empty,
 * whatever happens. @flags: TARGET_*.
 *
 * @oci_config: where the engine keeps the container's configuration, or NULL.
 *
 * Return: 0 and *@ret, the caller's; -ESRCH, -EACCES (another user's), -EBUSY (paused), ...
 */
int target_open(struct pid_ref *ref, const char *oci_config, int flags, struct target *ret,
		struct err *e) _must_check_;
void target_close(struct target *t);
#define _cleanup_target_ _cleanup_(target_close)

/*
 * -ESRCH and a sentence if it has ended meanwhile, or is ending: an init's own end is the last thing that
 * happens to a container. Before, the kernel kills our child, lets no new one in, and drops the mounts.
 */
int target_check(const struct target *t, struct err *e) _must_check_;

/* Its /etc/passwd or /etc/group, for passwd.h; empty if there is none that is a regular file. */
int target_read_file(const struct target *t, const char *path, size_t max, char **ret_text,
		     size_t *ret_len) _must_check_;

#endif
