/* SPDX-License-Identifier: MIT */
#include "seal.h"

#include <errno.h>
#include <nettle/memops.h>
#include <string.h>

#include "le.h"

#define SECTORS 8 /* of a block */

/* What the tag covers besides the ciphertext; @iv is the tweak too. */
struct aad {
	le64 sector;
	struct {
		le64 sector, zero;
	} iv;
};

void seal_init(struct seal *s, const uint8_t key[SEAL_KEY_SIZE])
{
	xts_aes256_set_encrypt_key(&s->enc, key);
	xts_aes256_set_decrypt_key(&s->dec, key);
	hmac_sha256_set_key(&s->mac, SEAL_KEY_SIZE - SEAL_CIPHER_KEY, key + SEAL_CIPHER_KEY);
}

void seal_fini(struct seal *s)
{
	explicit_bzero(s, sizeof(*s));
}

static struct aad aad_of(uint64_t n)
{
	le64 sector = le64_of(n * SECTORS);

	return (struct aad){ .sector = sector, .iv.sector = sector };
}

/* hmac_sha256_digest() leaves the context keyed and empty. */
static void make_tag(struct seal *s, const struct aad *aad, const uint8_t *cipher, uint8_t *ret)
{
	hmac_sha256_update(&s->mac, sizeof(*aad), (const uint8_t *)aad);
	hmac_sha256_update(&s->mac, SEAL_BLOCK, cipher);
	hmac_sha256_digest(&s->mac, SEAL_TAG_SIZE, ret);
}

void seal_block(struct seal *s, uint64_t n, const uint8_t plain[SEAL_BLOCK],
		uint8_t cipher[SEAL_BLOCK], uint8_t tag[SEAL_TAG_SIZE])
{
	struct aad aad = aad_of(n);

	xts_aes256_encrypt_message(&s->enc, (const uint8_t *)&aad.iv, SEAL_BLOCK, cipher, plain);
	make_tag(s, &aad, cipher, tag);
}

int seal_open(struct seal *s, uint64_t n, const uint8_t cipher[SEAL_BLOCK],
	      const uint8_t tag[SEAL_TAG_SIZE], uint8_t plain[SEAL_BLOCK])
{
	struct aad aad = aad_of(n);
	uint8_t want[SEAL_TAG_SIZE];

	make_tag(s, &aad, cipher, want);
	if (!memeql_sec(want, tag, sizeof(want)))
		return -EBADMSG;
	xts_aes256_decrypt_message(&s->dec, (const uint8_t *)&aad.iv, SEAL_BLOCK, plain, cipher);
	return 0;
}
