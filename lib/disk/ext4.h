/* SPDX-License-Identifier: MIT */
/* ext4.h - the superblock of an ext2, ext3 or ext4 file system. Bytes in, a structure out; no I/O. */
#ifndef DISK_EXT4_H
#define DISK_EXT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define EXT4_SB_OFF  1024
#define EXT4_SB_SIZE 1024

struct ext4 {
	char label[17]; /* whatever its author wrote, NUL-terminated */
	char uuid[37];
	uint32_t block_size;
	uint64_t blocks, free_blocks; /* @free_blocks <= @blocks */
	uint32_t inodes, free_inodes;
	bool journal, dirty; /* has one; it was not unmounted, or the journal is to be replayed */
	bool extents;        /* ext4, not one of its ancestors */
	uint64_t size;       /* bytes */
};

/* Return: 0; -ENOENT it is none (no magic); -EPROTO damaged. */
int ext4_parse(const void *sb, size_t size, struct ext4 *ret) _must_check_;

#endif
