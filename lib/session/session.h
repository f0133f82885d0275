/* SPDX-License-Identifier: MIT */
/*
 * session.h - a command that runs in a container.
 *
 * Theory of operation
 *
 *	caller		opens the target, decides about terminals, joins the target's pid
 *			namespace, as that holds for children only, clones, and returns
 *	  child		in the version 2 cgroup from its first instruction (CLONE_INTO_CGROUP)
 *	  guard		forked while the child works: what stays if the caller dies (guard.h)
 *
 * A caller without rights on the host has to join the container's user namespace first, and could
 * not return from it. There the guard comes first, joins, and clones the child as a sibling of itself.
 *
 * The child, a single thread, takes what is the host's (tools, device nodes),
 * joins the cgroups and the other namespaces, builds its view (view.h) in a
 * mount namespace of its own, opens a terminal in the view's devpts, gives up
 * its rights for the target's and becomes the command. It talks to the caller
 * over a socket that closes by itself on execve(): one message with the
 * terminal's master and the mount namespace, or one with the error. Until
 * execve() it is not dumpable, so nobody in the container can look into it.
 * If the caller dies, the child is killed (PR_SET_PDEATHSIG) and the guard ends the rest.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <limits.h>
#include <stdbool.h>

#include "environ.h"
#include "err.h"
#include "forwards.h"
#include "guard.h"
#include "relay.h"
#include "target.h"
#include "tools.h"
#include "view.h"

struct session {
	const struct target *target;
	const struct view_opts *view;  /* NULL: the container's own view */
	const struct tools_src *tools; /* with @view */
	struct relay *relay;
	const struct env *env;
	char **main_argv;          /* for the guard's title; may be NULL */
	struct forwards *forwards; /* opened; may be NULL */
	const char *workdir;       /* inside the session's view */
	bool workdir_given;        /* it has to exist; else "/" does as well */
	const char *const *argv;   /* the command, ends with NULL */
	const int *tree;           /* instead of @tools: a detached mount, borrowed; may be NULL */
	/* Instead of relay_run(), with its contract; @pid is the command's. May be NULL. */
	int (*attend)(void *arg, pid_t pid, int pidfd, int master, struct err *e);
	void *attend_arg;
};

/*
 * session_run() - Start the command, relay its terminal, wait for it, end what it left.
 *
 * What it left is ended with a view of our own, not without: there it is the container's.
 *
 * Return: 0 and the exit code of the command; or -errno, @e, and the exit code for
 *	   that (PTY_EXIT_FAILED, _CANNOT, _NOT_FOUND).
 */
int session_run(const struct session *s, int *ret_exit, struct err *e) _must_check_;

/*
 * session_find_program() - Where @name is found by @path (a PATH), as the caller may execute it.
 *
 * Return: 0 and @ret; -ENOENT; -EACCES (it is there, but not for us); -EISDIR.
 */
int session_find_program(const char *name, const char *path, char ret[PATH_MAX]) _must_check_;

#endif
