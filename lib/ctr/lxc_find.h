/* SPDX-License-Identifier: MIT */
/* lxc_find.h - running containers of everything that is built on liblxc. Private to lib/ctr. */
#ifndef CTR_LXC_FIND_H
#define CTR_LXC_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "ctr.h"

/* A container that a command socket told of. All strings are owned. */
struct lxc_found {
	char *lxcpath, *name;
	pid_t pid;
	enum ctr_state state;
};

struct lxc_finds {
	struct lxc_found *v;
	size_t n, room;
};
void lxc_finds_fini(struct lxc_finds *f);
#define _cleanup_lxc_finds_ _cleanup_(lxc_finds_fini)

/*
 * lxc_find_running() - Ask the command sockets of this network namespace.
 *
 * @wanted says by lxcpath and name which are asked for pid and state; one that
 * starts or stops at this moment is CTR_STOPPED, without a pid. A socket that does not
 * answer, or not to us, doesn't keep the others from being asked: the first
 * such failure is returned, and said in @e, after all that could be found is in @ret.
 */
int lxc_find_running(const struct ctr_env *env,
		     bool (*wanted)(const char *lxcpath, const char *name, void *arg), void *arg,
		     struct lxc_finds *ret, struct err *e) _must_check_;

#endif
