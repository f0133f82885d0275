// SPDX-License-Identifier: GPL-2.0-only
/* vhost_sock.c - bytes and descriptors to and from a back end, through the host. */
#include "vhost.h"

#include "../host/host.h"

/* A back end that says nothing for that long will not. */
#define PATIENCE_S 10

static int sock_send(void *arg, const void *buf, size_t len, const int *fds, size_t nfds)
{
	struct lo_vhost *dev = arg;
	long n = nfds ? host_send_fds(dev->sock, buf, len, fds, nfds)
		      : host_write(dev->sock, buf, len);

	if (n < 0)
		return n;
	if (n != len)
		return -EIO;
	lo_vhost_again_say(dev, buf, len, fds, nfds);
	return 0;
}

static int sock_recv(void *arg, void *buf, size_t len)
{
	const struct host_timespec patience = { PATIENCE_S, 0 };
	struct lo_vhost *dev = arg;
	size_t got = 0;

	while (got < len) {
		struct host_pollfd fd = { .fd = dev->sock, .events = HOST_POLLIN };
		long n = host_poll(&fd, 1, &patience);

		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			n = host_read(dev->sock, buf + got, len - got);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			return n < 0 ? n : -ECONNRESET;
		got += n;
	}
	lo_vhost_again_told(dev, buf, len);
	return 0;
}

struct vu_io lo_vhost_io(struct lo_vhost *dev)
{
	return (struct vu_io){ .send = sock_send, .recv = sock_recv, .arg = dev };
}
