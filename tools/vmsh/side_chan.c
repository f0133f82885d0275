/* SPDX-License-Identifier: MIT */
#include "side_chan.h"

#include <errno.h>
#include <poll.h>

#define ROOM_MS 1

/* NOLINTNEXTLINE(misc-redundant-expression): that they are the same is not said anywhere */
_Static_assert(WIRE_MAX <= SIDE_MESSAGE_MAX, "each message of a session fits");

static struct side_chan *chan_of(struct attach_chan *c)
{
	return (struct side_chan *)c; /* its first member */
}

static int chan_send(struct attach_chan *c, const struct iovec *iov, int n)
{
	struct side_chan *s = chan_of(c);
	int r;

	pthread_mutex_lock(&s->lock);
	r = side_send(s->side, iov, n);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static ssize_t chan_receive(struct attach_chan *c, void *buf, size_t size)
{
	struct side_chan *s = chan_of(c);
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	n = side_recv(s->side, buf, size);
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* The bell does not say for what it rings, and whoever receives silences it: room is looked for now and then. */
static short chan_wait(struct attach_chan *c, short events, int timeout_ms)
{
	struct pollfd p = { .fd = side_fd(chan_of(c)->side), .events = POLLIN };

	if (events & POLLOUT && (timeout_ms < 0 || timeout_ms > ROOM_MS))
		timeout_ms = ROOM_MS;
	if (poll(&p, events & POLLIN ? 1 : 0, timeout_ms) > 0)
		return events & POLLIN;
	return events & POLLOUT;
}

static void chan_wake(struct attach_chan *c)
{
	side_look_again(chan_of(c)->side);
}

static const struct attach_chan_ops ops = { chan_send, chan_receive, chan_wait, chan_wake };

void side_chan_init(struct side_chan *c, struct side *side)
{
	c->chan.ops = &ops;
	c->side = side;
	pthread_mutex_init(&c->lock, NULL);
}

void side_chan_fini(struct side_chan *c)
{
	pthread_mutex_destroy(&c->lock);
}
