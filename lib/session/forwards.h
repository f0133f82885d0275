/* SPDX-License-Identifier: MIT */
/*
 * forwards.h - ports and sockets that lead out of a session and into it, for as long as it lasts.
 *
 * Theory of operation
 *
 * A port of the host leads to one of the container, as its own processes would reach it: connections to
 * it are made in its network namespace. A unix socket that one side has, the host or the session's view,
 * is made available on the other. They are set up after the view is there and before the command starts:
 *
 *	forwards_open()		ports of the host are bound, sockets of the host are looked for
 *	forwards_start()	sockets are bound; a process carries the connections (forward.h)
 *	forwards_stop()		it ends, and what it bound is gone
 *
 * That process has a single thread and joins the container's network namespace, and nothing else of it
 * where the caller has the rights to. It ends with the caller, however that comes. Paths of the view
 * are resolved below a descriptor of its root, at each connection.
 *
 * Whom a socket is forwarded to was given it: its server sees the caller, whoever connects. The
 * socket in the view is of the session's user, that on the host of the caller; nobody else may connect.
 */
#ifndef SESSION_FORWARDS_H
#define SESSION_FORWARDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "forward.h"
#include "target.h"

#define FORWARDS_MAX 32

struct forward_spec {
	bool is_socket;
	struct forward_port port;
	char *host, *inner; /* absolute paths of a socket; owned */
	bool to_inner;      /* the host has it */
};

struct forwards {
	struct forward_spec *spec;
	size_t room;
	unsigned int n;
	struct forward f;
	int control; /* to the process; it ends when this is closed */
	pid_t pid;
	int pidfd;
};
#define FORWARDS_INIT                                                     \
	{                                                                 \
		.f = FORWARD_INIT, .control = -1, .pid = -1, .pidfd = -1, \
	}

/* "[ADDRESS:]PORT[:PORT]" or "SOCKET[:PATH]". -EINVAL and a sentence. */
int forwards_add(struct forwards *s, const char *text, struct err *e) _must_check_;

int forwards_open(struct forwards *s, struct err *e) _must_check_;
/*
 * @root: of the view; no socket is reached or made below one that is a FUSE mount of another user
 * namespace. Must be called with a single thread.
 */
int forwards_start(struct forwards *s, const struct target *t, int root, struct err *e)
	_must_check_;
void forwards_stop(struct forwards *s);
#define _cleanup_forwards_ _cleanup_(forwards_stop)

#endif
