/* SPDX-License-Identifier: MIT */
#include "vu_serve.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "vu_sock.h"

#define SOCKET_ROUNDS 512 /* between two looks at the socket */
#define CLOCK_ROUNDS  32  /* between two looks at the clock, without work */
#define SHORT_NS      5000
#define TRY_LONG      16  /* short looks until a long one is tried */
#define LUCK_MAX      256 /* all long looks saw work */
#define LUCK_OF       8   /* looks that count */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* That we may run on. */
static int processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 2 : CPU_COUNT(&set);
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
	int r;

	for (unsigned int i = 0; i < VU_QUEUES_MAX; i++)
		p[2 + i] = (struct pollfd){ .fd = b->vring[i].running ? b->vring[i].kick : -1,
					    .events = POLLIN };
	/* A device that leaves chains lying must not keep us from the socket. */
	r = poll(p, ARRAY_SIZE(p), kicks_on(b) ? 0 : -1);
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
	uint64_t max;        /* ns */
	bool alone;          /* there is no processor but ours */
	unsigned int luck;   /* of long looks, 0 to LUCK_MAX */
	bool patient;        /* this wait begins with a long look */
	uint64_t idle_since; /* 0: there was work in the last round */
	unsigned int rounds, waits;
};

static void wait_begin(struct poller *p)
{
	p->idle_since = now_ns();
	p->patient = !p->alone && (p->luck > LUCK_MAX / 4 || ++p->waits % TRY_LONG == 0);
}

/* Work has come. If somebody else had our processor during a long look, it was too long as well. */
static void wait_end(struct poller *p)
{
	if (p->patient) {
		p->luck -= p->luck / LUCK_OF;
		if (now_ns() - p->idle_since <= p->max)
			p->luck += LUCK_MAX / LUCK_OF;
	}
	p->idle_since = 0;
}

static bool looked_enough(const struct poller *p)
{
	uint64_t window = p->patient || p->max < SHORT_NS ? p->max : SHORT_NS;

	return !p->max || (p->rounds % CLOCK_ROUNDS == 0 && now_ns() - p->idle_since > window);
}

/* After a round. Return: is it time to look at the socket? */
static bool poll_on(struct poller *p, unsigned int done, bool *ret_sleep)
{
	*ret_sleep = false;
	p->rounds++;
	if (done) {
		if (p->idle_since)
			wait_end(p);
		return p->rounds % SOCKET_ROUNDS == 0;
	}
	if (!p->idle_since)
		wait_begin(p);
	*ret_sleep = looked_enough(p);
	if (!*ret_sleep)
		cpu_relax();
	return p->rounds % SOCKET_ROUNDS == 0;
}

int vu_serve(struct vu_back *b, uint64_t poll_max_ns, struct err *e)
{
	struct poller p = { .max = poll_max_ns, .luck = LUCK_MAX, .alone = processors() < 2 };

	for (;;) {
		bool asleep, look = poll_on(&p, vu_back_work(b), &asleep);
		int r;

		if (asleep) {
			r = sleep_for_work(b, &look, e);
			if (r < 0)
				return r;
			wait_end(&p);
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

int vu_serve_one(const struct vu_device *dev, int sock, uint64_t poll_max_ns, struct err *e)
{
	static struct vu_back back;
	int r;

	vu_back_init(&back, dev, sock);
	r = vu_serve(&back, poll_max_ns, e);
	vu_back_fini(&back);
	return r;
}

int vu_serve_listener(const struct vu_device *dev, int listener, bool keep, uint64_t poll_max_ns,
		      struct err *e)
{
	int r;

	do {
		int sock;

		r = vu_sock_accept(listener, &sock, e);
		if (r < 0)
			return r;
		r = vu_serve_one(dev, sock, poll_max_ns, e);
		if (r < 0 && keep)
			log_warn("%s", e->msg);
	} while (keep);
	return r;
}
