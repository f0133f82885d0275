/* SPDX-License-Identifier: MIT */
/* The input is guest memory: every byte of the rings and tables is the fuzzer's; its first says what was negotiated. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vq_dev.h"

#define QSIZE 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(4096) uint8_t low[4096];
	uint8_t *high; /* on the heap, so that ASan guards its ends */
	struct gmem_region region[2];
	struct gmem mem = { region, 2 };
	struct iovec iov[24];
	struct vq_chain c = { .iov = iov, .max = 24 };
	struct vq_conf conf = { .avail = { 256 }, .used = { 512 }, .size = QSIZE };
	struct vq_dev vq;

	if (size < 64 || size > sizeof(low) + 1024)
		return 0;
	conf.event_idx = data[0] & 1;
	conf.indirect = data[0] & 2;
	memset(low, 0, sizeof(low));
	high = malloc(1024);
	if (!high)
		return 0;
	memset(high, 0, 1024);
	memcpy(low, data, size < sizeof(low) ? size : sizeof(low));
	if (size > sizeof(low))
		memcpy(high, data + sizeof(low), size - sizeof(low));
	region[0] = (struct gmem_region){ { 0 }, sizeof(low), low };
	region[1] = (struct gmem_region){ { sizeof(low) }, 1024, high };

	if (vq_dev_init(&vq, &mem, &conf) < 0)
		abort();
	for (int budget = 64; budget-- && vq_dev_pop(&vq, &c) == 1;) {
		uint32_t n = 0;

		if (c.nout + c.nin > c.max)
			abort();
		for (unsigned int i = 0; i < c.nout; i++)
			for (size_t k = 0; k < iov[i].iov_len; k++)
				n += ((volatile uint8_t *)iov[i].iov_base)[k];
		for (unsigned int i = c.nout; i < c.nout + c.nin; i++)
			memset(iov[i].iov_base, (int)n, iov[i].iov_len);
		vq_dev_push(&vq, c.head, n);
		(void)!vq_dev_publish(&vq);
		(void)!vq_dev_kicks_on(&vq);
	}
	free(high);
	return 0;
}
