/* SPDX-License-Identifier: MIT */
/*
 * enter.h - join the namespaces of a process.
 *
 * Theory of operation
 *
 * Which order works depends on who we are. Root joins a container's network
 * namespace, which may belong to the host's user namespace, only *before* it
 * gives up its rights by joining the container's user namespace; a normal
 * user may join anything only *after* it. So ns_enter() joins what it can,
 * then the user namespace, then the rest. Namespaces that we are in already
 * are left alone. The pid namespace holds for children only (setns(2)), so a
 * caller joins it, forks, and the child joins the others.
 */
#ifndef NS_ENTER_H
#define NS_ENTER_H

#include "err.h"
#include "nsid.h"

/* What sentences call that which is joined, here and in what is built on it; who joins something else says so before. */
struct ns_words {
	const char *what;
	const char *bare; /* the command that does without a view */
};
extern struct ns_words ns_words; /* starts as { "container", "cntr exec" } */

/*
 * ns_enter() - Join the namespaces of @s whose flag is in @flags (CLONE_NEW*).
 *
 * Must be called by a single-threaded process. What was joined has *@done's flag
 * set, and is not joined again by a second call with the same @done.
 */
int ns_enter(const struct ns_set *s, int flags, int *done, struct err *e) _must_check_;

#endif
