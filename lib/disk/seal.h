/* SPDX-License-Identifier: MIT */
/*
 * seal.h - one block as dm-crypt keeps it under "aes-xts-plain64" with "hmac(sha256)": ciphertext and tag.
 *
 * Encrypt, then authenticate (drivers/md/dm-crypt.c, crypt_convert_block_aead(); crypto/authenc.c):
 *
 *	iv	number of the block's first sector, little-endian, and zeros: 16 bytes
 *	cipher	AES-256-XTS of the block
 *	tag	HMAC-SHA-256 over that number in 8 bytes, iv and cipher
 *
 * The volume key is the two keys of XTS and then the HMAC's.
 */
#ifndef DISK_SEAL_H
#define DISK_SEAL_H

#include <nettle/hmac.h>
#include <nettle/xts.h>
#include <stdint.h>

#include "compiler.h"

#define SEAL_INTEGRITY  "hmac(sha256)" /* as LUKS2 calls it */
#define SEAL_CIPHER_KEY 64
#define SEAL_KEY_SIZE   96
#define SEAL_TAG_SIZE   32
#define SEAL_BLOCK      4096

/* Not to be shared between threads. */
struct seal {
	struct xts_aes256_key enc, dec;
	struct hmac_sha256_ctx mac;
};

void seal_init(struct seal *s, const uint8_t key[SEAL_KEY_SIZE]);
/* Wipes the keys. */
void seal_fini(struct seal *s);
#define _cleanup_seal_ _cleanup_(seal_fini)

/* Block @n of the device; @cipher may be @plain. */
void seal_block(struct seal *s, uint64_t n, const uint8_t plain[SEAL_BLOCK],
		uint8_t cipher[SEAL_BLOCK], uint8_t tag[SEAL_TAG_SIZE]);
/* The reverse. -EBADMSG: not what was sealed as this block, and @plain is untouched. */
int seal_open(struct seal *s, uint64_t n, const uint8_t cipher[SEAL_BLOCK],
	      const uint8_t tag[SEAL_TAG_SIZE], uint8_t plain[SEAL_BLOCK]) _must_check_;

#endif
