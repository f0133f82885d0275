/* SPDX-License-Identifier: MIT */
/*
 * luks_slots.h - key slots of a LUKS2 header that open fast: those that luks_format() makes. Private to lib/disk.
 *
 * libcryptsetup opens a slot in 15 ms and more, most of it the loading and starting of libcrypto, and 12,000 hashes
 * through it; here it is two. Slots of another kind, and damaged headers, are for libcryptsetup.
 */
#ifndef DISK_LUKS_SLOTS_H
#define DISK_LUKS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "seal.h"

#define LUKS_SLOTS_MAX 32
#define LUKS_SALT_MAX  64
#define LUKS_AF_SIZE   (4000 * SEAL_KEY_SIZE) /* bytes of the key, split */
#define LUKS_SLOT_KEY  64                     /* of AES-XTS, for the split key */

/* Iterations of PBKDF2 with SHA-256. */
struct luks_kdf {
	uint8_t salt[LUKS_SALT_MAX];
	size_t salt_size;
	uint32_t iterations;
};

struct luks_slots {
	size_t n;
	struct {
		struct luks_kdf kdf;
		uint64_t area; /* where the split key is */
	} slot[LUKS_SLOTS_MAX];
	struct {
		struct luks_kdf kdf;
		uint8_t sum[32];
	} digest; /* of the volume key */
};

/*
 * luks_slots_parse() - The slots for segment 0, from the first header copy in the @size bytes of @buf.
 *
 * Return: 0; -EOPNOTSUPP: at least one is of another kind; another -errno: the header is damaged.
 */
int luks_slots_parse(const void *buf, size_t size, struct luks_slots *ret, struct err *e)
	_must_check_;

/*
 * luks_slot_open() - The volume key, if @key opens slot @i, whose split key is @split.
 *
 * @split: decrypted in place; the caller's to wipe.
 *
 * Return: 0; -EACCES: it does not.
 */
int luks_slot_open(const struct luks_slots *s, size_t i, const uint8_t *key, size_t key_size,
		   uint8_t split[LUKS_AF_SIZE], uint8_t ret[SEAL_KEY_SIZE]) _must_check_;

#endif
