/* SPDX-License-Identifier: MIT */
/*
 * client.h - a further program in a running machine, with our terminal or our streams.
 *
 * Theory of operation
 *
 * libos/init/frame.h has the protocol. If standard input and output are a terminal, the program gets one of its
 * own and ours is raw: keys are bytes for it. If not, the three streams are carried byte for byte, and
 * INT, TERM, HUP, QUIT, USR1 and USR2 go on to the program; from the terminal's keys, to its process
 * group. What comes for a stream of ours that takes nothing now waits in its window, and keeps nothing else waiting.
 */
#ifndef BOOT_CLIENT_H
#define BOOT_CLIENT_H

#include <stdbool.h>

#include "err.h"
#include "relay.h"

struct client {
	const char *const *argv; /* the program; ends with NULL; or NULL */
	const char *show;        /* instead: what /proc/lo/NAME says */
	const char *const *
		env; /* "NAME=VALUE" over those of the machine's program; ends with NULL, or is it */
	const char *workdir; /* or NULL: "/" */
	const char *user;    /* "USER[:GROUP]" or NULL: root */
	enum pty_mode mode;
	/* Gets what would go to standard output; < 0, and @e: end the session. Or NULL. */
	int (*sink)(void *arg, const void *data, size_t size, struct err *e);
	void *arg;
};

/*
 * client_run() - A session over @sock, of locate_connect(), to its end.
 *
 * Return: 0 and the exit status; -errno and @e, then *@ret_exit is untouched.
 */
int client_run(int sock, const struct client *c, int *ret_exit, struct err *e) _must_check_;

#endif
