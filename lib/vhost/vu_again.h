/* SPDX-License-Identifier: MIT */
/*
 * vu_again.h - does a back end that comes again reply as the first one did?
 *
 * Theory of operation
 *
 * What the first back end replied is kept in two parts: what it said before the queues were enabled, and to
 * that. A later one is told the same, and must reply the same, byte for byte, in whatever pieces it
 * comes. Between the two parts it is the front end's turn, which enables the queues.
 *
 * No I/O, no allocation: the library OS's kernel shares this file.
 */
#ifndef VHOST_VU_AGAIN_H
#define VHOST_VU_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define VU_WORDS_MAX 1024

struct vu_words {
	uint8_t data[VU_WORDS_MAX];
	uint32_t len;
};

struct vu_again {
	struct vu_words told, told_last; /* before the queues were enabled, and to that */
	uint32_t heard;                  /* of both, in a row */
};

/* -ENOSPC: there is no room for it, and nothing was added. */
int vu_words_add(struct vu_words *w, const void *data, size_t len) _must_check_;

/* How much may be heard before it is the front end's turn, or all is said. */
size_t vu_again_wants(const struct vu_again *a);
/* More than that, or something else than the first one said: -EPROTO. */
int vu_again_hear(struct vu_again *a, const void *data, size_t len) _must_check_;

/* The queues are to be enabled now. */
static inline bool vu_again_turn(const struct vu_again *a)
{
	return a->heard == a->told.len;
}

static inline bool vu_again_done(const struct vu_again *a)
{
	return a->heard == a->told.len + a->told_last.len;
}

#endif
