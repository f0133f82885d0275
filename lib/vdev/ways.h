/* SPDX-License-Identifier: MIT */
/*
 * ways.h - two ways to do the same, of which the one is to be taken that takes less time here and now.
 *
 * Theory of operation
 *
 * Each way keeps an average of how long it took; one that was never taken is thought to take no time. The
 * other one is tried now and then, for what is better changes with what else the machine does. A single
 * time counts for no more than twice the average: a machine that stood still once says nothing.
 *
 * One thread.
 */
#ifndef VDEV_WAYS_H
#define VDEV_WAYS_H

#include <stdint.h>
#include <time.h>

#define WAYS_TRY_OTHER  32
#define WAYS_AVERAGE_OF 8

struct ways {
	uint64_t mean_ns[2];
	unsigned int choices;
};

static inline uint64_t ways_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 0 or 1, the way to take now; 0 if they are about equal. */
static inline unsigned int ways_choose(struct ways *w)
{
	unsigned int better = w->mean_ns[1] + w->mean_ns[1] / 8 < w->mean_ns[0];

	return ++w->choices % WAYS_TRY_OTHER ? better : !better;
}

static inline void ways_learn(struct ways *w, unsigned int way, uint64_t took_ns)
{
	uint64_t *mean = &w->mean_ns[way];
	uint64_t ns = !*mean || took_ns < 2 * *mean ? took_ns : 2 * *mean;

	if (*mean)
		*mean += ns / WAYS_AVERAGE_OF - *mean / WAYS_AVERAGE_OF;
	else
		*mean = ns;
}

#endif
