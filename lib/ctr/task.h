/* SPDX-License-Identifier: MIT */
/*
 * task.h - is that process still the one that a state file means? Private to lib/ctr.
 *
 * Theory of operation
 *
 * A state file outlives its process, and the pid gets a new owner. What proves
 * that the process is still the same, the first that is known decides:
 *
 *  1. its start time (field 22 of /proc/PID/stat), if the file has it;
 *  2. a cgroup that is named after the container's id;
 *  3. it is no younger than the file: a process that took the pid over would be.
 *
 * A file that an unprivileged user can write proves nothing about processes of
 * others: @owner has to own the process or, up the line, its user namespace.
 */
#ifndef CTR_TASK_H
#define CTR_TASK_H

#include "host.h"
#include "stat.h"

/* Return: 0; -ESRCH if there is no such process, or only its zombie. */
int task_stat(const struct ctr_env *env, pid_t pid, struct proc_stat *ret) _must_check_;

#define TASK_ANY_OWNER ((uid_t)-1)

struct task_claim {
	pid_t pid;
	uint64_t start;      /* ticks, 0 if unknown */
	const char *id;      /* the container's, or NULL */
	uint64_t written_ns; /* when the file that says it was written; 0 if unknown */
	uid_t owner;
};

/* Return: 0 it is that process; -ESRCH it is gone, or it is another. */
int task_check(const struct ctr_env *env, const struct task_claim *claim) _must_check_;

/* Is its cgroup frozen (v1 freezer or v2)? What joins it stops at once. */
bool task_frozen(const struct ctr_env *env, pid_t pid);

/* Is it in our mount namespace? Only such a process' idea of paths and pids is ours. */
bool task_beside_us(const struct ctr_env *env, pid_t pid);

/* Who owns it; TASK_ANY_OWNER if it is gone. */
uid_t task_uid(const struct ctr_env *env, pid_t pid);

/* A number that names a pid, as the whole of @text but for white space. -EINVAL. */
int task_pid_parse(const char *text, pid_t *ret) _must_check_;

/* The processes of the host, one after the other. 1 a pid, 0 the end, -errno. */
int tasks_open(const struct ctr_env *env, struct host_dir *ret) _must_check_;
int tasks_next(struct host_dir *d, pid_t *ret) _must_check_;

/* Does its name begin with @prefix? A scan asks this first: it costs a fifth of task_stat(). */
bool task_comm_starts(const struct ctr_env *env, pid_t pid, const char *prefix);

/* Arguments of a process: NUL-separated, for task_arg() below. At most 64 KiB are taken. */
int task_cmdline(const struct ctr_env *env, pid_t pid, char **ret, size_t *ret_len) _must_check_;
/* The value of option @name in a command line: "NAME VALUE" or "NAME=VALUE"; NULL if it has none. */
const char *task_arg(const char *cmdline, size_t len, const char *name);

#endif
