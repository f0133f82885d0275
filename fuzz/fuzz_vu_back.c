/* SPDX-License-Identifier: MIT */
/*
 * The input is a front end: messages as it sends them, each behind two bytes that say how many
 * descriptors go with it and how long it is. The device is a disk that keeps nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blk.h"
#include "io.h"
#include "vu_back.h"

#define MEMORY 0x10000

static struct blk blk;

static int config_get(void *arg, uint32_t off, uint8_t *ret, uint32_t len)
{
	blk_config(arg, off, ret, len);
	return 0;
}

static int config_set(void *arg, uint32_t off, const uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)off;
	return len && data[0] ? -1 : 0;
}

static int take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	(void)queue;
	return blk_take(arg, vq);
}

static unsigned int reap(void *arg, bool wait)
{
	return blk_reap(arg, wait);
}

static void negotiated(void *arg, uint64_t features)
{
	blk_set_features(arg, features);
}

static int memory(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, MEMORY) < 0)
		abort();
	return fd;
}

static void device(struct vu_device *dev)
{
	static struct store *store;

	if (!store &&
	    (store_null_new(1 << 20, &store, NULL) < 0 || blk_init(&blk, store, "fuzz", 2) < 0))
		abort();
	*dev = (struct vu_device){ .features = blk_features(&blk),
				   .nqueues = 2,
				   .config_get = config_get,
				   .config_set = config_set,
				   .take = take,
				   .reap = reap,
				   .negotiated = negotiated,
				   .arg = &blk,
				   .fd = -1 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vu_back back;
	struct vu_device dev;
	struct err e;
	int pair[2], fds[9];

	/* What is not there yet will not come: no waiting for it. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	for (size_t i = 0; i < 9; i++)
		fds[i] = memory();
	device(&dev);
	vu_back_init(&back, &dev, pair[1]);
	while (size > 2) {
		size_t nfds = data[0] % 10, len = data[1];
		int r;

		data += 2;
		size -= 2;
		len = len && len < size ? len : size;
		if (io_send_fds(pair[0], data, len, fds, nfds) < 0)
			break;
		data += len;
		size -= len;
		/* What is left in the socket is part of the next message, or all there is. */
		r = len < 12 && size > 2 ? 1 : vu_back_handle(&back, &e);
		if (r <= 0)
			break;
		(void)vu_back_work(&back);
	}
	(void)shutdown(pair[0], SHUT_RDWR);
	vu_back_fini(&back);
	(void)close(pair[0]);
	return 0;
}
