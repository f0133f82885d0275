/* SPDX-License-Identifier: MIT */
/*
 * server.h - the launcher's side of a running machine: who may ask it for more.
 *
 * Theory of operation
 *
 * While a machine runs, its launcher listens on a unix socket with an abstract name, "rktio/PID/RANDOM":
 * it vanishes with the launcher, however that ends. Whoever connects must be the launcher's user or root. A
 * connection is a session (libos/init/frame.h); what is said in it goes through frame_check() and on
 * to init, and the other way. Nothing that comes is kept here: what is on its way at one time fits into
 * a socket's buffer, by the protocol, and who sends more is cut off. While init's socket is full, no
 * client is read.
 *
 * Init is not trusted: the program in the machine may have taken it over. It can end
 * sessions and lie to clients, who know.
 */
#ifndef BOOT_SERVER_H
#define BOOT_SERVER_H

#include <stdbool.h>

#include "err.h"
#include "frame.h"
#include "loop.h"

struct server_client {
	struct loop_src src; /* its fd is -1: nobody is connected */
	bool asked;          /* init has the session, and has not said its end */
	bool gone;           /* init is still to be told that the client is */
};

struct server {
	struct loop *loop; /* borrowed */
	struct loop_src listener, control;
	bool full;    /* @control was, when it was last looked at */
	bool started; /* init has said that the boot is over */
	struct server_client client[FRAME_SESSIONS];
	char info[FRAME_DATA_MAX];
	size_t info_size;
};

/*
 * server_start() - Listen. @control: the socket to init, borrowed. @info: "KEY=VALUE\n" each, for rktio ps.
 *
 * Return: 0; -errno, and only the control channel is served. server_fini() in any case.
 */
int server_start(struct server *s, struct loop *l, int control, const char *info, struct err *e)
	_must_check_;
void server_fini(struct server *s);

/* To init, of the program that the machine is for; dropped if the socket is full. */
void server_tell(const struct server *s, enum frame_kind kind, uint32_t value);
/* The boot is over, as far as init has said by now. */
bool server_has_started(struct server *s);
/* Pass on what init has said: its last words, when it has ended. */
void server_drain(struct server *s);

#endif
