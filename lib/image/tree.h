/* SPDX-License-Identifier: MIT */
/*
 * tree.h - paths of an untrusted archive within the tree that is being made from it.
 *
 * Theory of operation
 *
 * No path of an archive reaches the kernel but through tree_dir(), which opens
 * the parent directory as openat2() finds it below the root: first without any
 * symbolic link; if there is one, as a process would see it whose root this is
 * (RESOLVE_IN_ROOT). So a link that was planted by an earlier layer leads to
 * some other place in the tree, never out of it. The last name is then used
 * below that descriptor and never followed.
 *
 * tree_dir() also gives the directory's real path: without links, and so the
 * same for the same directory however the archive spelled it. What is
 * remembered about the tree is remembered under real paths. "" is the root.
 */
#ifndef IMAGE_TREE_H
#define IMAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "image_limits.h"

/* The directory of the last entry: archives go directory by directory. */
struct tree_slot {
	int fd; /* O_PATH, -1: none */
	char path[TAR_PATH_MAX];
	char real[TAR_PATH_MAX];
};

struct tree {
	int rootfd;                      /* borrowed */
	char *root;                      /* where it is, for cutting it off real paths */
	struct tree_slot parent, target; /* of an entry, and of what a hard link names */
};

/* @rootfd must outlive the tree; /proc must be there. -errno. */
int tree_init(struct tree *t, int rootfd) _must_check_;
void tree_fini(struct tree *t);
/* After anything but a plain file was removed: paths may lead elsewhere now. */
void tree_forget(struct tree *t);

/*
 * tree_clean() - @path without slashes and dots that mean nothing; "" for the root.
 *
 * Return: 0; -EXDEV if it goes upwards by "..", which no honest archive does.
 */
int tree_clean(const char *path, char ret[TAR_PATH_MAX]) _must_check_;

/* Split a clean path: what is before the last slash, and the last name (inside @path). "" has no name. */
const char *tree_split(const char *path, char ret_dir[TAR_PATH_MAX]);

/* @dir + "/" + @name, or @name alone if @dir is "". -ENAMETOOLONG. */
int tree_join(const char *dir, const char *name, char ret[TAR_PATH_MAX]) _must_check_;

/* Open the directory with the clean path @dir in @slot. 1 it was there already; 0 opened; -errno. */
int tree_dir(struct tree *t, struct tree_slot *slot, const char *dir) _must_check_;

/* Open a real directory, without any link, for reading. A descriptor or -errno. */
int tree_open_real(const struct tree *t, const char *real) _must_check_;

/* What tree_remove() asks and tells; real paths. */
struct tree_remove {
	bool (*keep)(
		void *arg,
		const char *real); /* NULL: nothing; of a kept directory, the children are asked */
	void (*gone)(void *arg, const char *real); /* a directory went */
	void *arg;
};

/*
 * tree_remove() - Remove @name below @dirfd, with everything in it, without following links.
 *
 * @real: its real path, in a buffer of TAR_PATH_MAX that is used and given back as it was; both
 *	  @real and @ops may be NULL.
 * Return: 0, also if there was nothing; -errno.
 */
int tree_remove(int dirfd, const char *name, char *real, const struct tree_remove *ops)
	_must_check_;
/* The same for all that is in the directory @dirfd, which stays. */
int tree_empty(int dirfd, char *real, const struct tree_remove *ops) _must_check_;

#endif
