/* SPDX-License-Identifier: MIT */
/* Rings whose other side is the fuzzer: it sets positions and lengths between our own steps. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "side_ring.h"

#define STEPS 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[SIDE_RING_SIZE];

static void check(const struct side_ring *r, uint32_t len)
{
	struct side_piece p[2];

	assert(len && len <= SIDE_MESSAGE_MAX);
	side_ring_pieces(r, len, p);
	assert(p[0].n + p[1].n == len);
	for (int k = 0; k < 2; k++)
		assert(!p[k].n || (p[k].p >= memory && p[k].p + p[k].n <= memory + sizeof(memory)));
	memset(p[0].p, 1, p[0].n);
	memset(p[1].p, 2, p[1].n);
}

/* One step: a byte that says which, and four that say how much. */
static void step(struct side_ring *r, uint8_t what, uint32_t n)
{
	uint32_t len;

	switch (what % 6) {
	case 0:
		r->shared->head = n;
		break;
	case 1:
		r->shared->tail = n;
		break;
	case 2:
		*side_ring_length(r) = n;
		break;
	case 3:
		r->shared->head += n % SIDE_RING_SIZE;
		break;
	case 4:
		if (side_ring_next(r, &len) == 1) {
			check(r, len);
			side_ring_take(r, len);
			assert(r->shared->tail == r->mine);
		}
		break;
	default:
		len = n % SIDE_MESSAGE_MAX + 1;
		if (side_ring_room(r, len) == 1) {
			check(r, len);
			side_ring_put(r, len);
			assert(r->shared->head == r->mine);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side_ring_shared shared = { 0 };
	struct side_ring r = { &shared, memory, 0 };
	uint32_t n;

	if (size >= 4)
		memcpy(&n, data, sizeof(n));
	else
		n = 0;
	r.mine = shared.head = shared.tail = n & ~7U;
	for (size_t at = 4; at + 5 <= size && at < 5 * STEPS; at += 5) {
		memcpy(&n, data + at + 1, sizeof(n));
		step(&r, data[at], n);
	}
	return 0;
}
