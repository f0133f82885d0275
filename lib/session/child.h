/* SPDX-License-Identifier: MIT */
/* child.h - the two processes between the caller and the command. Private to lib/session. */
#ifndef SESSION_CHILD_H
#define SESSION_CHILD_H

#include "session.h"

/* What comes over the socket, as plain data. The caller trusts it: both ends are our code. */
struct child_msg {
	enum {
		CHILD_BORN,  /* of the helper: the command's pid, and its pidfd */
		CHILD_READY, /* of the child: the mount namespace and, if there is one, the master */
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
	int guard;   /* to the helper, once that is the guard */
	int guarded; /* its other end */
	int parent;  /* a pidfd of the caller */
	int proc;    /* the host's /proc */
};

/* The helper: clones the child and becomes its guard. */
_Noreturn void child_helper(const struct child_ctx *c);

#endif
