/* SPDX-License-Identifier: MIT */
/* image_maker.h - tar files and image archives for tests, right ones and wrong ones. */
#ifndef TEST_IMAGE_MAKER_H
#define TEST_IMAGE_MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "compiler.h"
#include "digest.h"

struct bytes {
	uint8_t *p;
	size_t len;
};

static _unused_ void bytes_add(struct bytes *b, const void *p, size_t len)
{
	b->p = realloc(b->p, b->len + len + 1);
	if (!b->p)
		abort();
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = 0;
}

static _unused_ void bytes_text(struct bytes *b, const char *text)
{
	bytes_add(b, text, strlen(text));
}

static _unused_ void bytes_zero(struct bytes *b, size_t len)
{
	static const uint8_t zeros[1024];

	for (; len; len -= len < sizeof(zeros) ? len : sizeof(zeros))
		bytes_add(b, zeros, len < sizeof(zeros) ? len : sizeof(zeros));
}

static _unused_ void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}

/* One entry; zero fields take what is usual. */
struct tent {
	const char *path;
	char type; /* 0: a file */
	const char *link;
	const char *data;
	size_t size; /* 0: strlen(data) */
	unsigned int mode, uid, gid;
	long mtime;
	unsigned int major, minor;
	const char *pax; /* "KEY=VALUE", one record before it */
};

static _unused_ void tar_checksum(uint8_t *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	(void)snprintf((char *)h + 148, 8, "%06o", sum & 0777777U);
}

static _unused_ void tar_header(struct bytes *b, const struct tent *t, size_t size)
{
	char h[512] = { 0 };

	(void)strncpy(h, t->path, 100);
	(void)snprintf(h + 100, 8, "%07o",
		       (t->mode          ? t->mode
			: t->type == '5' ? 0755U
					 : 0644U) &
			       07777U);
	(void)snprintf(h + 108, 8, "%07o", t->uid & 07777777U);
	(void)snprintf(h + 116, 8, "%07o", t->gid & 07777777U);
	(void)snprintf(h + 124, 12, "%011zo", size);
	(void)snprintf(h + 136, 12, "%011lo", t->mtime);
	h[156] = t->type ? t->type : '0';
	if (t->link)
		(void)strncpy(h + 157, t->link, 100);
	memcpy(h + 257, "ustar\00000", 8);
	(void)snprintf(h + 329, 8, "%07o", t->major & 07777777U);
	(void)snprintf(h + 337, 8, "%07o", t->minor & 07777777U);
	tar_checksum((uint8_t *)h);
	bytes_add(b, h, sizeof(h));
}

static _unused_ void tar_payload(struct bytes *b, const void *data, size_t size)
{
	bytes_add(b, data, size);
	bytes_zero(b, -size % 512);
}

/* A member whose payload is given as it is: extended headers, right and wrong. */
static _unused_ void tar_raw(struct bytes *b, char type, const void *data, size_t size)
{
	tar_header(b, &(struct tent){ .path = "raw", .type = type }, size);
	tar_payload(b, data, size);
}

/* A pax header with one record. */
static _unused_ void tar_pax(struct bytes *b, const char *key, const void *value, size_t len)
{
	size_t body = strlen(key) + len + 3, size = body + 1;
	struct bytes rec = { 0 };
	char digits[24];

	while (body + (size_t)snprintf(digits, sizeof(digits), "%zu", size) != size)
		size++;
	bytes_add(&rec, digits, strlen(digits));
	bytes_add(&rec, " ", 1);
	bytes_add(&rec, key, strlen(key));
	bytes_add(&rec, "=", 1);
	bytes_add(&rec, value, len);
	bytes_add(&rec, "\n", 1);
	tar_raw(b, 'x', rec.p, rec.len);
	bytes_free(&rec);
}

static _unused_ void tar_add(struct bytes *b, const struct tent *t)
{
	size_t size = t->size ? t->size : t->data ? strlen(t->data) : 0;

	if (t->pax) {
		const char *eq = strchr(t->pax, '=');
		char key[64];

		(void)snprintf(key, sizeof(key), "%.*s", (int)(eq - t->pax), t->pax);
		tar_pax(b, key, eq + 1, strlen(eq + 1));
	}
	tar_header(b, t, size);
	if (t->data)
		tar_payload(b, t->data, size);
}

static _unused_ void tar_end(struct bytes *b)
{
	bytes_zero(b, 1024);
}

static _unused_ struct bytes tar_of(const struct tent *t)
{
	struct bytes b = { 0 };

	for (; t->path; t++)
		tar_add(&b, t);
	tar_end(&b);
	return b;
}

static _unused_ struct bytes gzip_of(const void *data, size_t size)
{
	z_stream z = { 0 };
	struct bytes b = { 0 };

	(void)deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	b.p = malloc(deflateBound(&z, size) + 32);
	z.next_in = (void *)(uintptr_t)data;
	z.avail_in = (unsigned int)size;
	z.next_out = b.p;
	z.avail_out = (unsigned int)(deflateBound(&z, size) + 32);
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	b.len = z.total_out;
	(void)deflateEnd(&z);
	return b;
}

static _unused_ struct bytes zstd_of(const void *data, size_t size)
{
	struct bytes b = { .p = malloc(ZSTD_compressBound(size) + 1) };

	b.len = ZSTD_compress(b.p, ZSTD_compressBound(size), data, size, 3);
	return b;
}

/* A layer as it lies in the archive, and unpacked. */
struct layer {
	struct bytes blob, plain;
};

static _unused_ struct layer layer_of(const struct tent *t,
				      struct bytes (*pack)(const void *, size_t))
{
	struct layer l = { .plain = tar_of(t) };

	if (pack)
		l.blob = pack(l.plain.p, l.plain.len);
	else
		bytes_add(&l.blob, l.plain.p, l.plain.len);
	return l;
}

static _unused_ void layer_free(struct layer *l)
{
	bytes_free(&l->blob);
	bytes_free(&l->plain);
}

/* What to make wrong about an image. */
enum wrong {
	RIGHT,
	WRONG_LAYER,     /* a byte of the last layer's payload */
	WRONG_DIFF_ID,   /* of the last layer */
	WRONG_CONFIG,    /* a byte of the config */
	WRONG_MANIFEST,  /* a byte of the manifest */
	WRONG_SIZE,      /* the last layer's size, in the manifest */
	WRONG_COUNT,     /* fewer diff_ids than layers */
	WRONG_ARCH,      /* in index and config */
	WRONG_ALGORITHM, /* sha512 */
	WRONG_MISSING,   /* the last layer is not there */
	WRONG_ENCRYPTED,
	WRONG_JSON,
	WRONG_SEVERAL /* two images of different names */
};

#if defined(__x86_64__)
#define TEST_ARCH_NAME "amd64"
#else
#define TEST_ARCH_NAME "arm64"
#endif

static _unused_ char *config_of(const struct layer *l, size_t n, enum wrong wrong)
{
	size_t room = 400 + 100 * n, len;
	char *text = malloc(room);
	struct digest d;

	len = (size_t)snprintf(text, room,
			       "{\"os\":\"linux\",\"architecture\":\"%s\",\"rootfs\":{\"type\":"
			       "\"layers\",\"diff_ids\":[",
			       wrong == WRONG_ARCH ? "s390x" : TEST_ARCH_NAME);
	for (size_t i = 0; i < n; i++) {
		if (wrong == WRONG_COUNT && i == n - 1)
			break;
		digest_of(l[i].plain.p, l[i].plain.len, &d);
		if (wrong == WRONG_DIFF_ID && i == n - 1)
			d.hex[5] = d.hex[5] == '0' ? '1' : '0';
		len += (size_t)snprintf(text + len, room - len, "%s\"sha256:%s\"", i ? "," : "",
					d.hex);
	}
	(void)snprintf(text + len, room - len, "]}}");
	return text;
}

static _unused_ void add_blob(struct bytes *tar, const struct bytes *blob, const struct digest *d)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "blobs/sha256/%s", d->hex);
	tar_add(tar, &(struct tent){ .path = name, .data = (char *)blob->p, .size = blob->len });
}

/* Damage after the digest was taken. */
static _unused_ void flip(struct bytes *b, bool yes)
{
	if (yes)
		b->p[b->len / 2] ^= 1;
}

static _unused_ struct bytes manifest_of(const struct layer *l, size_t n,
					 const struct bytes *config, enum wrong wrong)
{
	struct bytes m = { .p = malloc(600 + 200 * n) };
	struct digest d;

	digest_of(config->p, config->len, &d);
	m.len = (size_t)sprintf((char *)m.p,
				"{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\","
				"\"size\":%zu},\"layers\":[",
				d.hex, config->len);
	for (size_t i = 0; i < n; i++) {
		bool last = i == n - 1;

		digest_of(l[i].blob.p, l[i].blob.len, &d);
		m.len += (size_t)sprintf(
			(char *)m.p + m.len,
			"%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar%s\","
			"\"digest\":\"%s:%s\",\"size\":%zu}",
			i ? "," : "", last && wrong == WRONG_ENCRYPTED ? "+encrypted" : "",
			last && wrong == WRONG_ALGORITHM ? "sha512" : "sha256", d.hex,
			l[i].blob.len + (last && wrong == WRONG_SIZE));
	}
	m.len += (size_t)sprintf((char *)m.p + m.len, "]}");
	return m;
}

/* An index of one manifest beside what every builder puts there: another platform, and an attestation. */
static _unused_ struct bytes index_of(const struct bytes *manifest, enum wrong wrong)
{
	const char *arch = wrong == WRONG_ARCH ? "s390x" : TEST_ARCH_NAME;
	struct bytes b = { .p = malloc(2000) };
	struct digest d;

	digest_of(manifest->p, manifest->len, &d);
	b.len = (size_t)sprintf(
		(char *)b.p,
		"{\"schemaVersion\":2,\"manifests\":["
		"{\"digest\":\"sha256:%064d\",\"size\":3,\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"riscv64\"}},"
		"{\"digest\":\"sha256:%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"%s\"},\"annotations\":{\"org.opencontainers.image.ref.name\":"
		"\"one\"}},"
		"{\"digest\":\"sha256:%064d\",\"size\":3,\"platform\":{\"os\":\"unknown\","
		"\"architecture\":\"unknown\"}}",
		1, d.hex, manifest->len, arch, 2);
	if (wrong == WRONG_SEVERAL)
		b.len += (size_t)sprintf((char *)b.p + b.len,
					 ",{\"digest\":\"sha256:%064d\",\"size\":3,\"annotations\":"
					 "{\"org.opencontainers.image.ref.name\":\"two\"}}",
					 3);
	b.len += (size_t)sprintf((char *)b.p + b.len, "]}");
	return b;
}

/* index.json that names the index @inner, as a registry's multi-platform image is saved. */
static _unused_ struct bytes outer_index_of(const struct bytes *inner)
{
	struct bytes b = { .p = malloc(400) };
	struct digest d;

	digest_of(inner->p, inner->len, &d);
	b.len = (size_t)sprintf((char *)b.p,
				"{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index."
				"v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
				d.hex, inner->len);
	return b;
}

/* An OCI layout as a tar. @nested: with an index within the index. Blobs come first and backwards. */
static _unused_ struct bytes oci_image(const struct layer *l, size_t n, enum wrong wrong,
				       bool nested)
{
	struct bytes tar = { 0 }, config = { 0 }, manifest, index, blob;
	struct digest d;
	char *text = config_of(l, n, wrong);

	bytes_add(&config, text, strlen(text));
	free(text);
	manifest = manifest_of(l, n, &config, wrong);
	index = index_of(&manifest, wrong);
	for (size_t i = n; i-- > 0;) {
		blob = (struct bytes){ 0 };
		bytes_add(&blob, l[i].blob.p, l[i].blob.len);
		digest_of(blob.p, blob.len, &d);
		flip(&blob, wrong == WRONG_LAYER && i == n - 1);
		if (!(wrong == WRONG_MISSING && i == n - 1))
			add_blob(&tar, &blob, &d);
		bytes_free(&blob);
	}
	digest_of(config.p, config.len, &d);
	flip(&config, wrong == WRONG_CONFIG);
	add_blob(&tar, &config, &d);
	digest_of(manifest.p, manifest.len, &d);
	flip(&manifest, wrong == WRONG_MANIFEST);
	add_blob(&tar, &manifest, &d);
	if (nested) {
		digest_of(index.p, index.len, &d);
		add_blob(&tar, &index, &d);
		blob = outer_index_of(&index);
		bytes_free(&index);
		index = blob;
	}
	if (wrong == WRONG_JSON)
		index.len--;
	tar_add(&tar, &(struct tent){
			      .path = "./index.json", .data = (char *)index.p, .size = index.len });
	tar_add(&tar, &(struct tent){ .path = "./oci-layout",
				      .data = "{\"imageLayoutVersion\":\"1.0.0\"}" });
	tar_end(&tar);
	bytes_free(&config);
	bytes_free(&manifest);
	bytes_free(&index);
	return tar;
}

/* What docker before 25 saves: HEX.json, N/layer.tar; a layer that equals the one before is a link to it. */
static _unused_ struct bytes docker_image(const struct layer *l, size_t n, enum wrong wrong)
{
	struct bytes tar = { 0 }, list = { 0 }, blob;
	char *config = config_of(l, n, wrong), name[100], link[100];
	struct digest d;

	digest_of(config, strlen(config), &d);
	(void)snprintf(name, sizeof(name), "%s.json", d.hex);
	if (wrong == WRONG_CONFIG)
		config[strlen(config) / 2] ^= 1;
	tar_add(&tar, &(struct tent){ .path = name, .data = config });
	bytes_text(&list, "[{\"Config\":\"");
	bytes_text(&list, name);
	bytes_text(&list, "\",\"RepoTags\":[\"one:1\"],\"Layers\":[");
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%zu/layer.tar", i);
		(void)snprintf(link, sizeof(link), "../%zu/layer.tar", i ? i - 1 : 0);
		bytes_text(&list, i ? ",\"" : "\"");
		bytes_text(&list, name);
		bytes_text(&list, "\"");
		blob = (struct bytes){ 0 };
		bytes_add(&blob, l[i].blob.p, l[i].blob.len);
		flip(&blob, wrong == WRONG_LAYER && i == n - 1);
		if (i && wrong == RIGHT && blob.len == l[i - 1].blob.len &&
		    !memcmp(blob.p, l[i - 1].blob.p, blob.len))
			tar_add(&tar, &(struct tent){ .path = name, .type = '2', .link = link });
		else if (!(wrong == WRONG_MISSING && i == n - 1))
			tar_add(&tar, &(struct tent){ .path = name,
						      .data = (char *)blob.p,
						      .size = blob.len });
		bytes_free(&blob);
	}
	bytes_text(&list, "]}]");
	if (wrong == WRONG_JSON)
		list.p[0] = '{';
	tar_add(&tar, &(struct tent){
			      .path = "manifest.json", .data = (char *)list.p, .size = list.len });
	tar_end(&tar);
	bytes_free(&list);
	free(config);
	return tar;
}

#endif
