/* SPDX-License-Identifier: MIT */
/*
 * dev.h - a /dev of the session's own.
 *
 * Theory of operation
 *
 * The container may have none, a read-only one or one full of surprises, and
 * must not change. So the session gets a tmpfs with the usual nodes (made,
 * or bound from the host: making nodes is forbidden in a user namespace), a private
 * devpts instance, so that tty(1) names its terminal, and the container's own
 * shared memory and message queues. Further devices of the container (a GPU,
 * /dev/fuse) are there as symbolic links into its tree: what the device cgroup
 * allows can be used.
 */
#ifndef SESSION_DEV_H
#define SESSION_DEV_H

#include <stdbool.h>

#include "err.h"

#define DEV_NODES 6

struct dev_parts {
	int made;            /* a tmpfs with nodes of its own, or -1 and: */
	int node[DEV_NODES]; /* detached clones of the host's */
	int shm, mqueue;     /* detached clones of the container's, or -1 */
	int container;       /* the container's /dev, or -1 */
};
#define DEV_PARTS_INIT                                                                   \
	{                                                                                \
		.made = -1, .node = { -1, -1, -1, -1, -1, -1 }, .shm = -1, .mqueue = -1, \
		.container = -1                                                          \
	}

/*
 * Take the nodes, in the host's mount namespace. @may_make: the session stays in our user
 * namespace, so that a tmpfs of ours will be its own. -EPERM without CAP_SYS_ADMIN there.
 */
int dev_take_nodes(struct dev_parts *p, bool may_make, struct err *e) _must_check_;
/* Take what is the container's, below its root @rootfd, in its mount namespace. */
void dev_take_container(struct dev_parts *p, int rootfd);

/*
 * dev_build() - Mount it on "dev" below @viewfd.
 * @base: where the container's tree is, for the links.
 * @ret_pts: a path descriptor of the devpts instance's root, the caller's.
 */
int dev_build(const struct dev_parts *p, int viewfd, const char *base, int *ret_dev, int *ret_pts,
	      struct err *e) _must_check_;

#endif
