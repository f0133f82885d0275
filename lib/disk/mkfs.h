/* SPDX-License-Identifier: MIT */
/*
 * mkfs.h - an ext4 file system with the contents of a directory.
 *
 * Theory of operation
 *
 * mke2fs(8) makes it and copies owners, modes, attributes, links, holes and
 * devices (-d). How large it must be, mke2fs says too: an empty one is made in
 * memory, and its free blocks compared with what the tree takes (tree_size.h).
 * What version 1.47.0 does not copy is added afterwards through libext2fs:
 * owner, mode and times of the root directory, the nanoseconds of times, and
 * times after 2038. Not copied: the flags of chattr(1).
 */
#ifndef DISK_MKFS_H
#define DISK_MKFS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "progress.h"

#define MKFS_BLOCK 4096

struct mkfs_opts {
	uint64_t
		size; /* of the file system, a multiple of MKFS_BLOCK; 0: what it needs, and some room */
	bool fixed; /* nobody will write to it: no journal, no room */
	const struct progress *progress;
};

/*
 * mkfs_tree() - Put the tree @dir on the empty file @fd; *@ret_size is the file system's size.
 *
 * Return: 0; -ENOSPC @opts->size is too small, and @e says what it takes; another -errno.
 */
int mkfs_tree(const char *dir, int fd, const struct mkfs_opts *opts, uint64_t *ret_size,
	      struct err *e) _must_check_;

#endif
