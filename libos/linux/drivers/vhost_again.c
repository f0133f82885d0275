// SPDX-License-Identifier: GPL-2.0-only
/* vhost_again.c - a back end that comes again, over a socket that was made for it at the start. */
/*
 * Theory of operation
 *
 * After the start nothing but a plain write can go over a socket, no descriptor, and no new connection is
 * made. So the launcher gives spare sockets, and what is said to the back end at the start is said
 * to the launcher as well, descriptors included, a packet each (lo_vhost_again_say()). It says it at the other end of a
 * spare to the back end that comes there. Only the last words, which enable the queues, are kept here, and so
 * are the replies.
 *
 * When the back end is gone, a spare takes the place of the socket (lo_vhost_again_begin()). Whoever is at its other end must
 * reply as the first one did (vu_again.h). Then the one before has ended, the shared rings are emptied, and the last words
 * are written: no back end sees the old rings enabled. They are emptied before as well, for some (DPDK's) begin where the used ring
 * is when they are told where it is, whatever SET_VRING_BASE says. When it has replied to the last words as well, it is
 * there (lo_vhost_again_hear()). If it closes the socket, it is the next spare's turn.
 */
#include "../host/host.h"
#include "vhost.h"

#define CHUNK 128

static bool enables(const struct lo_vhost *dev)
{
	return dev->front.request == VU_SET_VRING_ENABLE;
}

void lo_vhost_again_told_all(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;

	if (a->script >= 0)
		host_close(a->script);
	a->script = -1;
}

void lo_vhost_again_never(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;

	lo_vhost_again_told_all(dev);
	while (a->next < a->nspare)
		host_close(a->spare[a->next++]);
	a->waiting = false;
}

void lo_vhost_again_say(struct lo_vhost *dev, const void *buf, size_t len, const int *fds,
			size_t nfds)
{
	struct lo_vhost_again *a = &dev->again;
	long n = len;

	if (a->script < 0)
		return;
	if (enables(dev)) {
		if (vu_words_add(&a->last, buf, len) < 0)
			lo_vhost_again_never(dev);
		return;
	}
	n = nfds ? host_send_fds(a->script, buf, len, fds, nfds) : host_write(a->script, buf, len);
	if (n != len)
		lo_vhost_again_never(dev);
}

void lo_vhost_again_told(struct lo_vhost *dev, const void *buf, size_t len)
{
	struct lo_vhost_again *a = &dev->again;

	if (a->script < 0)
		return;
	if (vu_words_add(enables(dev) ? &a->replies.told_last : &a->replies.told, buf, len) < 0)
		lo_vhost_again_never(dev);
}

static void clear_rings(struct lo_vhost *dev)
{
	unsigned int i;

	for (i = 0; i < LO_VHOST_QUEUES; i++)
		lo_vhost_queue_clear(&dev->queue[i]);
}

bool lo_vhost_again_begin(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;

	a->replies.heard = 0;
	a->waiting = a->next < a->nspare;
	if (a->waiting) {
		host_close(dev->sock);
		dev->sock = a->spare[a->next++];
		clear_rings(dev);
	}
	return a->waiting;
}

static bool enable(struct lo_vhost *dev)
{
	const struct vu_words *w = &dev->again.last;

	clear_rings(dev);
	return host_write(dev->sock, w->data, w->len) == w->len;
}

int lo_vhost_again_hear(struct lo_vhost *dev)
{
	struct lo_vhost_again *a = &dev->again;
	u8 buf[CHUNK];
	long n = host_read(dev->sock, buf, min_t(size_t, sizeof(buf), vu_again_wants(&a->replies)));

	if (n == -EINTR || n == -EAGAIN)
		return 0;
	if (n <= 0)
		return -ECONNRESET;
	if (vu_again_hear(&a->replies, buf, n) < 0)
		return -EPROTO;
	if (vu_again_turn(&a->replies) && !enable(dev))
		return -ECONNRESET;
	if (!vu_again_done(&a->replies))
		return 0;
	a->waiting = false;
	return 1;
}
