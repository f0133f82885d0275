/* SPDX-License-Identifier: MIT */
#include "luks.h"

#include <errno.h>
#include <inttypes.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "crypt_dev.h"
#include "io.h"
#include "json.h"
#include "luks_hdr.h"
#include "luks_slots.h"

#define CIPHER      "aes"
#define CIPHER_MODE "xts-plain64"
/* libcryptsetup's least; what goes in has 256 bits already. */
#define ITERATIONS 1000
/* One copy of it, as luks_format() makes it. */
#define HEADER_SIZE 16384

static int make_header(struct crypt_device *cd, const uint8_t *key, size_t key_size,
		       const uint8_t volume_key[SEAL_KEY_SIZE], struct err *e)
{
	static const struct crypt_pbkdf_type kdf = { .type = CRYPT_KDF_PBKDF2,
						     .hash = "sha256",
						     .iterations = ITERATIONS,
						     .flags = CRYPT_PBKDF_NO_BENCHMARK };
	struct crypt_params_luks2 params = { .sector_size = SEAL_BLOCK };
	int r = crypt_set_pbkdf_type(cd, &kdf);

	if (!r)
		r = crypt_set_data_offset(cd, LUKS_DATA_OFFSET / 512);
	if (!r)
		r = crypt_format(cd, CRYPT_LUKS2, CIPHER, CIPHER_MODE, NULL, NULL, SEAL_CIPHER_KEY,
				 &params);
	if (r < 0)
		return crypt_dev_failed(r, "writing the LUKS2 header", e);
	/* Its own volume key is of no use: its size is that of a disk without tags. */
	r = crypt_keyslot_add_by_key(cd, CRYPT_ANY_SLOT, (const char *)volume_key, SEAL_KEY_SIZE,
				     (const char *)key, key_size, CRYPT_VOLUME_KEY_NO_SEGMENT);
	return r < 0 ? crypt_dev_failed(r, "writing the key slot", e) : 0;
}

static struct json_object *make_segment(void)
{
	struct json_object *seg = json_object_new_object(), *in = json_object_new_object();
	char offset[24];

	(void)snprintf(offset, sizeof(offset), "%" PRIu64, (uint64_t)LUKS_DATA_OFFSET);
	json_add_str(seg, "type", "crypt");
	json_add_str(seg, "offset", offset);
	json_add_str(seg, "size", "dynamic");
	json_add_str(seg, "iv_tweak", "0");
	json_add_str(seg, "encryption", CIPHER "-" CIPHER_MODE);
	json_add_int(seg, "sector_size", SEAL_BLOCK);
	json_add_str(in, "type", SEAL_INTEGRITY);
	json_add_str(in, "journal_encryption", "none");
	json_add_str(in, "journal_integrity", "none");
	(void)json_object_object_add(seg, "integrity", in);
	return seg;
}

/* The slot's key, and no other, is that of the one segment, which has tags. */
static int edit_metadata(struct json_object *o)
{
	struct json_object *digests = json_get(o, "digests"), *segments = json_get(o, "segments");
	struct json_object *ids = json_object_new_array(), *ours = NULL;

	(void)json_object_array_add(ids, json_object_new_string("0"));
	json_object_object_foreach(digests, name, digest)
	{
		(void)name;
		if (json_len(json_get(digest, "keyslots")) == 1)
			ours = digest;
	}
	if (!ours || !segments) {
		json_object_put(ids);
		return -EPROTO;
	}
	(void)json_object_object_add(ours, "segments", ids);
	ours = json_object_get(ours);
	json_object_object_del(o, "digests");
	digests = json_object_new_object();
	(void)json_object_object_add(digests, "0", ours);
	(void)json_object_object_add(o, "digests", digests);
	(void)json_object_object_add(segments, "0", make_segment());
	return 0;
}

static int write_copy(int fd, uint8_t *copy, size_t size, uint64_t off, const char *json)
{
	struct luks_hdr *h = (struct luks_hdr *)copy;
	size_t room = size - sizeof(*h), len = strlen(json);

	if (len >= room)
		return -ENOSPC;
	memset(copy + sizeof(*h), 0, room);
	memcpy(copy + sizeof(*h), json, len);
	memset(h->csum, 0, sizeof(h->csum));
	luks_hdr_checksum(copy, size, h->csum);
	return pwrite(fd, copy, size, (off_t)off) == (ssize_t)size ? 0 : -EIO;
}

static int edit_header(int fd, struct err *e)
{
	_cleanup_free_ uint8_t *both = malloc(2 * (size_t)LUKS_HEADER_MAX);
	_cleanup_json_ struct json_object *o = NULL;
	const char *json;
	size_t size;
	int r;

	if (!both)
		return err_set(e, ENOMEM, "no memory");
	if (pread(fd, both, 2 * (size_t)LUKS_HEADER_MAX, 0) <
		    2 * (ssize_t)sizeof(struct luks_hdr) ||
	    luks_want(both, sizeof(struct luks_hdr), &size) < 0)
		return err_set(e, EIO, "the LUKS2 header cannot be read back");
	json = (const char *)both + sizeof(struct luks_hdr);
	r = json_parse(json, strnlen(json, size - sizeof(struct luks_hdr)), &o, e);
	if (!r)
		r = edit_metadata(o);
	if (!r) {
		json = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE);
		r = write_copy(fd, both, size, 0, json);
	}
	if (!r)
		r = write_copy(fd, both + size, size, size, json);
	return r < 0 ? err_set(e, -r, "the LUKS2 header cannot be completed: %s", err_str(r)) : 0;
}

int luks_format(int fd, const uint8_t *key, size_t key_size,
		const uint8_t volume_key[SEAL_KEY_SIZE], struct err *e)
{
	_cleanup_crypt_dev_ struct crypt_device *cd = NULL;
	int r = crypt_dev_open(fd, &cd, e);

	if (!r)
		r = make_header(cd, key, key_size, volume_key, e);
	return r < 0 ? r : edit_header(fd, e);
}

/* 0; -EACCES: @key opens none; -EOPNOTSUPP, or what is wrong with the header: libcryptsetup may know better. */
static int unlock_fast(int fd, const uint8_t *key, size_t key_size, uint8_t ret[SEAL_KEY_SIZE])
{
	_cleanup_free_ uint8_t *buf = malloc(HEADER_SIZE), *split = malloc(LUKS_AF_SIZE);
	ssize_t got = buf ? pread(fd, buf, HEADER_SIZE, 0) : -1;
	struct luks_slots s;
	struct err why = { 0 };
	int r;

	if (got < 0 || !split)
		return -ENOMEM;
	r = luks_slots_parse(buf, (size_t)got, &s, &why);
	if (r < 0)
		return r;
	r = -EACCES;
	for (size_t i = 0; r == -EACCES && i < s.n; i++) {
		if (pread(fd, split, LUKS_AF_SIZE, (off_t)s.slot[i].area) != LUKS_AF_SIZE)
			return -EIO;
		r = luks_slot_open(&s, i, key, key_size, split, ret);
		explicit_bzero(split, LUKS_AF_SIZE);
	}
	return r;
}

static int unlock_any(int fd, const uint8_t *key, size_t key_size, uint8_t ret[SEAL_KEY_SIZE],
		      struct err *e)
{
	_cleanup_crypt_dev_ struct crypt_device *cd = NULL;
	size_t size = SEAL_KEY_SIZE;
	int r = crypt_dev_open(fd, &cd, e);

	if (r < 0)
		return r;
	r = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (r < 0)
		return crypt_dev_failed(r, "reading the LUKS2 header", e);
	if (crypt_get_volume_key_size(cd) != SEAL_KEY_SIZE ||
	    strcmp(crypt_get_cipher(cd), CIPHER) != 0 ||
	    strcmp(crypt_get_cipher_mode(cd), CIPHER_MODE) != 0)
		return err_set(e, EOPNOTSUPP,
			       "it is not encrypted with " CIPHER "-" CIPHER_MODE
			       " and " SEAL_INTEGRITY);
	r = crypt_volume_key_get(cd, CRYPT_ANY_SLOT, (char *)ret, &size, (const char *)key,
				 key_size);
	if (r == -EPERM)
		return err_set(e, EACCES, "the key opens none of its key slots");
	return r < 0 ? crypt_dev_failed(r, "opening a key slot", e) : 0;
}

int luks_unlock(int fd, const uint8_t *key, size_t key_size, uint8_t ret[SEAL_KEY_SIZE],
		struct err *e)
{
	int r = unlock_fast(fd, key, key_size, ret);

	if (r == -EACCES)
		return err_set(e, EACCES, "the key opens none of its key slots");
	return r < 0 ? unlock_any(fd, key, key_size, ret, e) : 0;
}
