/* SPDX-License-Identifier: MIT */
/*
 * loop.h - a small event loop: descriptors with callbacks, signals, timers.
 *
 * Theory of operation
 *
 * Sources and timers lie in the caller's structs; the loop has a table of
 * LOOP_SRC_MAX pointers to them and takes no memory after loop_init(). What a
 * source waits for is only noted by loop_want(), and told to epoll right before
 * the next wait: to turn writing on and off again within one round costs no
 * system call. A source that wants nothing is not in the epoll set, so that a
 * hung-up descriptor nobody asks about cannot spin the loop. What epoll refuses
 * (a regular file) counts as always ready.
 *
 * A callback may add, delete and close any source, itself included: an event of
 * the same round that is left over for a deleted one is dropped.
 *
 * One thread. The caller loops: while (!done) r = loop_once(&l).
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "compiler.h"

#define LOOP_SRC_MAX 64

/* Level-triggered; @events are EPOLLIN, EPOLLOUT, and EPOLLHUP, EPOLLERR whether wanted or not. */
struct loop_src {
	int fd; /* borrowed; loop_del() first, then close() */
	void (*fn)(struct loop_src *s, uint32_t events);
	void *arg;
	/* the loop's own */
	uint32_t want, have;
	unsigned int slot; /* + 1; 0: not added */
	bool steady;       /* always ready */
};

struct loop_timer {
	void (*fn)(struct loop_timer *t);
	void *arg;
	/* the loop's own */
	uint64_t at_ns;
	bool armed;
	struct loop_timer *next;
};

struct loop_signals {
	void (*fn)(struct loop_signals *s, const struct signalfd_siginfo *si);
	void *arg;
	/* the loop's own */
	struct loop_src src;
	sigset_t old_mask;
};

struct loop {
	int epfd;
	struct loop_src *src[LOOP_SRC_MAX];
	uint32_t generation[LOOP_SRC_MAX];
	struct loop_timer *timers; /* armed, in no order */
};

int loop_init(struct loop *l) _must_check_;
void loop_fini(struct loop *l);

/* Return: 0, -ENOSPC if the table is full. */
int loop_add(struct loop *l, struct loop_src *s, uint32_t want) _must_check_;
/* Does nothing for a source that was not added. */
void loop_del(struct loop *l, struct loop_src *s);
void loop_want(struct loop_src *s, uint32_t want);

/* Monotonic time; loop_timer_set() on an armed timer moves it. They fire once. */
uint64_t loop_now_ns(void);
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ns);
void loop_timer_clear(struct loop *l, struct loop_timer *t);

/*
 * Block the signals of @mask and give them to @s->fn instead. loop_signals_del()
 * sets the old mask back; what is pending then is delivered the usual way.
 */
int loop_signals_add(struct loop *l, struct loop_signals *s, const sigset_t *mask) _must_check_;
void loop_signals_del(struct loop *l, struct loop_signals *s);

/*
 * loop_once() - Wait for something to happen and call whom it concerns.
 *
 * Return: 0, -errno. With nothing to wait for at all it waits for ever.
 */
int loop_once(struct loop *l) _must_check_;

#endif
