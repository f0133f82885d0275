/* SPDX-License-Identifier: MIT */
/* fuse_out.h - the reply to a request, put together in memory of a fixed size. */
#ifndef FUSE_OUT_H
#define FUSE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "cursor.h"

struct fuse_entry_out;

struct fuse_out {
	uint8_t *buf; /* borrowed; page-aligned, for O_DIRECT */
	size_t room;  /* at least FUSE_OUT_MIN */
	size_t size;  /* what the reply has so far, without its header */
};

#define FUSE_OUT_MIN 65536

/* The next @size <= FUSE_OUT_MIN bytes of the reply, zeroed; all structures together fit into FUSE_OUT_MIN. */
void *fuse_out_add(struct fuse_out *o, size_t size);

struct fuse_out_name {
	uint64_t ino, off;
	uint32_t type; /* DT_* */
	struct span name;
};

/* Would the entry fit? @plus: with a fuse_entry_out; @limit: what the request asked for. */
bool fuse_out_fits(const struct fuse_out *o, const struct fuse_out_name *n, bool plus, size_t limit)
	_must_check_;
/* Add an entry that fits; @plus is NULL or goes before it. */
void fuse_out_entry(struct fuse_out *o, const struct fuse_out_name *n,
		    const struct fuse_entry_out *plus);

#endif
