/* SPDX-License-Identifier: MIT */
/* The input is what a back end replies, byte by byte. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vu_front.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static int give(void *arg, void *buf, size_t len)
{
	struct input *in = arg;

	if (len > in->size)
		return -ECONNRESET;
	memcpy(buf, in->data, len);
	in->data += len;
	in->size -= len;
	return 0;
}

static int swallow(void *arg, const void *buf, size_t len, const int *fds, size_t nfds)
{
	uint8_t sum = 0;

	(void)arg;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const volatile uint8_t *)buf)[i]);
	for (size_t i = 0; i < nfds; i++)
		if (fds[i] < 0)
			abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct vu_io io = { swallow, give, &in };
	struct vu_region region = { 0, 4096, 0, 0 };
	struct vu_front_queue q = { .size = 8, .kick = 0, .call = -1, .err = -1 };
	uint8_t config[60];
	unsigned int n;
	uint16_t base;
	int fd = 0;
	struct vu_front f;

	if (vu_front_open(&f, &io) < 0 || vu_front_set_protocol(&f, UINT64_MAX) < 0 ||
	    vu_front_set_features(&f, UINT32_MAX) < 0)
		return 0;
	if (f.features & ~f.offered || (f.features & ~(uint64_t)UINT32_MAX))
		abort();
	if (vu_front_queues(&f, &n) < 0)
		return 0;
	if (!n || n > 256)
		abort();
	if (vu_front_config(&f, 0, config, sizeof(config)) == -EPROTO && !f.why)
		abort();
	if (vu_front_share(&f, &region, &fd, 1) < 0 || vu_front_queue(&f, &q) < 0)
		return 0;
	(void)!vu_front_stop(&f, 0, &base);
	return 0;
}
