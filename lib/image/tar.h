/* SPDX-License-Identifier: MIT */
/*
 * tar.h - what a tar stream says: bytes in, entries and their payload out. No I/O.
 *
 * Theory of operation
 *
 * The caller brings bytes in pieces of any size, and asks tar_next() until it
 * wants more:
 *
 *	while (there are bytes) {
 *		struct cursor in = cur_of(bytes, size);
 *
 *		while ((r = tar_next(t, &in, &data)) > 0)
 *			...	TAR_ENTRY: t->entry is complete
 *				TAR_DATA: @data is the next piece of its payload
 *				TAR_END: the archive is over, the rest is not ours
 *	}
 *	r = tar_finish(t);
 *
 * Read are ustar, GNU (long names and links, base-256 numbers), pax extended
 * headers (path, linkpath, size, uid, gid, mtime, SCHILY.xattr.*) and the
 * plain seventh edition. Global pax headers are skipped. Sparse files are
 * refused: no image tool writes them, and a wrong guess makes wrong files.
 *
 * The events do not depend on how the bytes were cut into pieces.
 */
#ifndef IMAGE_TAR_H
#define IMAGE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cursor.h"
#include "image_limits.h"

#define TAR_BLOCK 512

enum tar_kind {
	TAR_FILE,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR,
	TAR_BLOCKDEV,
	TAR_DIR,
	TAR_FIFO
};

/* Copy a path of one such array to another. */
static inline void tar_path_copy(char dst[TAR_PATH_MAX], const char *src)
{
	size_t len = strnlen(src, TAR_PATH_MAX - 1);

	memcpy(dst, src, len);
	dst[len] = '\0';
}

struct tar_xattr {
	const char *name; /* NUL-terminated */
	struct span value;
};

/* Paths are NUL-terminated and as the archive has them: "..", leading and double slashes are not judged here. */
struct tar_entry {
	enum tar_kind kind;
	char path[TAR_PATH_MAX]; /* not empty; a directory's slashes at the end are gone */
	char link[TAR_PATH_MAX]; /* of links, not empty */
	uint64_t size;           /* payload to come; 0 for all but files */
	uint32_t mode;           /* permissions, 07777 */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t mtime_s;
	uint32_t mtime_ns;
	size_t nxattrs;
	struct tar_xattr xattr[TAR_XATTRS_MAX]; /* borrowed from the parser until its next entry */
};

enum tar_event {
	TAR_MORE, /* wants more bytes */
	TAR_ENTRY,
	TAR_DATA,
	TAR_END
};

/* One extended header's findings; they override the header that follows. */
struct tar_over {
	bool has_path, has_link, has_size, has_uid, has_gid, has_mtime;
	uint64_t size;
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	char path[TAR_PATH_MAX], link[TAR_PATH_MAX];
};

struct tar {
	enum {
		TAR_AT_HEADER,
		TAR_AT_META,
		TAR_AT_DATA,
		TAR_AT_END,
		TAR_BROKEN
	} state;
	uint64_t off;     /* bytes consumed: where in the stream an error is */
	const char *why;  /* static: what was wrong; NULL if nothing */
	bool zero_seen;   /* the first of the two blocks that end an archive */
	unsigned int run; /* meta headers since the last entry */
	bool pax_seen;
	char meta_type; /* of the header whose payload is being collected */
	char *meta;     /* where to: @pax_buf, @name_buf; NULL to nowhere */
	size_t meta_len;
	uint64_t left; /* payload bytes to come */
	size_t pad;    /* and what fills their last block */
	size_t have;   /* bytes in @block */
	struct tar_over gnu, pax;
	struct tar_entry entry;
	char *pax_buf; /* TAR_META_MAX + 1 bytes, taken when first needed; the entry's attributes lie in it */
	char name_buf[TAR_PATH_MAX + 1];
	uint8_t block[TAR_BLOCK];
};

/* About 30 KiB: for the heap, or a frame that knows it. */
void tar_init(struct tar *t);
void tar_fini(struct tar *t);
#define _cleanup_tar_ _cleanup_(tar_fini)

/*
 * tar_next() - The next event in @in, whose cursor moves.
 *
 * Return: an enum tar_event; -EPROTO malformed, -EOPNOTSUPP sparse or of an
 *	   unknown type, -ENAMETOOLONG, -E2BIG over a limit, -ENOMEM; @t->why
 *	   says more. After an error the parser stays broken.
 */
int tar_next(struct tar *t, struct cursor *in, struct span *ret_data) _must_check_;

/* Payload (and its filling) that a caller with a seekable source may pass over, and that it did. */
uint64_t tar_skippable(const struct tar *t);
void tar_skipped(struct tar *t, uint64_t size);

/* The stream is over. 0; -ENODATA if it ended within a header or a payload. A missing end mark is forgiven. */
int tar_finish(struct tar *t) _must_check_;

#endif
