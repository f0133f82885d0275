/* SPDX-License-Identifier: MIT */
/* Messages of init and of clients: what frame_check() lets through keeps the promises of frame.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame_queue q;
	struct frame f = { 0 };
	bool to_init;
	size_t n;

	frame_queue_clear(&q);
	/* A byte for the direction, two for the length, and a message. */
	while (size > 3) {
		to_init = data[0] & 1;
		n = (size_t)data[1] | (size_t)data[2] << 8;
		data += 3;
		size -= 3;
		n = n < size ? n : size;
		memcpy(&f, data, n < sizeof(f) ? n : sizeof(f));
		data += n;
		size -= n;
		if (frame_check(&f, n, to_init) < 0)
			continue;
		if (n < FRAME_HEAD || n > FRAME_SIZE || f.session > FRAME_SESSIONS)
			abort();
		if (f.kind == FRAME_SIGNAL && (!to_init || f.value < 1 || f.value > 64))
			abort();
		if (f.kind == FRAME_CREDIT && f.value > FRAME_WINDOW)
			abort();
		if (f.kind == FRAME_DATA && (f.stream > FRAME_STDERR || to_init != !f.stream))
			abort();
		if (f.kind == FRAME_DATA && frame_queue_put(&q, f.data, n - FRAME_HEAD) == 0 &&
		    (q.n > FRAME_WINDOW || q.head >= FRAME_WINDOW))
			abort();
	}
	return 0;
}
