/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the back end of a device: started, watched, and started again when it was killed.
 *
 * Theory of operation
 *
 * backend_open() makes a socket pair, and backend_start() a process at our end; the library OS gets the other
 * one. As it can neither connect nor be handed a connection once programs run, it gets the ends of
 * BACKEND_SPARES more socket pairs as well, and of one over which it tells us what it says to the first back
 * end (script.h).
 *
 * backend_watch(): when a back end has ended, and all that it had begun, the next one is started at a spare, and finds
 * there what the first one was told. "All" are its children and its I/O in flight; they hold a pipe, and the end of
 * that is the sign. One that ended by itself has said why, and would do so again: then none comes after it, which
 * the library OS sees by the spares. But one that only carries what is said to somebody else's back end (vu_relay.h)
 * ends when that is gone, and the next one waits until it is there again. docs/decisions/library-os-reconnect.md
 */
#ifndef BOOT_BACKEND_H
#define BOOT_BACKEND_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "loop.h"
#include "script.h"

#define BACKEND_SPARES   3
#define BACKEND_FDS      (2 + BACKEND_SPARES) /* that the library OS gets */
#define BACKEND_WORD_MAX 64

struct backend {
	const char *name; /* of the device, for messages */
	/*
	 * Start a process that serves at @sock and holds @alive until all is over that it began; @again: another one did before.
	 * Return: its pid; -errno.
	 */
	pid_t (*start)(void *arg, int sock, int alive, bool again, struct err *e);
	void *arg;
	bool stubborn; /* if one that came again fails, the next may do better */

	/* its own */
	int sock[2]; /* the back end's end; the library OS's, after backend_started() -1 */
	int says[2]; /* ours, the library OS's */
	int spare[BACKEND_SPARES][2];
	unsigned int used; /* spares */
	int alive;
	pid_t pid; /* 0: none */
	bool over; /* another is to be started */
	struct script script;
	struct loop *loop;
	int machine; /* the library OS's pidfd */
	struct loop_src on_alive, on_says;
};
#define BACKEND_INIT                                                                        \
	{                                                                                   \
		.sock = { -1, -1 }, .says = { -1, -1 },                                     \
		.spare = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, .alive = -1, .machine = -1 \
	}

/* Does not end the process. */
void backend_fini(const struct backend *b);

/* Sockets; and the first process. */
int backend_open(struct backend *b, struct err *e) _must_check_;
int backend_start(struct backend *b, struct err *e) _must_check_;

/* What the library OS gets, -1 where there is nothing, and how it is told: "vhost=TYPE:FD...". */
void backend_fds(const struct backend *b, int ret[BACKEND_FDS]);
void backend_word(const struct backend *b, const char *type, char ret[BACKEND_WORD_MAX]);
/* It has got them. */
void backend_started(struct backend *b);

/* @machine is the pidfd of the library OS: nothing is started when it has ended. Does nothing if there is no process. */
int backend_watch(struct backend *b, struct loop *loop, int machine) _must_check_;

#endif
