/* SPDX-License-Identifier: MIT */
/*
 * scratch.h - a directory for what is only needed while we run; gone when we are, however we end.
 *
 * Theory of operation
 *
 * scratch_open() forks a keeper before it makes anything. It holds one end of
 * a pipe, whose other end only we have: when we end, by return, signal or
 * kill -9, the keeper reads the end of the file, removes what it was told of,
 * and ends. It lives in a session of its own and blocks the signals of the
 * terminal.
 *
 * A caller with threads must not call this (fork).
 */
#ifndef DISK_SCRATCH_H
#define DISK_SCRATCH_H

#include <sys/types.h>

#include "err.h"

struct scratch {
	int fd; /* the directory, ours and 0700 */
	char *path;
	int pipe;
	pid_t keeper;
};
#define SCRATCH_INIT                                             \
	{                                                        \
		.fd = -1, .path = NULL, .pipe = -1, .keeper = -1 \
	}

/* Below $TMPDIR, else /var/tmp: /tmp may be memory. */
int scratch_open(struct scratch *ret, struct err *e) _must_check_;
/* Have the file @path, absolute, removed too. -errno. */
int scratch_also(struct scratch *s, const char *path) _must_check_;
/* Removes it all and waits for that. */
void scratch_close(struct scratch *s);
#define _cleanup_scratch_ _cleanup_(scratch_close)

#endif
