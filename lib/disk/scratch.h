/* SPDX-License-Identifier: MIT */
/*
 * scratch.h - a directory for what is only needed while we run; gone when we are, however we end.
 *
 * Theory of operation
 *
 * scratch_open() starts a keeper before it makes anything, which removes the
 * directory, and what else it is told of (newfile.h).
 *
 * A caller with threads must not call this (fork).
 */
#ifndef DISK_SCRATCH_H
#define DISK_SCRATCH_H

#include "err.h"
#include "keeper.h"

struct scratch {
	int fd; /* the directory, ours and 0700 */
	char *path;
	struct keeper keeper;
};
#define SCRATCH_INIT                                          \
	{                                                     \
		.fd = -1, .path = NULL, .keeper = KEEPER_INIT \
	}

/* $TMPDIR, else /var/tmp: /tmp may be memory. -EINVAL: it depends on where we are. */
int scratch_top(const char **ret, struct err *e) _must_check_;
/* Below that. */
int scratch_open(struct scratch *ret, struct err *e) _must_check_;
/* Removes it all and waits for that. */
void scratch_close(struct scratch *s);
#define _cleanup_scratch_ _cleanup_(scratch_close)

#endif
