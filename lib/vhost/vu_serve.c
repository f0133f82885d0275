/* SPDX-License-Identifier: MIT */
#include "vu_serve.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_ROUNDS 512 /* between two looks at the socket */
#define CLOCK_ROUNDS  32  /* between two looks at the clock, without work */
#define WINDOW_MIN_NS 5000
#define TRY_AGAIN     16 /* short sleeps before polling is tried again */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool socket_ready(const struct vu_back *b)
{
	struct pollfd p = { .fd = b->sock, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static bool kicks_on(struct vu_back *b)
{
	const struct vu_device *dev = b->dev;
	bool waiting = false;

	for (unsigned int i = 0; i < dev->nqueues; i++)
		if (b->vring[i].running && (!dev->wants_kick || dev->wants_kick(dev->arg, i)) &&
		    vq_dev_kicks_on(&b->vring[i].vq))
			waiting = true;
	return waiting;
}

static void kicks_off(struct vu_back *b)
{
	for (unsigned int i = 0; i < b->dev->nqueues; i++)
		if (b->vring[i].running)
			vq_dev_kicks_off(&b->vring[i].vq);
}

/* Return: is there something on the socket? */
static int sleep_for_work(struct vu_back *b, bool *ret_socket, struct err *e)
{
	struct pollfd p[VU_QUEUES_MAX + 2] = {
		{ .fd = b->sock, .events = POLLIN },
		{ .fd = b->dev->fd, .events = POLLIN },
	};
	uint64_t count;
	int r = 0;

	for (unsigned int i = 0; i < VU_QUEUES_MAX; i++)
		p[2 + i] = (struct pollfd){ .fd = b->vring[i].running ? b->vring[i].kick : -1,
					    .events = POLLIN };
	if (!kicks_on(b))
		r = poll(p, ARRAY_SIZE(p), -1);
	kicks_off(b);
	if (r < 0 && errno != EINTR)
		return err_set(e, errno, "cannot wait for work: %s", err_str(errno));
	for (unsigned int i = 0; r > 0 && i < VU_QUEUES_MAX; i++)
		if (p[2 + i].revents)
			(void)!read(p[2 + i].fd, &count, sizeof(count));
	*ret_socket = r > 0 && p[0].revents;
	return 0;
}

struct poller {
	uint64_t window, max; /* ns */
	uint64_t idle_since;  /* 0: there was work in the last round */
	unsigned int rounds, short_sleeps;
};

/* Polling has found work. */
static void poll_paid(struct poller *p)
{
	p->window = p->window * 2 < p->max ? p->window * 2 : p->max;
}

/* Polling has found nothing, and then we slept: perhaps the driver needs our processor to go on. */
static void poll_failed(struct poller *p, uint64_t slept)
{
	p->window = p->window / 2 >= WINDOW_MIN_NS ? p->window / 2 : 0;
	if (!p->window && slept < p->max && ++p->short_sleeps % TRY_AGAIN == 0)
		p->window = WINDOW_MIN_NS < p->max ? WINDOW_MIN_NS : p->max;
}

/* After a round. Return: is it time to look at the socket? */
static bool poll_on(struct poller *p, unsigned int done, bool *ret_sleep)
{
	*ret_sleep = false;
	p->rounds++;
	if (done) {
		if (p->idle_since)
			poll_paid(p);
		p->idle_since = 0;
		return p->rounds % SOCKET_ROUNDS == 0;
	}
	if (!p->idle_since)
		p->idle_since = now_ns();
	*ret_sleep = !p->window ||
		     (p->rounds % CLOCK_ROUNDS == 0 && now_ns() - p->idle_since > p->window);
	if (!*ret_sleep)
		cpu_relax();
	return p->rounds % SOCKET_ROUNDS == 0;
}

int vu_serve(struct vu_back *b, uint64_t poll_max_ns, struct err *e)
{
	struct poller p = { .max = poll_max_ns };

	for (;;) {
		bool asleep, look = poll_on(&p, vu_back_work(b), &asleep);
		int r;

		if (asleep) {
			uint64_t start = now_ns();

			r = sleep_for_work(b, &look, e);
			if (r < 0)
				return r;
			poll_failed(&p, now_ns() - start);
			p.idle_since = 0;
		} else if (look) {
			look = socket_ready(b);
		}
		if (!look)
			continue;
		r = vu_back_handle(b, e);
		if (r <= 0)
			return r;
	}
}
