/* SPDX-License-Identifier: MIT */
/*
 * unpack.h - an archive (lib/wire/cpio.h) becomes a tree.
 *
 * Directories, regular files, hard and symbolic links, with owners, modes and times; other entries are left out:
 * the view's /dev is another. No entry leaves the tree: there are no ".." in names, and no symbolic link
 * is followed to the place of one.
 */
#ifndef STAGE2_UNPACK_H
#define STAGE2_UNPACK_H

#include <stddef.h>

#include "err.h"

struct unpack;

/* @root: the tree's, borrowed. NULL without memory. */
struct unpack *unpack_new(int root) _must_check_;
void unpack_free(struct unpack *u);

int unpack_feed(struct unpack *u, const void *data, size_t size, struct err *e) _must_check_;
/* Nothing more comes. */
int unpack_end(struct unpack *u, struct err *e) _must_check_;

#endif
