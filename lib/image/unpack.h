/* SPDX-License-Identifier: MIT */
/*
 * unpack.h - layers laid one over the other in a directory, as their whiteouts say.
 *
 * Theory of operation
 *
 *	unpack_new(rootfd, ...)			an empty directory of ours
 *	unpack_begin_layer(), _feed(), _end_layer()	for each layer, from the lowest up
 *	unpack_finish()				directories get their attributes
 *
 * A layer is taken as hostile. Paths go through tree.h, so nothing is made,
 * linked, changed or removed outside the root. A file is always created new
 * (O_EXCL) after whatever had its name was removed: nothing is written through
 * a link, and no two layers' files share an inode unless a hard link says so.
 * Entries, bytes, depth and the memory for directories are bounded (image_limits.h;
 * the bytes by the sources' budget).
 *
 * Refused: ".." in a name, hard links to what is not in the tree, sparse files,
 * types that tar does not know. Skipped and counted: device nodes, owners and
 * attributes that this caller may not make.
 */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include "attrs.h"
#include "err.h"

struct unpack_stats {
	uint64_t entries, bytes; /* seen in all layers; of files' contents */
	uint64_t devices_skipped;
	struct attrs_skipped skipped;
};

struct unpack;

/* @rootfd must outlive it and be empty. @max_entries: 0 for UNPACK_ENTRIES_MAX. */
int unpack_new(int rootfd, uint64_t max_entries, struct unpack **ret, struct err *e) _must_check_;
void unpack_free(struct unpack *u);
static inline void unpack_freep(struct unpack **u)
{
	unpack_free(*u);
}
#define _cleanup_unpack_ _cleanup_(unpack_freep)

/*
 * unpack_begin_layer() - A new layer comes; the one before must be complete.
 * unpack_feed() - Its next bytes, after decompression, in pieces of any size.
 * unpack_end_layer() - There are no more.
 *
 * After an error the tree is half made, and @u good for unpack_free() only.
 */
void unpack_begin_layer(struct unpack *u);
int unpack_feed(struct unpack *u, struct span bytes, struct err *e) _must_check_;
int unpack_end_layer(struct unpack *u, struct err *e) _must_check_;

/* Give directories their attributes. Nothing may be unpacked after it. */
int unpack_finish(struct unpack *u, struct err *e) _must_check_;

const struct unpack_stats *unpack_stats(const struct unpack *u);

#endif
