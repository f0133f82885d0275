/* SPDX-License-Identifier: MIT */
/*
 * status.h - what /proc/PID/status and /proc/PID/stat say about a process.
 *
 * Theory of operation
 *
 * The text is the kernel's, but a process chooses its own name. The kernel
 * escapes newlines and backslashes on the Name: line, so a name cannot make a
 * line; we still take the first occurrence of each key only, and the parser
 * wants each key that decides about rights to be there. All ids are as the
 * user namespace of the reader sees them: idmap.h turns them into the target's.
 */
#ifndef PROC_STATUS_H
#define PROC_STATUS_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pidfd.h"

#define PROC_GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */
#define PROC_NSPID_MAX  33    /* pid namespaces nest 32 deep, and the first */

/* A process's five capability sets; bit N is capability N. */
struct proc_caps {
	uint64_t inh, prm, eff, bnd, amb;
};

/* Index into uid[] and gid[]. */
enum proc_id {
	PROC_REAL,
	PROC_EFFECTIVE,
	PROC_SAVED,
	PROC_FS,
	PROC_IDS
};

struct proc_status {
	char state; /* the letter: R S D T t Z X I P */
	pid_t tgid, ppid, tracer;
	uid_t uid[PROC_IDS];
	gid_t gid[PROC_IDS];
	gid_t *groups; /* supplementary; ours to free */
	size_t ngroups;
	pid_t nspid[PROC_NSPID_MAX]; /* outermost first */
	size_t nnspid;
	unsigned int threads;
	mode_t umask;
	struct proc_caps caps;
	bool no_new_privs;
	int seccomp;                  /* SECCOMP_MODE_* */
	unsigned int seccomp_filters; /* 0 before Linux 5.9, which does not tell */
};

/*
 * proc_status_parse() - Take @text, @len bytes, apart.
 *
 * Return: 0 and *@ret, the caller's to proc_status_fini(); -EPROTO if a line
 *	   that we need is missing or damaged; -ENOMEM.
 */
int proc_status_parse(const char *text, size_t len, struct proc_status *ret) _must_check_;

/* The status of @p. -ESRCH if it is gone. */
int proc_status_read(const struct pid_ref *p, struct proc_status *ret, struct err *e) _must_check_;

void proc_status_fini(struct proc_status *s);
#define _cleanup_status_ _cleanup_(proc_status_fini)

#endif
