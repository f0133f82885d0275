/* SPDX-License-Identifier: MIT */
/* luks_parse.c - what a LUKS2 header says. Bytes in, a structure out; no I/O. */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "json.h"
#include "luks.h"
#include "luks_hdr.h"
#include "nettle/sha2.h"

bool luks_hdr_sane(const struct luks_hdr *h)
{
	uint64_t size = luks_be64(h->hdr_size);

	/* The specification's sizes: 16 KiB to 4 MiB, powers of two. */
	return size >= 16384 && size <= LUKS_HEADER_MAX && !(size & (size - 1));
}

void luks_hdr_checksum(const void *hdr, size_t size, uint8_t ret[SHA256_DIGEST_SIZE])
{
	static const uint8_t zeros[sizeof(((struct luks_hdr *)0)->csum)];
	const uint8_t *p = hdr;
	size_t at = offsetof(struct luks_hdr, csum), after = at + sizeof(zeros);
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, at, p);
	sha256_update(&ctx, sizeof(zeros), zeros);
	sha256_update(&ctx, size - after, p + after);
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, ret);
}

int luks_want(const void *buf, size_t size, size_t *ret)
{
	struct luks_hdr h;

	if (size < sizeof(h))
		return -ENOENT;
	memcpy(&h, buf, sizeof(h));
	if (memcmp(h.magic, LUKS_MAGIC, sizeof(h.magic)) != 0 || luks_be16(h.version) != 2)
		return -ENOENT;
	*ret = luks_hdr_sane(&h) ? (size_t)luks_be64(h.hdr_size) : sizeof(h);
	return 0;
}

/* A decimal number in a string, as LUKS2 writes what may need 64 bits. */
static int json_u64(struct json_object *o, const char *key, uint64_t *ret)
{
	const char *text = json_str(o, key);

	return text ? span_u64((struct span){ text, strlen(text) }, 10, ret) : -ENOENT;
}

static void copy_name(char *dst, size_t size, const char *src)
{
	size_t len = src ? strnlen(src, size - 1) : 0;

	if (len)
		memcpy(dst, src, len);
	dst[len] = '\0';
}

static int read_segment(struct json_object *seg, struct luks *l, struct err *e)
{
	const char *type = json_str(seg, "type"), *size = json_str(seg, "size");
	int64_t sector = 0;

	if (!type || strcmp(type, "crypt") != 0)
		return err_set(e, EOPNOTSUPP, "its data is of the kind '%.40s'", type ? type : "");
	if (!size || json_u64(seg, "offset", &l->offset) < 0 ||
	    json_int(seg, "sector_size", &sector) < 0)
		return err_set(e, EPROTO, "its data segment is not complete");
	l->dynamic = !strcmp(size, "dynamic");
	if (!l->dynamic && json_u64(seg, "size", &l->size) < 0)
		return err_set(e, EPROTO, "its data segment has no size");
	if (sector < 512 || sector > 4096 || (sector & (sector - 1)))
		return err_set(e, EPROTO, "its sectors cannot have %lld bytes", (long long)sector);
	l->sector_size = (uint32_t)sector;
	copy_name(l->cipher, sizeof(l->cipher), json_str(seg, "encryption"));
	copy_name(l->integrity, sizeof(l->integrity), json_str(seg, "integrity.type"));
	return 0;
}

static int read_metadata(struct json_object *o, struct luks *l, struct err *e)
{
	struct json_object *segments = json_get(o, "segments"), *slots = json_get(o, "keyslots");

	if (!json_object_is_type(segments, json_type_object) ||
	    !json_object_is_type(slots, json_type_object))
		return err_set(e, EPROTO, "its metadata has no segments or no key slots");
	if (json_object_object_length(segments) != 1)
		return err_set(e, EOPNOTSUPP, "it has %d data segments",
			       json_object_object_length(segments));
	json_object_object_foreach(slots, name, slot)
	{
		(void)name;
		if (!l->keyslots++)
			copy_name(l->kdf, sizeof(l->kdf), json_str(slot, "kdf.type"));
	}
	return read_segment(json_get(segments, "0"), l, e);
}

int luks_json(const void *buf, size_t size, struct json_object **ret, struct err *e)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct luks_hdr h;
	const char *json;
	size_t want;
	int r = luks_want(buf, size, &want);

	if (r < 0)
		return err_set(e, -r, "no LUKS2 header");
	memcpy(&h, buf, sizeof(h));
	if (!luks_hdr_sane(&h))
		return err_set(e, EPROTO, "its LUKS2 header has an impossible size");
	if (size < want)
		return err_set(e, ENODATA, "its LUKS2 header is cut short");
	/* Another hash would be allowed; nobody writes one. */
	luks_hdr_checksum(buf, want, sum);
	if (memcmp(sum, h.csum, sizeof(sum)) != 0)
		return err_set(e, EPROTO, "the checksum of its LUKS2 header is wrong");
	json = (const char *)buf + sizeof(h);
	r = json_parse(json, strnlen(json, want - sizeof(h)), ret, e);
	return r < 0 ? err_wrap(e, r, "its LUKS2 metadata") : 0;
}

int luks_parse(const void *buf, size_t size, struct luks *ret, struct err *e)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct luks l = { 0 };
	struct luks_hdr h;
	int r = luks_json(buf, size, &o, e);

	if (r < 0)
		return r;
	memcpy(&h, buf, sizeof(h));
	l.hdr_size = (uint32_t)luks_be64(h.hdr_size);
	l.seqid = luks_be64(h.seqid);
	copy_name(l.uuid, sizeof(l.uuid), h.uuid);
	copy_name(l.label, sizeof(l.label), h.label);
	r = read_metadata(o, &l, e);
	if (!r)
		*ret = l;
	return r;
}
