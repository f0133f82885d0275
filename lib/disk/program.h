/* SPDX-License-Identifier: MIT */
/* program.h - another program, run to its end; what it says is heard line by line. */
#ifndef DISK_PROGRAM_H
#define DISK_PROGRAM_H

#include <stdbool.h>

#include "err.h"

#define PROGRAM_LINE_MAX 1024

struct program_run {
	const char *const *argv; /* argv[0] is looked up in PATH, /usr/sbin and /sbin */
	int keep_fd;             /* a descriptor that it gets, or -1 */
	bool out; /* hear its standard output; else its standard error. The other one goes nowhere. */
	void (*line)(void *arg, const char *line); /* or NULL */
	void *arg;
};

/*
 * program_run() - Run it, without input, in the C locale; it dies with us.
 *
 * Return: its exit status, 128 + n for a signal; -ENOENT there is none; another -errno.
 */
int program_run(const struct program_run *p, struct err *e) _must_check_;

/* Is it there? */
bool program_found(const char *name);

#endif
