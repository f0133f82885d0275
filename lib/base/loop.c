/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX  16 /* per wait; the rest stays ready */
#define SIGNALS_MAX 8
#define NS_PER_MS   1000000u

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return l->epfd < 0 ? -errno : 0;
}

void loop_fini(struct loop *l)
{
	if (l->epfd >= 0)
		(void)close(l->epfd);
	l->epfd = -1;
}

int loop_add(struct loop *l, struct loop_src *s, uint32_t want)
{
	for (unsigned int i = 0; i < LOOP_SRC_MAX; i++) {
		if (l->src[i])
			continue;
		l->src[i] = s;
		l->generation[i]++;
		s->slot = i + 1;
		s->want = want;
		s->have = 0;
		s->steady = false;
		return 0;
	}
	return -ENOSPC;
}

void loop_del(struct loop *l, struct loop_src *s)
{
	if (!s->slot)
		return;
	if (s->have)
		(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	l->src[s->slot - 1] = NULL;
	s->slot = 0;
	s->want = s->have = 0;
}

void loop_want(struct loop_src *s, uint32_t want)
{
	s->want = want;
}

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ns)
{
	t->at_ns = at_ns;
	if (t->armed)
		return;
	t->armed = true;
	t->next = l->timers;
	l->timers = t;
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	struct loop_timer **p = &l->timers;

	if (!t->armed)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->armed = false;
}

static void signals_ready(struct loop_src *s, uint32_t events)
{
	struct loop_signals *sigs = s->arg;
	struct signalfd_siginfo si[SIGNALS_MAX];
	ssize_t n = read(s->fd, si, sizeof(si));

	(void)events;
	/* The callback may delete the source: then its descriptor is -1. */
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(si[0]) && s->fd >= 0; i++)
		sigs->fn(sigs, &si[i]);
}

int loop_signals_add(struct loop *l, struct loop_signals *s, const sigset_t *mask)
{
	int fd, r;

	if (sigprocmask(SIG_BLOCK, mask, &s->old_mask) < 0)
		return -errno;
	fd = signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		(void)sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
		return r;
	}
	s->src = (struct loop_src){ .fd = fd, .fn = signals_ready, .arg = s };
	r = loop_add(l, &s->src, EPOLLIN);
	if (r < 0)
		loop_signals_del(l, s);
	return r;
}

void loop_signals_del(struct loop *l, struct loop_signals *s)
{
	loop_del(l, &s->src);
	if (s->src.fd >= 0)
		(void)close(s->src.fd);
	s->src.fd = -1;
	(void)sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}

/* Tell epoll what source @slot wants. */
static int apply(struct loop *l, unsigned int slot)
{
	struct loop_src *s = l->src[slot];
	struct epoll_event ev = { .events = s->want,
				  .data.u64 = (uint64_t)l->generation[slot] << 32 | slot };
	int op = !s->have ? EPOLL_CTL_ADD : s->want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (s->want == s->have || s->steady)
		return 0;
	if (epoll_ctl(l->epfd, op, s->fd, &ev) < 0) {
		if (errno != EPERM)
			return -errno;
		s->steady = true; /* a regular file */
		return 0;
	}
	s->have = s->want;
	return 0;
}

/* Milliseconds until the first timer, rounded up; -1 without one. */
static int timeout_ms(const struct loop *l)
{
	uint64_t first = UINT64_MAX, now, ms;

	if (!l->timers)
		return -1;
	for (const struct loop_timer *t = l->timers; t; t = t->next)
		first = t->at_ns < first ? t->at_ns : first;
	now = loop_now_ns();
	if (first <= now)
		return 0;
	ms = (first - now - 1) / NS_PER_MS + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void run_timers(struct loop *l)
{
	uint64_t now = l->timers ? loop_now_ns() : 0;
	struct loop_timer *t = l->timers;

	while (t) {
		if (t->at_ns > now) {
			t = t->next;
			continue;
		}
		loop_timer_clear(l, t);
		t->fn(t);
		/* From the start, for the callback may have changed the list; a timer set
		 * again lies in the future of @now, unless it wants to starve us. */
		t = l->timers;
	}
}

static void run_steady(struct loop *l)
{
	for (unsigned int i = 0; i < LOOP_SRC_MAX; i++) {
		struct loop_src *s = l->src[i];

		if (s && s->steady && s->want)
			s->fn(s, s->want);
	}
}

int loop_once(struct loop *l)
{
	struct epoll_event ev[EVENTS_MAX];
	bool steady = false;
	int n;

	for (unsigned int i = 0; i < LOOP_SRC_MAX; i++) {
		int r = l->src[i] ? apply(l, i) : 0;

		if (r < 0)
			return r;
		steady |= l->src[i] && l->src[i]->steady && l->src[i]->want;
	}
	n = epoll_wait(l->epfd, ev, EVENTS_MAX, steady ? 0 : timeout_ms(l));
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)ev[i].data.u64;
		struct loop_src *s = l->src[slot];

		if (s && l->generation[slot] == ev[i].data.u64 >> 32 && s->want)
			s->fn(s, ev[i].events);
	}
	if (steady)
		run_steady(l);
	run_timers(l);
	return 0;
}
