/* SPDX-License-Identifier: MIT */
/*
 * The input is the device: it writes anywhere into the rings between our steps.
 *
 * What must hold: a cookie comes back at most once for each time it was pushed, no
 * more is written than was offered, and free slots plus slots in flight are all.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vq_drv.h"

#define QSIZE 8

struct request {
	bool inflight;
	unsigned int count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) struct {
		struct vq_desc desc[QSIZE], table[QSIZE * 2];
		uint8_t avail[32], used[80];
	} shared;
	struct vq_slot slot[QSIZE];
	struct vq_drv_conf conf = { .desc = shared.desc,
				    .avail = shared.avail,
				    .used = shared.used,
				    .slot = slot,
				    .size = QSIZE };
	struct request req[QSIZE] = { 0 };
	struct vq_drv vq;
	unsigned int inflight = 0;

	if (!size)
		return 0;
	memset(&shared, 0, sizeof(shared));
	conf.event_idx = data[0] & 1;
	if (data[0] & 2) {
		conf.table = shared.table;
		conf.indirect = 2;
	}
	if (vq_drv_init(&vq, &conf) < 0)
		abort();
	for (size_t i = 1; i + 2 < size; i += 3) {
		struct vq_buf b[3] = { { 0x1000, 16 }, { 0x2000, 64 }, { 0x3000, 1 } };
		struct request *q = &req[data[i] % QSIZE];
		uint32_t written;
		void *cookie;

		/* The device strikes. */
		((uint8_t *)&shared)[(data[i] | data[i + 1] << 8) % sizeof(shared)] = data[i + 2];
		if (!q->inflight && vq_drv_push(&vq, b, 1, data[i + 1] % 3, q) == 0) {
			q->inflight = true;
			q->count = conf.table && data[i + 1] % 3 == 1 ? 1 : data[i + 1] % 3 + 1;
			inflight += q->count;
		}
		(void)!vq_drv_publish(&vq);
		while (vq_drv_pop(&vq, &cookie, &written) > 0) {
			q = cookie;
			if (q < req || q >= req + QSIZE || !q->inflight || written > 65)
				abort();
			q->inflight = false;
			inflight -= q->count;
		}
		if (vq.nfree + inflight != QSIZE)
			abort();
	}
	return 0;
}
