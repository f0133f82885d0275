/* SPDX-License-Identifier: MIT */
/*
 * guard.h - whatever happens to us, nothing of a session stays.
 *
 * Theory of operation
 *
 * The view and everything in it lives in a mount namespace that only processes
 * of the session are in: when they are gone, so is all else. guard_start()
 * forks a process, before anything is opened, that outlives a SIGKILL to its
 * parent: it watches the parent's pidfd and then ends the processes of the
 * session. Which they are, it learns from "marks" sent before the command
 * starts: a descriptor of the mount namespace, held so that its number cannot come to
 * mean another, and the session id. In a view of our own all processes of the namespace
 * are ours; without one (cntr exec) those of the terminal session within the container's
 * namespace. The command itself has the parent as its parent, and a death signal.
 */
#ifndef SESSION_GUARD_H
#define SESSION_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct guard_mark {
	pid_t session; /* as the host sees it, or 0 if @whole */
	bool whole;    /* all of the mount namespace is ours */
};

struct guard {
	pid_t pid;
	int sock; /* marks go in here, from us and from our children */
};
#define GUARD_INIT         \
	{                  \
		.sock = -1 \
	}

/*
 * guard_start() - Fork the guard of the calling process. @argv: main()'s, to be written over
 * in the guard, so that a "pkill -f" for us does not hit it as well; may be NULL.
 */
int guard_start(struct guard *g, char **argv, struct err *e) _must_check_;
/* Tell it what is ours; @mntns stays the caller's. */
int guard_mark(const struct guard *g, const struct guard_mark *mark, int mntns) _must_check_;
/* End the guard; what it guarded stays. guard_fini() waits for it, after other things to be done. */
void guard_stop(const struct guard *g);
void guard_fini(struct guard *g);

/*
 * End all processes that @mark and @mntns mean, among those that the procfs @proc (a directory
 * that can be listed) shows. The container's is enough for what ends in good order, and
 * shorter than the host's. Gives up after some seconds.
 */
void guard_sweep(const struct guard_mark *mark, int mntns, int proc);

#endif
