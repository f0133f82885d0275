/* SPDX-License-Identifier: MIT */
/*
 * scan.h - which processes are not in our namespaces: one cheap pass over /proc. Private to lib/ctr.
 *
 * Theory of operation
 *
 * Engines that keep no state are found by their processes. scan_load() reads
 * three symbolic links for each process; only those that are in another pid,
 * user or mount namespace than the caller are kept, with parent and name. A
 * process is @first if it is pid 1 of its pid namespace, or, where the pid
 * namespace is ours, the lowest-numbered of its user namespace. Processes that we may
 * not look at are left out: we could not attach to them either.
 *
 * A name of a process is its own choice. It is a hint, never proof.
 */
#ifndef CTR_SCAN_H
#define CTR_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "task.h"

enum scan_ns {
	SCAN_PID,
	SCAN_USER,
	SCAN_MNT,
	SCAN_NS
};

struct scan_proc {
	pid_t pid;
	uint64_t ns[SCAN_NS];
	bool other[SCAN_NS]; /* not the caller's */
	bool first;
	struct proc_stat task;
};

/* All zeros is an empty one, not loaded. */
struct scan {
	struct scan_proc *v; /* by rising pid */
	size_t n, room;
	bool loaded;
};

/* Fill @s, once: a loaded one is left as it is. Return: 0 or -errno. */
int scan_load(const struct ctr_env *env, struct scan *s) _must_check_;
void scan_fini(struct scan *s);
#define _cleanup_scan_ _cleanup_(scan_fini)

/* NULL if @pid is in our namespaces or was not readable. */
const struct scan_proc *scan_find(const struct scan *s, pid_t pid);

/* One process without a pass over all; its @first is set for pid namespaces only. -ESRCH: none. */
int scan_one(const struct ctr_env *env, pid_t pid, struct scan_proc *ret) _must_check_;

/* The number of a process's namespace. -ENOENT, -EACCES, -EPROTO. */
int scan_ns_ino(const struct ctr_env *env, pid_t pid, enum scan_ns ns, uint64_t *ret) _must_check_;

/*
 * scan_payload() - Whom to show for the pid namespace whose pid 1 is @pid.
 *
 * The own pid 1 of bubblewrap and of "systemd-nspawn --as-pid2" only reaps, and has the
 * environment of who called it: then it is its first child, else @pid.
 */
pid_t scan_payload(const struct ctr_env *env, pid_t pid);

#endif
