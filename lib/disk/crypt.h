/* SPDX-License-Identifier: MIT */
/* crypt.h - an authenticated, encrypted disk out of a plain one, as cryptsetup would have made it. */
#ifndef DISK_CRYPT_H
#define DISK_CRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "progress.h"

/*
 * crypt_seal() - Make @out, an empty file, the LUKS2 disk with the contents of @plain.
 *
 * All @size bytes (a multiple of 4096) are sealed, holes too: a block that was never sealed
 * cannot be read, and one that is missing would show what is in use.
 * @key: see luks_format().
 */
struct crypt_key {
	const uint8_t *data;
	size_t size;
};
int crypt_seal(int plain, uint64_t size, int out, struct crypt_key key,
	       const struct progress *progress, struct err *e) _must_check_;

/* The size of the file that crypt_seal() makes. */
uint64_t crypt_sealed_size(uint64_t size);

/*
 * crypt_open() - Read it all back into @plain, an empty file, or -1 to see only whether it can be read.
 *
 * Return: 0; -EBADMSG a block is not what was written; -EACCES wrong key; another -errno.
 */
int crypt_open(int sealed, int plain, struct crypt_key key, const struct progress *progress,
	       struct err *e) _must_check_;

#endif
