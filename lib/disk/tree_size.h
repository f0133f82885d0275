/* SPDX-License-Identifier: MIT */
/* tree_size.h - how much room a directory tree takes in an ext4 file system. */
#ifndef DISK_TREE_SIZE_H
#define DISK_TREE_SIZE_H

#include <stdint.h>

#include "err.h"

struct tree_size {
	uint64_t inodes;
	uint64_t
		blocks; /* of 4 KiB: contents, directories, long links, attributes; without the inodes */
};

/* Holes do not count, further names of a file count once. -EACCES and the like: a directory cannot be read. */
int tree_measure(const char *dir, struct tree_size *ret, struct err *e) _must_check_;

#endif
