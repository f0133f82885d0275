/* SPDX-License-Identifier: MIT */
/*
 * chan.h - bytes going one way between two descriptors, with back-pressure.
 *
 * Theory of operation
 *
 * What is readable at src goes into a ring, and from there at once to dst, as
 * much as it takes. The rest waits for dst to become writable; with a full
 * ring src is not asked any more. src does not block. dst does not either, or
 * it is marked shared: then each write is small and comes after a poll.
 * chan_drain() starts the end: what is there is still delivered, up to a
 * limit, and an empty src then counts as ended.
 */
#ifndef PTY_CHAN_H
#define PTY_CHAN_H

#include <stdbool.h>

#include "loop.h"
#include "ring.h"

struct chan {
	struct loop *loop;        /* borrowed */
	struct loop_src src, dst; /* descriptors owned, -1: closed */
	struct ring ring;
	void (*broken)(struct chan *c); /* writing failed; it calls chan_break() at least */
	void *arg;
	size_t left; /* may still be read; SIZE_MAX until chan_drain() */
	bool on;     /* may read now */
	bool eof;    /* nothing more will be read */
	bool draining;
	bool dst_shared; /* its file description is not ours alone: O_NONBLOCK is not ours to set */
	bool dst_close;  /* close dst once all was delivered after the end of src */
};

/* Descriptors are set afterwards; src.fn may be replaced before chan_start(). */
void chan_init(struct chan *c, struct loop *l, void (*broken)(struct chan *c), void *arg);
void chan_fini(struct chan *c);

/* dst becomes what the user gave us as @fd: opened again if possible, else shared. */
int chan_own_dst(struct chan *c, int fd) _must_check_;

/* Begin, paused if !on; a channel that lacks a descriptor has ended at once. */
int chan_start(struct chan *c, bool on) _must_check_;

/* Note what it waits for; after each change of on, eof or the ring. */
void chan_update(struct chan *c);
void chan_flush(struct chan *c);
void chan_drain(struct chan *c, size_t limit);
/* Drop what is held and close both ends. */
void chan_break(struct chan *c);

static inline bool chan_done(const struct chan *c)
{
	return c->eof && !c->ring.len;
}

#endif
