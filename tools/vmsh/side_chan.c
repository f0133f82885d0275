/* SPDX-License-Identifier: MIT */
#include "side_chan.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#define NS_PER_MS 1000000L
#define MS_PER_S  1000

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
	if (r > 0)
		side_ring_guest(s->side);
	return r < 0 ? r : 0;
}

static ssize_t chan_receive(struct attach_chan *c, void *buf, size_t size)
{
	struct side_chan *s = chan_of(c);
	ssize_t n;
	bool room;

	pthread_mutex_lock(&s->lock);
	n = side_recv(s->side, buf, size);
	room = s->waiting && side_has_room(s->side);
	pthread_mutex_unlock(&s->lock);
	if (room)
		(void)pthread_cond_broadcast(&s->room);
	return n;
}

static struct timespec after(int timeout_ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / MS_PER_S;
	t.tv_nsec += timeout_ms % MS_PER_S * NS_PER_MS;
	if (t.tv_nsec >= MS_PER_S * NS_PER_MS) {
		t.tv_sec++;
		t.tv_nsec -= MS_PER_S * NS_PER_MS;
	}
	return t;
}

/* Once: who waits looks again, whatever has woken him. */
static short wait_for_room(struct side_chan *s, int timeout_ms)
{
	const struct timespec until = after(timeout_ms);
	bool has;

	pthread_mutex_lock(&s->lock);
	s->waiting++;
	if (!side_has_room(s->side))
		(void)pthread_cond_clockwait(&s->room, &s->lock, CLOCK_MONOTONIC, &until);
	s->waiting--;
	has = side_has_room(s->side);
	pthread_mutex_unlock(&s->lock);
	return has ? POLLOUT : 0;
}

static short chan_wait(struct attach_chan *c, short events, int timeout_ms)
{
	struct pollfd p = { .fd = side_fd(chan_of(c)->side), .events = POLLIN };

	if (events & POLLOUT)
		return wait_for_room(chan_of(c), timeout_ms);
	return poll(&p, 1, timeout_ms) > 0 ? POLLIN : 0;
}

static void chan_wake(struct attach_chan *c)
{
	struct side_chan *s = chan_of(c);

	side_look_again(s->side);
	pthread_mutex_lock(&s->lock);
	(void)pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
}

static const struct attach_chan_ops ops = { chan_send, chan_receive, chan_wait, chan_wake };

void side_chan_init(struct side_chan *c, struct side *side)
{
	c->chan.ops = &ops;
	c->side = side;
	c->waiting = 0;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->room, NULL);
}

void side_chan_fini(struct side_chan *c)
{
	pthread_cond_destroy(&c->room);
	pthread_mutex_destroy(&c->lock);
}
