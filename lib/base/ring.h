/* SPDX-License-Identifier: MIT */
/*
 * ring.h - bytes on their way from one descriptor to another.
 *
 * A fixed buffer between a reader and a writer of different speed. When it runs
 * empty it starts at its beginning again, so that a relay that keeps up touches
 * the same few cache lines. One thread.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

struct ring {
	uint8_t *buf; /* owned */
	size_t size;
	size_t start; /* offset of the oldest byte */
	size_t len;   /* bytes held */
};

int ring_init(struct ring *r, size_t size) _must_check_;
void ring_fini(struct ring *r);

static inline size_t ring_room(const struct ring *r)
{
	return r->size - r->len;
}

static inline void ring_clear(struct ring *r)
{
	r->start = r->len = 0;
}

/*
 * ring_fill() - One read of up to @max bytes from @fd into the room there is.
 * ring_drain() - One write of up to @max of the bytes held to @fd.
 *
 * Neither is called with nothing to do (no room, nothing held, @max of 0).
 * Return: the number of bytes moved, 0 at the end of @fd's file; -errno, with
 *	   EINTR handled.
 */
ssize_t ring_fill(struct ring *r, int fd, size_t max) _must_check_;
ssize_t ring_drain(struct ring *r, int fd, size_t max) _must_check_;

/* Append one byte, or @len; -ENOSPC without room, and nothing is. */
int ring_put(struct ring *r, uint8_t byte) _must_check_;
int ring_add(struct ring *r, const void *data, size_t len) _must_check_;
/* Take up to @max of the bytes held into @buf. Return: how many. */
size_t ring_take(struct ring *r, void *buf, size_t max);

#endif
