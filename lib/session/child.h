/* SPDX-License-Identifier: MIT */
/* child.h - the process that becomes the command, and its guard. Private to lib/session. */
#ifndef SESSION_CHILD_H
#define SESSION_CHILD_H

#include "session.h"

/* What comes over the socket, as plain data. The caller trusts it: both ends are our code. */
struct child_msg {
	enum {
		CHILD_BORN, /* of the helper: the command's pid, and its pidfd */
		CHILD_READY, /* of the child: mount namespace, /proc, root of the view and, if there is one, the master */
		CHILD_FAILED, /* of either: why */
	} kind;
	pid_t pid; /* CHILD_BORN: as the host sees it; CHILD_READY: as its /proc shows it, or 0 */
	int exit_code;
	struct err err;
	struct ns_cred_report report;
	bool owners_unmapped;
};

struct child_ctx {
	const struct session *s;
	int sock;    /* to the caller */
	int guard;   /* to the guard */
	int guarded; /* its other end */
	int parent;  /* a pidfd of the caller */
	int proc;    /* the host's /proc */
	int served;  /* the tools tree, if a server answers for it (view_server.h); or -1 */
};

/* Processes that the caller has to end: 0 or less, and -1, if there is none. */
struct child_born {
	pid_t pid;
	int pidfd;
	pid_t guard;
};

/*
 * child_start() - Clone the child into the target's pid namespace, fork the guard.
 *
 * On failure *@ret tells what has been started all the same, for the caller to end.
 * Return: 0; -EPERM, and nothing started: only child_helper() may get there; another -errno.
 */
int child_start(const struct child_ctx *c, struct child_born *ret, struct err *e) _must_check_;

/*
 * child_helper() - Do it in a process between, for a caller without rights on the host.
 *
 * That joins the container's user namespace, which the caller could never leave again, clones the
 * child as a sibling of itself, tells the caller (CHILD_BORN), and becomes the guard.
 */
_Noreturn void child_helper(const struct child_ctx *c);

#endif
