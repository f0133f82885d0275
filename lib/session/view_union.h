/* SPDX-License-Identifier: MIT */
/*
 * view_union.h - the container's root over the tools tree, by overlayfs.
 *
 * Theory of operation
 *
 * The layers are attached to a staging tmpfs in our private mount namespace and
 * named relative to it ("c:t"), so the kernel needs no layers by descriptor
 * (Linux 6.13) and no detached ones (6.15): every kernel with the mount API
 * will do, and 5.11 or later in a user namespace. overlayfs keeps its own
 * private clones; the stage is dropped with the old root. Where the tools tree
 * has a mount of its own (/usr, /home), or one tree a link and the other a directory
 * (/lib), the directories there are overlaid once more (union_places.h). Writes
 * go to the stage's tmpfs: nothing reaches container or tools.
 */
#ifndef SESSION_VIEW_UNION_H
#define SESSION_VIEW_UNION_H

#include "err.h"
#include "tools.h"

/*
 * union_build() - Overlay the mount @bare over @tools and attach the result on top of "/".
 *
 * Return: 0 and *@ret_root, a descriptor of the overlay's root, the caller's.
 */
int union_build(int bare, struct tools *tools, int *ret_root, struct err *e) _must_check_;

/*
 * union_add_mounts() - Bind what the container has mounted below its root, except below
 * /proc, /sys and /dev, from its tree at @base to the same places of the union.
 * @mountinfo: as the container's first process sees it.
 */
int union_add_mounts(int viewfd, const char *base, const char *mountinfo, size_t len, struct err *e)
	_must_check_;

#endif
