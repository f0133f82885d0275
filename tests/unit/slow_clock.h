/* SPDX-License-Identifier: MIT */
/*
 * slow_clock.h - a clock that can go slower, for who waits for another process no longer than some time: on a busy machine
 * that one may be kept from a processor for longer. The test is linked with --wrap=clock_gettime.
 */
#ifndef TESTS_SLOW_CLOCK_H
#define TESTS_SLOW_CLOCK_H

#include <stdint.h>
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

#define SLOWLY      10 /* where a silence is waited for */
#define VERY_SLOWLY 100

static unsigned int slowness = 1;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);
	uint64_t ns = ((uint64_t)ret->tv_sec * 1000000000 + (uint64_t)ret->tv_nsec) / slowness;

	ret->tv_sec = (time_t)(ns / 1000000000);
	ret->tv_nsec = (long)(ns % 1000000000);
	return r;
}

#endif
