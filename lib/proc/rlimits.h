/* SPDX-License-Identifier: MIT */
/*
 * rlimits.h - the resource limits of another process.
 *
 * They are read from /proc/PID/limits and not by prlimit(2): that would want
 * CAP_SYS_RESOURCE for a process of another user and would name the process by
 * its pid again, while the file is readable by all below a descriptor that
 * cannot change its process. The file holds the raw values of all limits.
 */
#ifndef PROC_RLIMITS_H
#define PROC_RLIMITS_H

#include <sys/resource.h>

#include "pidfd.h"

struct proc_limits {
	struct rlimit v[RLIM_NLIMITS]; /* by RLIMIT_* */
};

/* Return: 0; -EPROTO if a limit is missing or damaged. */
int proc_limits_parse(const char *text, size_t len, struct proc_limits *ret) _must_check_;
/* -ESRCH if the process is gone. */
int proc_limits_read(const struct pid_ref *p, struct proc_limits *ret, struct err *e) _must_check_;

/* "nofile" for RLIMIT_NOFILE, as ulimit options of the engines are called; "?" beyond. */
const char *proc_limit_name(int resource);

#endif
