/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - a process that removes files when we end, however we end.
 *
 * Theory of operation
 *
 * The keeper holds one end of a pipe, whose other end only we have: when we
 * end, by return, signal or kill -9, it reads the end of the file, removes what
 * it was told of, and ends. It lives in a session of its own and blocks the
 * signals of the terminal.
 *
 * A caller with threads must not call this (fork).
 */
#ifndef BASE_KEEPER_H
#define BASE_KEEPER_H

#include <sys/types.h>

#include "compiler.h"

struct keeper {
	int pipe;
	pid_t pid; /* -1: it is not there */
};
#define KEEPER_INIT                   \
	{                             \
		.pipe = -1, .pid = -1 \
	}

/* @remove is called in the keeper, for each path; NULL: unlink(). -errno. */
int keeper_start(struct keeper *k, void (*remove)(const char *path)) _must_check_;
/* Have @path, absolute, removed; before it is made. -errno. */
int keeper_also(struct keeper *k, const char *path) _must_check_;
/* Has it remove all of that and waits for it; nothing is done where none was started. */
void keeper_end(struct keeper *k);
#define _cleanup_keeper_ _cleanup_(keeper_end)

#endif
