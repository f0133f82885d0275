/* SPDX-License-Identifier: MIT */
/*
 * archive.h - the files of an image archive (or of a layout directory) by name.
 *
 * Theory of operation
 *
 * A tar file is read once, header by header, passing over the payloads; what
 * is kept is where each file lies. If the whole of it is compressed, it is
 * first decompressed into an unnamed temporary file, which is gone when we
 * are. Names are looked up among the archive's own members; links, which
 * "docker save" writes for layers that repeat, are followed among them. No
 * name of an archive ever reaches the file system. A layout directory's
 * names do, by openat2(RESOLVE_BENEATH) without links.
 */
#ifndef IMAGE_ARCHIVE_H
#define IMAGE_ARCHIVE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "src.h"

struct archive;

/*
 * archive_open() - Open @fd (which becomes the archive's) as one.
 *
 * @tmpfd: a directory for the temporary file.
 * Return: 0; -EPROTO not a tar, -ENODATA truncated, -E2BIG too many members, another -errno.
 */
int archive_open(int fd, int tmpfd, struct archive **ret, struct err *e) _must_check_;
void archive_free(struct archive *a);
static inline void archive_freep(struct archive **a)
{
	archive_free(*a);
}
#define _cleanup_archive_ _cleanup_(archive_freep)

/* Where the file @name lies; valid until archive_free(). -ENOENT none, -ELOOP links without end. */
int archive_find(struct archive *a, const char *name, struct src_range *ret) _must_check_;

/* All of the file @name, NUL-terminated, the caller's to free; -EFBIG over @max bytes. */
int archive_read(struct archive *a, const char *name, size_t max, char **ret, size_t *ret_len,
		 struct err *e) _must_check_;

/* It has directories like those below "/". */
bool archive_looks_like_root(const struct archive *a);

#endif
