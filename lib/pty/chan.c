/* SPDX-License-Identifier: MIT */
#include "chan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tty.h"

#define RING_SIZE  (64u << 10)
#define ROUNDS_MAX 32 /* reads before other sources have their turn */
/* At once to what may block us; the loop waits for that many bytes at worst. */
#define SHARED_CHUNK 512

static void src_close(struct chan *c, struct loop_src *s)
{
	loop_del(c->loop, s);
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

void chan_update(struct chan *c)
{
	if (chan_done(c) && c->dst_close)
		src_close(c, &c->dst);
	/* Two bytes of room, so that whoever sees the end of src can add as many. */
	loop_want(&c->src, c->on && !c->eof && ring_room(&c->ring) >= 2 ? EPOLLIN : 0);
	loop_want(&c->dst, c->ring.len ? EPOLLOUT : 0);
}

void chan_break(struct chan *c)
{
	c->eof = true;
	ring_clear(&c->ring);
	src_close(c, &c->src);
	src_close(c, &c->dst);
}

void chan_flush(struct chan *c)
{
	while (c->ring.len) {
		struct pollfd p = { .fd = c->dst.fd, .events = POLLOUT };
		ssize_t n;

		if (c->dst_shared && poll(&p, 1, 0) == 0)
			return;
		n = ring_drain(&c->ring, c->dst.fd, c->dst_shared ? SHARED_CHUNK : SIZE_MAX);
		if (n == -EAGAIN)
			return;
		if (n < 0)
			c->broken(c);
	}
}

/* Return: whether something was read. */
static bool fill(struct chan *c)
{
	ssize_t n;

	if (c->eof || !ring_room(&c->ring))
		return false;
	n = ring_fill(&c->ring, c->src.fd, c->left);
	if (n == -EAGAIN) {
		c->eof = c->draining;
		return false;
	}
	if (n <= 0) { /* all writers are gone or, of a pty, all slaves */
		c->eof = true;
		return false;
	}
	if (c->draining)
		c->left -= (size_t)n;
	c->eof = !c->left;
	return true;
}

static void pump(struct chan *c)
{
	for (int i = 0; i < ROUNDS_MAX && fill(c); i++)
		chan_flush(c);
	chan_update(c);
}

static void on_readable(struct loop_src *s, uint32_t events)
{
	(void)events;
	pump(s->arg);
}

static void on_writable(struct loop_src *s, uint32_t events)
{
	struct chan *c = s->arg;

	(void)events;
	chan_flush(c);
	if (c->draining)
		pump(c); /* to find the end, for nothing else may come */
	chan_update(c);
}

void chan_drain(struct chan *c, size_t limit)
{
	c->draining = true;
	c->on = true;
	c->left = limit;
	c->eof |= !limit;
	pump(c);
}

void chan_init(struct chan *c, struct loop *l, void (*broken)(struct chan *c), void *arg)
{
	*c = (struct chan){
		.loop = l,
		.src = { .fd = -1, .fn = on_readable, .arg = c },
		.dst = { .fd = -1, .fn = on_writable, .arg = c },
		.broken = broken,
		.arg = arg,
		.left = SIZE_MAX,
	};
}

void chan_fini(struct chan *c)
{
	chan_break(c);
	ring_fini(&c->ring);
}

int chan_own_dst(struct chan *c, int fd)
{
	c->dst.fd = tty_reopen(fd, O_WRONLY);
	c->dst_shared = c->dst.fd < 0;
	if (c->dst_shared)
		c->dst.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return c->dst.fd < 0 ? -errno : 0;
}

int chan_start(struct chan *c, bool on)
{
	int r;

	if (c->src.fd < 0 || c->dst.fd < 0) {
		chan_break(c);
		return 0;
	}
	c->on = on;
	r = ring_init(&c->ring, RING_SIZE);
	if (r < 0)
		return r;
	r = loop_add(c->loop, &c->src, 0);
	if (r < 0)
		return r;
	r = loop_add(c->loop, &c->dst, 0);
	chan_update(c);
	return r;
}
