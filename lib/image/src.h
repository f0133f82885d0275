/* SPDX-License-Identifier: MIT */
/*
 * src.h - the bytes of a blob: a range of a descriptor, decompressed and hashed on the way.
 *
 * Theory of operation
 *
 * src_open() looks at the first bytes to see whether they are gzip or zstd;
 * what a media type says is not asked. src_read() gives the plain bytes piece
 * by piece, out of a buffer of the source's own. Both sides of the
 * decompressor are hashed. src_finish() reads what is left, so that checksums
 * of the compression and both digests cover all of the blob, and compares.
 *
 * The descriptor is read with pread(), so several sources can share one.
 */
#ifndef IMAGE_SRC_H
#define IMAGE_SRC_H

#include <stdbool.h>
#include <stdint.h>

#include "cursor.h"
#include "digest.h"
#include "err.h"

enum src_format {
	SRC_PLAIN,
	SRC_GZIP,
	SRC_ZSTD
};

struct src;

/* Where the bytes are. */
struct src_range {
	int fd; /* borrowed; must be able to pread() */
	uint64_t off, size;
};

/*
 * src_open() - A source of the plain bytes in @range, to be released by src_free().
 *
 * @budget: plain bytes that may still come, of this source and of others that
 *	    share it; counts down. Must outlive the source.
 * Return: 0; -EOPNOTSUPP compressed by a method we do not have; another -errno.
 */
int src_open(const struct src_range *range, uint64_t *budget, struct src **ret, struct err *e)
	_must_check_;
void src_free(struct src *s);
static inline void src_freep(struct src **s)
{
	src_free(*s);
}
#define _cleanup_src_ _cleanup_(src_freep)

enum src_format src_format(const struct src *s);

/*
 * src_read() - The next plain bytes; @ret is valid until the next call.
 *
 * Return: 1 some (never an empty span); 0 the end; -ENODATA truncated, -EPROTO
 *	   damaged, -EFBIG more than the budget, another -errno.
 */
int src_read(struct src *s, struct span *ret, struct err *e) _must_check_;

/* Bytes of the range that were read so far: for progress. */
uint64_t src_done(const struct src *s);

/* Read to the end and compare; NULL or an empty digest is not compared. -EBADMSG: another digest. */
int src_finish(struct src *s, const struct digest *raw, const struct digest *plain, struct err *e)
	_must_check_;

#endif
