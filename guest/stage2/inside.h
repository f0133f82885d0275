/* SPDX-License-Identifier: MIT */
/*
 * inside.h - the process that runs the session, beside the one that carries what is said.
 *
 * Theory of operation
 *
 *	stage 2		carries messages, requests of FUSE and streams (pump.h); touches no file of the view
 *	  inside	session_run(): joins, builds the view, starts the command, ends what it left
 *	    command
 *	    guard	(lib/session/guard.h)
 *
 * It is a process of its own since it waits: for files of the view, which stage 2 brings. Both talk over
 * a socket pair; that is closed is the end of the session, and death of stage 2 kills it.
 */
#ifndef STAGE2_INSIDE_H
#define STAGE2_INSIDE_H

#include <sys/types.h>

#include "err.h"
#include "request.h"

#define INSIDE_BASE "/var/lib/vmsh" /* where the guest's root is */

/* From it; the first comes with the terminal's master, if there is one. */
struct inside_msg {
	enum {
		INSIDE_READY,
		INSIDE_ENDED
	} kind;
	int exit_code;
	struct err err; /* of INSIDE_ENDED: code 0, or why there was no session */
};

/* To it: for the command. */
struct inside_signal {
	int number;
	bool group;
};

struct inside {
	const struct wire_request *req;
	int tree;    /* detached mount of the tools; -1: the view is the guest's own */
	int fd[3];   /* the command's, or RELAY_SLAVE */
	int notes;   /* for what is to be told to the user */
	int sock;    /* to stage 2 */
	char **argv; /* main()'s */
};

/* Never returns. @parent: who started it. */
_Noreturn void inside_run(const struct inside *in, pid_t parent);

#endif
