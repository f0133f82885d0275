/* SPDX-License-Identifier: MIT */
/*
 * union_places.h - where the union needs an overlay of its own, besides its root.
 *
 * Theory of operation
 *
 * An overlay shows the root mounts of its layers alone, so each mount of the
 * tools' is a place. And it merges directories, but not a directory with a symbolic
 * link: that of the container hides what the tools have behind the same name,
 * their loader, for instance. So the names at the top of the two trees are compared:
 *
 *	container	tools			place	  extra layer, below the tools' own
 *	lib		lib -> usr/lib		lib	  usr/lib of the tools
 *	lib -> usr/lib	lib			usr/lib	  lib of the tools
 *	lib64 -> lib	lib64 -> usr/lib64	lib	  usr/lib64 of the tools
 *
 * A link of the container's that is not a plain path downwards, or leads
 * to another link, is left as it is.
 */
#ifndef SESSION_UNION_PLACES_H
#define SESSION_UNION_PLACES_H

#include <stddef.h>

#include "tools.h"

#define UNION_EXTRA_MAX  8  /* names that lead to the same directory: bin, sbin, ... */
#define UNION_LINKS_MAX  64 /* places that come from links */
#define UNION_PLACES_MAX (TOOLS_MOUNTS_MAX + UNION_LINKS_MAX)

struct union_place {
	char *path;                 /* relative to the root */
	int extra[UNION_EXTRA_MAX]; /* path descriptors of directories of the tools */
	size_t nextra;
};

struct union_places {
	struct union_place v[UNION_PLACES_MAX]; /* parents before children */
	size_t n;
};

/*
 * union_places_find() - Compare the container's tree @ctr with the tools' @tree, which @tools is attached to.
 *
 * Return: 0 and *@ret, the caller's; -ENOMEM.
 */
int union_places_find(int ctr, int tree, const struct tools *tools, struct union_places *ret)
	_must_check_;
void union_places_fini(struct union_places *p);

#endif
