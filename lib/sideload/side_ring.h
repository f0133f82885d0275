/* SPDX-License-Identifier: MIT */
/*
 * side_ring.h - messages one way through memory that the other side may write to at any time.
 *
 * Theory of operation
 *
 * A ring has one writer and one reader. Each keeps its own position in memory
 * that the other can't reach, publishes it, and believes the published one of
 * the other only as far as it can be true: what is said to be in the ring is
 * never more than its size, and the length of a message, copied once, never more
 * than what is in the ring. A peer that breaks that gets -EPROTO.
 *
 *	length (u32)  zero (u32)  bytes, filled up to a multiple of 8
 *
 * Positions are counted in bytes and never wrap back; a message's bytes may, so they are two pieces.
 *
 * Who waits for the other side looks once more after it has said so, by its own position: put and take tell by the other's, read
 * after the own was written, whether the other may have found nothing, or no room, and has to be told. One of the two sees it.
 *
 * Used by the host and by the library inside of the guest: no I/O, no allocation, no C library.
 */
#ifndef SIDELOAD_SIDE_RING_H
#define SIDELOAD_SIDE_RING_H

#include <stdbool.h>
#include <stdint.h>

#define SIDE_RING_SIZE   (512U << 10) /* a power of two */
#define SIDE_MESSAGE_MAX (132U << 10) /* a FUSE message of 128 KiB and its header */
#define SIDE_RING_HEADER 8U
#define SIDE_RING_EPROTO (-71) /* -EPROTO where there is no errno.h */

/* What both see. Each position on a cache line of its own. */
struct side_ring_shared {
	uint32_t head; /* the writer's */
	uint32_t unused0[15];
	uint32_t tail; /* the reader's */
	uint32_t unused1[15];
};

/* One end of a ring. */
struct side_ring {
	struct side_ring_shared *shared;
	uint8_t *data; /* SIDE_RING_SIZE bytes */
	uint32_t mine; /* the own position, which is not read back */
};

struct side_piece {
	uint8_t *p;
	uint32_t n;
};

/* Of a message of @len bytes, at the own position; the second may be empty. */
static inline void side_ring_pieces(const struct side_ring *r, uint32_t len,
				    struct side_piece ret[2])
{
	uint32_t at = (r->mine + SIDE_RING_HEADER) & (SIDE_RING_SIZE - 1);
	uint32_t n = len < SIDE_RING_SIZE - at ? len : SIDE_RING_SIZE - at;

	ret[0] = (struct side_piece){ r->data + at, n };
	ret[1] = (struct side_piece){ r->data, len - n };
}

static inline uint32_t side_ring_frame(uint32_t len)
{
	return SIDE_RING_HEADER + ((len + 7) & ~7U);
}

static inline volatile uint32_t *side_ring_length(const struct side_ring *r)
{
	return (volatile uint32_t *)(void *)(r->data + (r->mine & (SIDE_RING_SIZE - 1)));
}

/* Reader: is there a message, and how long is it? Return: 1 and 1..SIDE_MESSAGE_MAX; 0; -EPROTO. */
static inline int side_ring_next(const struct side_ring *r, uint32_t *ret_len)
{
	/* the writer's release is in side_ring_put() */
	uint32_t used = __atomic_load_n(&r->shared->head, __ATOMIC_ACQUIRE) - r->mine, len;

	if (!used)
		return 0;
	if (used > SIDE_RING_SIZE || used < SIDE_RING_HEADER)
		return SIDE_RING_EPROTO;
	len = *side_ring_length(r);
	if (!len || len > SIDE_MESSAGE_MAX || side_ring_frame(len) > used)
		return SIDE_RING_EPROTO;
	*ret_len = len;
	return 1;
}

/*
 * Reader: done with the message of @len bytes, as side_ring_next() said. Return: may the writer wait for that? Who waits has found no room for
 * a message, so there is more than one of the largest; when only that is left, there is room for several, and they take one wake-up.
 */
static inline bool side_ring_take(struct side_ring *r, uint32_t len)
{
	const uint32_t low = side_ring_frame(SIDE_MESSAGE_MAX);
	uint32_t before = r->mine, head;

	r->mine += side_ring_frame(len);
	__atomic_store_n(&r->shared->tail, r->mine, __ATOMIC_RELEASE);
	/* the partner is that of side_ring_put() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	head = __atomic_load_n(&r->shared->head, __ATOMIC_RELAXED);
	return head - before > low && head - r->mine <= low;
}

/* Writer: is there room for a message of @len <= SIDE_MESSAGE_MAX bytes? Return: 1; 0; -EPROTO. */
static inline int side_ring_room(const struct side_ring *r, uint32_t len)
{
	uint32_t used = r->mine - __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE);

	if (used > SIDE_RING_SIZE)
		return SIDE_RING_EPROTO;
	return SIDE_RING_SIZE - used >= side_ring_frame(len);
}

/* Writer: the message of @len bytes is in its pieces. Return: may the reader wait for it, as whoever has read all before? */
static inline bool side_ring_put(struct side_ring *r, uint32_t len)
{
	uint32_t before = r->mine;

	*side_ring_length(r) = len;
	r->mine += side_ring_frame(len);
	/* the reader's acquire is in side_ring_next() */
	__atomic_store_n(&r->shared->head, r->mine, __ATOMIC_RELEASE);
	/* the partner is that of side_ring_take() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->shared->tail, __ATOMIC_RELAXED) == before;
}

#endif
