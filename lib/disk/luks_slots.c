/* SPDX-License-Identifier: MIT */
#include "luks_slots.h"

#include <errno.h>
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <nettle/memxor.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha2.h>
#include <nettle/xts.h>
#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"
#include "le.h"
#include "luks.h"
#include "luks_hdr.h"
#include "cursor.h"

#define STRIPES 4000 /* "LUKS2 On-Disk Format", 3.2: what every writer takes */
#define SECTOR  512  /* of the area of a slot, whatever the data's are */

static bool is(struct json_object *o, const char *path, const char *want)
{
	const char *text = json_str(o, path);

	return text && !strcmp(text, want);
}

static bool is_number(struct json_object *o, const char *path, int64_t want)
{
	int64_t n;

	return json_int(o, path, &n) == 0 && n == want;
}

/* The number of decoded bytes, 1 to @max; 0 if it is something else. */
static size_t decode(const char *text, uint8_t *ret, size_t max)
{
	uint8_t raw[BASE64_DECODE_LENGTH(128)];
	size_t len = text ? strlen(text) : 0, size = sizeof(raw);
	struct base64_decode_ctx ctx;

	if (len > 128)
		return 0;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &size, raw, len, text ? text : "") ||
	    !base64_decode_final(&ctx) || size > max)
		return 0;
	memcpy(ret, raw, size);
	return size;
}

static bool read_kdf(struct json_object *o, struct luks_kdf *ret)
{
	int64_t iterations;

	if (!is(o, "type", "pbkdf2") || !is(o, "hash", "sha256") ||
	    json_int(o, "iterations", &iterations) < 0 || iterations < 1 || iterations > INT32_MAX)
		return false;
	ret->iterations = (uint32_t)iterations;
	ret->salt_size = decode(json_str(o, "salt"), ret->salt, sizeof(ret->salt));
	return ret->salt_size;
}

static bool read_slot(struct json_object *o, struct luks_slots *s)
{
	const char *off = json_str(o, "area.offset");

	if (!o || s->n == LUKS_SLOTS_MAX || !is(o, "type", "luks2") ||
	    !is_number(o, "key_size", SEAL_KEY_SIZE) || !is(o, "af.type", "luks1") ||
	    !is_number(o, "af.stripes", STRIPES) || !is(o, "af.hash", "sha256") ||
	    !is(o, "area.type", "raw") || !is(o, "area.encryption", "aes-xts-plain64") ||
	    !is_number(o, "area.key_size", LUKS_SLOT_KEY) || !off ||
	    span_u64((struct span){ off, strlen(off) }, 10, &s->slot[s->n].area) < 0 ||
	    s->slot[s->n].area > INT64_MAX || !read_kdf(json_get(o, "kdf"), &s->slot[s->n].kdf))
		return false;
	s->n++;
	return true;
}

static bool has_string(struct json_object *array, const char *want)
{
	for (size_t i = 0; i < json_len(array); i++)
		if (is(json_at(array, i), "", want))
			return true;
	return false;
}

/* The digest of segment 0, and the slots whose key it is of. False: one of them is not for us. */
static bool read_slots(struct json_object *o, struct luks_slots *s)
{
	struct json_object *digests = json_get(o, "digests"), *slots = json_get(o, "keyslots");
	struct json_object *ours = NULL, *ids;

	if (!json_object_is_type(digests, json_type_object))
		return false;
	json_object_object_foreach(digests, name, digest)
	{
		(void)name;
		if (has_string(json_get(digest, "segments"), "0"))
			ours = digest;
	}
	if (!read_kdf(ours, &s->digest.kdf) ||
	    decode(json_str(ours, "digest"), s->digest.sum, sizeof(s->digest.sum)) !=
		    sizeof(s->digest.sum))
		return false;
	ids = json_get(ours, "keyslots");
	for (size_t i = 0; i < json_len(ids); i++) {
		const char *id = json_str(json_at(ids, i), "");

		if (!id || !read_slot(json_get(slots, id), s))
			return false;
	}
	return s->n;
}

int luks_slots_parse(const void *buf, size_t size, struct luks_slots *ret, struct err *e)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = luks_json(buf, size, &o, e);

	if (r < 0)
		return r;
	*ret = (struct luks_slots){ .n = 0 };
	if (!is(o, "segments.0.encryption", "aes-xts-plain64") ||
	    !is(o, "segments.0.integrity.type", SEAL_INTEGRITY) || !read_slots(o, ret))
		return err_set(e, EOPNOTSUPP, "its key slots are not of the kind made here");
	return 0;
}

static void derive(const struct luks_kdf *k, const uint8_t *key, size_t key_size, uint8_t *ret,
		   size_t size)
{
	pbkdf2_hmac_sha256(key_size, key, k->iterations, k->salt_size, k->salt, size, ret);
}

static void decrypt(const uint8_t key[LUKS_SLOT_KEY], uint8_t split[LUKS_AF_SIZE])
{
	struct xts_aes256_key ctx;

	xts_aes256_set_decrypt_key(&ctx, key);
	for (uint64_t n = 0; n < LUKS_AF_SIZE / SECTOR; n++) {
		struct {
			le64 sector, zero;
		} iv = { .sector = le64_of(n) };
		uint8_t *at = split + n * SECTOR;

		xts_aes256_decrypt_message(&ctx, (const uint8_t *)&iv, SECTOR, at, at);
	}
	explicit_bzero(&ctx, sizeof(ctx));
}

/* Each piece becomes the hash of its number and itself. */
static void diffuse(uint8_t key[SEAL_KEY_SIZE])
{
	for (uint8_t i = 0; i < SEAL_KEY_SIZE / SHA256_DIGEST_SIZE; i++) {
		uint8_t *piece = key + i * SHA256_DIGEST_SIZE, number[4] = { 0, 0, 0, i };
		struct sha256_ctx ctx;

		sha256_init(&ctx);
		sha256_update(&ctx, sizeof(number), number);
		sha256_update(&ctx, SHA256_DIGEST_SIZE, piece);
		sha256_digest(&ctx, SHA256_DIGEST_SIZE, piece);
	}
}
_Static_assert(SEAL_KEY_SIZE % SHA256_DIGEST_SIZE == 0, "no piece is cut");
_Static_assert(LUKS_AF_SIZE % SECTOR == 0, "no sector is cut");

/* LUKS's anti-forensic splitter: all stripes are needed for the key. */
static void merge(const uint8_t *split, uint8_t ret[SEAL_KEY_SIZE])
{
	memset(ret, 0, SEAL_KEY_SIZE);
	for (size_t i = 0; i < STRIPES; i++) {
		memxor(ret, split + i * SEAL_KEY_SIZE, SEAL_KEY_SIZE);
		if (i < STRIPES - 1)
			diffuse(ret);
	}
}

int luks_slot_open(const struct luks_slots *s, size_t i, const uint8_t *key, size_t key_size,
		   uint8_t split[LUKS_AF_SIZE], uint8_t ret[SEAL_KEY_SIZE])
{
	uint8_t slot_key[LUKS_SLOT_KEY], volume_key[SEAL_KEY_SIZE], sum[sizeof(s->digest.sum)];
	bool right;

	derive(&s->slot[i].kdf, key, key_size, slot_key, sizeof(slot_key));
	decrypt(slot_key, split);
	merge(split, volume_key);
	derive(&s->digest.kdf, volume_key, sizeof(volume_key), sum, sizeof(sum));
	right = memeql_sec(sum, s->digest.sum, sizeof(sum));
	if (right)
		memcpy(ret, volume_key, sizeof(volume_key));
	explicit_bzero(slot_key, sizeof(slot_key));
	explicit_bzero(volume_key, sizeof(volume_key));
	return right ? 0 : -EACCES;
}
