/* SPDX-License-Identifier: MIT */
/*
 * verity.h - a hash tree behind the data of a disk that is only read, and its root hash.
 *
 * The format is that of dm-verity and veritysetup: a superblock where the data
 * ends, then the tree. Making and checking the tree is libcryptsetup's; it
 * needs no device mapper for that. verity_parse() reads a superblock of
 * whoever made it: bytes in, a structure out.
 */
#ifndef DISK_VERITY_H
#define DISK_VERITY_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "progress.h"

#define VERITY_SB_SIZE  512
#define VERITY_SALT_MAX 256
#define VERITY_ROOT_MAX 64 /* bytes of a root hash */

struct verity_root {
	size_t size;
	uint8_t hash[VERITY_ROOT_MAX];
};
#define VERITY_ROOT_TEXT (2 * VERITY_ROOT_MAX + 1)
const char *verity_root_show(const struct verity_root *root, char ret[VERITY_ROOT_TEXT]);
/* Hexadecimal; -EINVAL. */
int verity_root_parse(const char *text, struct verity_root *ret) _must_check_;

/* Append the tree over the first @data_size bytes of @fd (all there is; a multiple of 4096). */
int verity_append(int fd, uint64_t data_size, struct verity_root *ret, struct err *e) _must_check_;

/* Hold all data of @fd against @root. -EBADMSG: it is not the data, or not its root; -EINVAL: none. */
int verity_check(int fd, uint64_t data_size, const struct verity_root *root, struct err *e)
	_must_check_;

struct verity {
	char uuid[37];
	char algorithm[33]; /* whatever its author wrote */
	uint32_t data_block, hash_block;
	uint64_t data_blocks;
	uint16_t salt_size;
	uint8_t salt[VERITY_SALT_MAX];
};

/* Return: 0; -ENOENT it is none (no magic); -EPROTO damaged; -EOPNOTSUPP another version. */
int verity_parse(const void *sb, size_t size, struct verity *ret) _must_check_;

#endif
