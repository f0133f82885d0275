/* SPDX-License-Identifier: MIT */
/*
 * luks.h - LUKS2 headers of authenticated disks: written, recognised, unlocked. No device mapper.
 *
 * Theory of operation
 *
 * libcryptsetup formats an authenticated device only together with a running
 * dm-integrity. But it makes a header and a key slot without one. So
 * luks_format() lets it make an ordinary header whose one slot holds our
 * volume key, and then says in the header's JSON what the data is like:
 * segment 0, "aes-xts-plain64" with "hmac(sha256)". Any cryptsetup from 2.1
 * on opens that.
 *
 * luks_parse() reads what a header says, of whoever made it, without
 * libcryptsetup: it is for files that nobody vouches for.
 *
 * The format is the "LUKS2 On-Disk Format Specification", version 1.1.
 */
#ifndef DISK_LUKS_H
#define DISK_LUKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "seal.h"

#define LUKS_DATA_OFFSET (16ULL << 20) /* of what luks_format() makes; cryptsetup's own default */
#define LUKS_HEADER_MAX  (4U << 20)    /* one copy: binary header and JSON */
#define LUKS_NAME_MAX    64
#define LUKS_KEY_MIN     32 /* bytes of a key file */

/*
 * luks_format() - Put a header with one key slot for @key onto @fd, whose data begins at LUKS_DATA_OFFSET.
 *
 * @key: @key_size random bytes, LUKS_KEY_MIN at least: the slot's derivation is a fast one,
 *	 which is right for a key and wrong for a password.
 */
int luks_format(int fd, const uint8_t *key, size_t key_size,
		const uint8_t volume_key[SEAL_KEY_SIZE], struct err *e) _must_check_;

/* The volume key of an authenticated disk. -EACCES: @key opens no slot. -EOPNOTSUPP: sealed otherwise. */
int luks_unlock(int fd, const uint8_t *key, size_t key_size, uint8_t ret[SEAL_KEY_SIZE],
		struct err *e) _must_check_;

/* What a header says. Names are NUL-terminated and whatever its author wrote; "" for none. */
struct luks {
	char uuid[40];
	char label[48];
	uint64_t seqid;
	uint32_t hdr_size;             /* of one of the two copies */
	char cipher[LUKS_NAME_MAX];    /* "aes-xts-plain64" */
	char integrity[LUKS_NAME_MAX]; /* "hmac(sha256)"; "" if the data is not authenticated */
	uint64_t offset;               /* of the data */
	bool dynamic;                  /* up to the device's end */
	uint64_t size;                 /* else */
	uint32_t sector_size;
	unsigned int keyslots;
	char kdf[LUKS_NAME_MAX]; /* of the first */
};

/* How many bytes from the beginning of the file luks_parse() wants, by its first 4096. -ENOENT: no LUKS2. */
int luks_want(const void *buf, size_t size, size_t *ret) _must_check_;

/*
 * luks_parse() - Read the first copy of the header in the @size bytes of @buf.
 *
 * Return: 0; -ENOENT no LUKS2 header; -EPROTO damaged (its checksum too); -ENODATA cut short;
 *	   -EOPNOTSUPP several data segments, or none.
 */
int luks_parse(const void *buf, size_t size, struct luks *ret, struct err *e) _must_check_;

#endif
