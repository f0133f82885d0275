/* SPDX-License-Identifier: MIT */
/*
 * guard.h - whatever happens to us, nothing of a session stays.
 *
 * Theory of operation
 *
 * The view and everything in it lives in a mount namespace that only processes
 * of the session are in: when they are gone, so is all else. A process beside
 * it is its guard: it outlives a SIGKILL to the caller, watches the
 * caller's pidfd and then ends the processes of the session. The child does not become the command before
 * the guard has told it that it watches. Which they are? With a view of our own:
 * all of its mount namespace, of which the child sends a descriptor before it becomes the
 * command; the guard holds it, so that its number cannot come to mean another. And all of the
 * command's terminal session, for a process may have made a mount namespace of its own. Without a view
 * (cntr exec) those of the terminal session within the container's mount namespace.
 * The command itself has the caller as its parent, and a death signal.
 */
#ifndef SESSION_GUARD_H
#define SESSION_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct guard_mark {
	int mntns;     /* a descriptor of the mount namespace */
	pid_t session; /* as the procfs shows it in which they are looked for */
	bool either;   /* of the namespace or of the session; else of both */
};

/*
 * guard_run() - Guard the caller @parent (a pidfd) until it dies; then sweep and exit.
 *
 * @mark: what to sweep; if its mntns is -1, the descriptor comes over @sock.
 * @argv: main()'s, to be written over, so that a "pkill -f" for the caller does not hit its
 * guard as well; may be NULL. Ends with SIGKILL when all has gone well.
 */
_Noreturn void guard_run(int sock, int parent, struct guard_mark mark, char **argv);

/* Wait until there is a guard at the other end of @sock, and send it the descriptor that it waits for, if any. */
int guard_tell(int sock, int mntns) _must_check_;

/*
 * guard_sweep() - End all processes that @mark means, among those that the procfs @proc (a
 * directory) shows. The container's is enough for what ends in good order, and shorter than
 * the host's. Gives up after some seconds.
 */
void guard_sweep(struct guard_mark mark, int proc);

#endif
