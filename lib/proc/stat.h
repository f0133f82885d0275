/* SPDX-License-Identifier: MIT */
/* stat.h - /proc/PID/stat: what a process is at this moment, on one line. */
#ifndef PROC_STAT_H
#define PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

struct proc_stat {
	char comm[32];       /* as the process named itself: any bytes but NUL, cut to 31 */
	char state;          /* the letter: R S D T t Z X I P */
	pid_t ppid, session; /* -1: of one that is gone */
	unsigned int flags;  /* PF_*, linux/sched.h */
	uint64_t start;      /* clock ticks since boot */
};

/* -EPROTO if a field that we need is missing or no number. */
int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret) _must_check_;

/* Of the process whose /proc directory is @procfd. -ESRCH if it is gone. */
int proc_stat_read(int procfd, struct proc_stat *ret) _must_check_;

/* It is on its way out, or a zombie: killed or not, it does not come back. */
bool proc_stat_exiting(const struct proc_stat *st);

#endif
