/* SPDX-License-Identifier: MIT */
/* unpack_priv.h - the state of unpacking. Private to unpack.c and whiteout.c. */
#ifndef IMAGE_UNPACK_PRIV_H
#define IMAGE_UNPACK_PRIV_H

#include "dirs.h"
#include "seen.h"
#include "tree.h"
#include "unpack.h"

struct unpack {
	struct tree tree;
	struct dirs dirs;
	struct seen seen; /* of this layer, if it is not the first */
	struct tar tar;
	struct unpack_stats stats;
	struct attrs_owner natural;
	uint64_t max_entries;
	unsigned int layers;     /* begun */
	bool stale;              /* the tree's slots are not to be used again */
	int out;                 /* the file whose payload comes, or -1 */
	uint64_t left;           /* bytes of it */
	char path[TAR_PATH_MAX]; /* the entry's, clean */
	char dir[TAR_PATH_MAX];  /* its parent's */
	char real[TAR_PATH_MAX]; /* its own, real */
};

/*
 * unpack_open_parent() - Open the parent of the clean @path in u->tree.parent.
 *
 * @make: make directories that are missing; else -ENOENT.
 * u->real becomes @path's real path; @ret_name its last name, inside @path.
 */
int unpack_open_parent(struct unpack *u, const char *path, bool make, const char **ret_name)
	_must_check_;
/* For struct tree_remove. */
void unpack_dir_gone(void *arg, const char *real);

/* Whether the clean @path is one that says something about lower layers. */
bool whiteout_is(const char *path);
/* Do what it says. The base layer's are to be ignored. */
int whiteout_apply(struct unpack *u) _must_check_;

#endif
