// SPDX-License-Identifier: GPL-2.0-only
/* vhost_again.c - a network's back end that comes again, over a socket on which all was said beforehand. */
/*
 * Theory of operation
 *
 * After the start nothing but a plain write can go over a socket, no descriptor, and no new connection is
 * made. So what is said to the back end at the start is said on spare sockets too (lo_vhost_again_say()),
 * where it waits in their buffers for a back end at the other end. Only the last words, which enable the queues,
 * are kept, and so are the replies.
 *
 * When the back end is gone, what was in flight is lost, as packets are. The shared rings are emptied, a
 * spare takes the place of the socket, and the last words are written to it (lo_vhost_again_begin()): no back
 * end sees the old rings enabled. It must reply as the first one did, byte for byte, and then the link is up
 * again (lo_vhost_again_hear()). If it closes the socket, it is the next spare's turn.
 */
#include "../host/host.h"
#include "vhost.h"

#define CHUNK 128

static bool keep(struct lo_vhost_words *w, const void *buf, size_t len)
{
	if (len > sizeof(w->data) - w->len)
		return false;
	memcpy(w->data + w->len, buf, len);
	w->len += len;
	return true;
}

static bool enables(const struct lo_vhost *dev)
{
	return dev->front.request == VU_SET_VRING_ENABLE;
}

static void give_up(struct lo_vhost *dev)
{
	dev->again.nspare = 0;
}

void lo_vhost_again_say(struct lo_vhost *dev, const void *buf, size_t len, const int *fds,
			size_t nfds)
{
	struct lo_vhost_again *a = &dev->again;
	unsigned int i;

	if (a->nspare && enables(dev)) {
		if (!keep(&a->last, buf, len))
			give_up(dev);
		return;
	}
	for (i = 0; i < a->nspare; i++) {
		long n = nfds ? host_send_fds(a->spare[i], buf, len, fds, nfds)
			      : host_write(a->spare[i], buf, len);

		if (n != len)
			give_up(dev);
	}
}

void lo_vhost_again_told(struct lo_vhost *dev, const void *buf, size_t len)
{
	struct lo_vhost_again *a = &dev->again;

	if (a->nspare && !keep(enables(dev) ? &a->told_last : &a->told, buf, len))
		give_up(dev);
}

bool lo_vhost_again_begin(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;
	unsigned int i;

	for (i = 0; i < LO_VHOST_QUEUES; i++)
		lo_vhost_queue_clear(&dev->queue[i]);
	a->heard = 0;
	for (a->waiting = false; a->next < a->nspare && !a->waiting;) {
		host_close(dev->sock);
		dev->sock = a->spare[a->next++];
		a->waiting = host_write(dev->sock, a->last.data, a->last.len) == a->last.len;
	}
	return a->waiting;
}

int lo_vhost_again_hear(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;
	const struct lo_vhost_words *w = a->heard < a->told.len ? &a->told : &a->told_last;
	unsigned int at = a->heard - (w == &a->told ? 0 : a->told.len);
	u8 buf[CHUNK];
	long n = host_read(dev->sock, buf, min_t(size_t, sizeof(buf), w->len - at));

	if (n == -EINTR || n == -EAGAIN)
		return 0;
	if (n <= 0)
		return -ECONNRESET;
	if (memcmp(buf, w->data + at, n))
		return -EPROTO;
	a->heard += n;
	if (a->heard < a->told.len + a->told_last.len)
		return 0;
	a->waiting = false;
	return 1;
}
