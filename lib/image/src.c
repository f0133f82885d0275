/* SPDX-License-Identifier: MIT */
#include "src.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "cleanup.h"
#include "image_limits.h"

#define BUF_SIZE (256U << 10)

struct src {
	struct src_range range;
	uint64_t done; /* of the range, read */
	uint64_t *budget;
	enum src_format format;
	struct sha256_ctx raw_hash, plain_hash;
	bool ended;  /* the decompressor has given its last byte */
	bool inside; /* a gzip member or zstd frame is open */
	bool full;   /* the last piece filled @out: the decompressor may hold more */
	size_t in_off, in_len;
	z_stream z;
	ZSTD_DStream *zstd;
	uint8_t in[BUF_SIZE];
	uint8_t out[BUF_SIZE];
};

/* What a file begins with; those without a format are known by name only, for the message. */
static const struct magic {
	size_t off;
	const char *bytes;
	size_t size;
	const char *name; /* of a method we do not have, or NULL */
	enum src_format format;
} magics[] = {
	{ 0, "\x1f\x8b", 2, NULL, SRC_GZIP },
	{ 0, "\x28\xb5\x2f\xfd", 4, NULL, SRC_ZSTD },
	{ 4, "1AY&SY", 6, "bzip2", SRC_PLAIN },
	{ 1, "7zXZ", 5, "xz", SRC_PLAIN },
	{ 0, "\x04\x22\x4d\x18", 4, "lz4", SRC_PLAIN },
	{ 0, "PK\x03\x04", 4, "zip", SRC_PLAIN },
};

/* A zstd file may begin with skippable frames (RFC 8878, 3.1.2): parallel compressors put their index there. */
static bool is_skippable_frame(const uint8_t *p, size_t len)
{
	return len >= 4 && (p[0] & 0xf0) == 0x50 && !memcmp(p + 1, "\x2a\x4d\x18", 3);
}

static int detect(struct src *s, struct err *e)
{
	if (is_skippable_frame(s->in, s->in_len))
		s->format = SRC_ZSTD;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];

		if (s->in_len < m->off + m->size || memcmp(s->in + m->off, m->bytes, m->size) != 0)
			continue;
		if (m->name)
			return err_set(
				e, EOPNOTSUPP,
				"it is compressed with %s; gzip, zstd and plain tar are read",
				m->name);
		s->format = m->format;
	}
	return 0;
}

/* Refill @in once it is used up. 0 also at the end of the range, with nothing in it. */
static int refill(struct src *s, struct err *e)
{
	uint64_t left = s->range.size - s->done;
	ssize_t n;

	if (s->in_off < s->in_len || !left)
		return 0;
	do
		n = pread(s->range.fd, s->in, left < BUF_SIZE ? (size_t)left : BUF_SIZE,
			  (off_t)(s->range.off + s->done));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "reading: %s", err_str(errno));
	if (!n)
		return err_set(e, ENODATA, "truncated: %llu bytes are missing at its end",
			       (unsigned long long)left);
	sha256_update(&s->raw_hash, (size_t)n, s->in);
	s->done += (uint64_t)n;
	s->in_off = 0;
	s->in_len = (size_t)n;
	return 0;
}

int src_open(const struct src_range *range, uint64_t *budget, struct src **ret, struct err *e)
{
	_cleanup_src_ struct src *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ENOMEM, "no memory");
	s->range = *range;
	s->budget = budget;
	sha256_init(&s->raw_hash);
	sha256_init(&s->plain_hash);
	r = refill(s, e);
	if (r < 0)
		return r;
	r = detect(s, e);
	if (r < 0)
		return r;
	if (s->format == SRC_GZIP && inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK)
		return err_set(e, ENOMEM, "no memory for zlib");
	if (s->format == SRC_ZSTD) {
		s->zstd = ZSTD_createDStream();
		if (!s->zstd)
			return err_set(e, ENOMEM, "no memory for zstd");
	}
	*ret = take_ptr(s);
	return 0;
}

void src_free(struct src *s)
{
	if (!s)
		return;
	(void)inflateEnd(&s->z); /* a stream that was never begun is an error code, no more */
	(void)ZSTD_freeDStream(s->zstd);
	free(s);
}

enum src_format src_format(const struct src *s)
{
	return s->format;
}

uint64_t src_done(const struct src *s)
{
	return s->done;
}

static int truncated(struct err *e)
{
	return err_set(e, ENODATA, "truncated: the compressed data ends too early");
}

/* After a gzip member: another one, or zeros that fill the last block of a tape. */
static int gzip_between(struct src *s, struct err *e)
{
	const uint8_t *p = s->in + s->in_off;
	size_t left = s->in_len - s->in_off;

	if (!left) {
		s->ended = true;
		return 0;
	}
	if (*p == 0x1f) {
		s->inside = true;
		return inflateReset(&s->z) == Z_OK ? 0 : err_set(e, EPROTO, "damaged gzip data");
	}
	while (left && !*p) {
		p++;
		left--;
	}
	if (left)
		return err_set(e, EPROTO, "bytes that are not gzip follow the gzip data");
	s->in_off = s->in_len;
	return 0;
}

/* Both decoders: use some of @in, put up to BUF_SIZE bytes into @out, and say how many. */
static int gzip_step(struct src *s, size_t *ret, struct err *e)
{
	int r;

	if (!s->inside) {
		r = gzip_between(s, e);
		if (r < 0 || !s->inside)
			return r;
	}
	s->z.next_in = s->in + s->in_off;
	s->z.avail_in = (uInt)(s->in_len - s->in_off);
	s->z.next_out = s->out;
	s->z.avail_out = BUF_SIZE;
	r = inflate(&s->z, Z_NO_FLUSH);
	s->in_off = s->in_len - s->z.avail_in;
	*ret = BUF_SIZE - s->z.avail_out;
	s->full = !s->z.avail_out;
	if (r == Z_STREAM_END) {
		s->inside = s->full = false;
		return 0;
	}
	if (r == Z_BUF_ERROR && s->done == s->range.size && s->in_off == s->in_len)
		return truncated(e);
	if (r != Z_OK && r != Z_BUF_ERROR)
		return err_set(e, r == Z_MEM_ERROR ? ENOMEM : EPROTO, "damaged gzip data: %s",
			       s->z.msg ? s->z.msg : "unknown error");
	return 0;
}

static int zstd_step(struct src *s, size_t *ret, struct err *e)
{
	ZSTD_inBuffer in = { s->in + s->in_off, s->in_len - s->in_off, 0 };
	ZSTD_outBuffer out = { s->out, BUF_SIZE, 0 };
	size_t r;

	if (!in.size && !s->full) {
		if (s->inside)
			return truncated(e);
		s->ended = true;
		return 0;
	}
	r = ZSTD_decompressStream(s->zstd, &out, &in);
	if (ZSTD_isError(r))
		return err_set(e, EPROTO, "damaged zstd data: %s", ZSTD_getErrorName(r));
	s->in_off += in.pos;
	*ret = out.pos;
	s->inside = r != 0;
	s->full = s->inside && out.pos == BUF_SIZE;
	return 0;
}

static int plain_step(struct src *s, struct span *ret)
{
	*ret = (struct span){ (const char *)s->in + s->in_off, s->in_len - s->in_off };
	s->in_off = s->in_len;
	s->ended = !ret->len;
	return 0;
}

/* One step of the format's; its piece may be empty. */
static int step(struct src *s, struct span *ret, struct err *e)
{
	size_t len = 0;
	int r;

	if (!s->full) {
		r = refill(s, e);
		if (r < 0)
			return r;
	}
	if (s->format == SRC_PLAIN)
		return plain_step(s, ret);
	r = s->format == SRC_GZIP ? gzip_step(s, &len, e) : zstd_step(s, &len, e);
	*ret = (struct span){ (const char *)s->out, len };
	return r;
}

int src_read(struct src *s, struct span *ret, struct err *e)
{
	struct span piece = { NULL, 0 };

	/* Each step uses a byte of the range or gives one, or ends; so this does. */
	while (!piece.len) {
		int r;

		if (s->ended)
			return 0;
		r = step(s, &piece, e);
		if (r < 0)
			return r;
	}
	if (piece.len > *s->budget)
		return err_set(e, EFBIG,
			       "it unpacks to far more than an archive of its size should "
			       "hold; refused");
	*s->budget -= piece.len;
	/* Plain bytes have been hashed as the raw ones they are. */
	if (s->format != SRC_PLAIN)
		sha256_update(&s->plain_hash, piece.len, (const uint8_t *)piece.p);
	*ret = piece;
	return 1;
}

static int compare(const struct digest *want, const struct digest *got, const char *what,
		   struct err *e)
{
	if (!want || !want->hex[0] || digest_eq(want, got))
		return 0;
	return err_set(e, EBADMSG, "digest mismatch: %s has sha256:%.12s..., not sha256:%.12s...",
		       what, got->hex, want->hex);
}

int src_finish(struct src *s, const struct digest *raw, const struct digest *plain, struct err *e)
{
	struct digest got_raw, got_plain;
	struct span rest;
	int r;

	while ((r = src_read(s, &rest, e)) > 0)
		;
	if (r < 0)
		return r;
	digest_final(&s->raw_hash, &got_raw);
	digest_final(&s->plain_hash, &got_plain);
	r = compare(raw, &got_raw, "what is there", e);
	if (r < 0)
		return r;
	return compare(plain, s->format == SRC_PLAIN ? &got_raw : &got_plain, "what it unpacks to",
		       e);
}
