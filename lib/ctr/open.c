/* SPDX-License-Identifier: MIT */
/*
 * open.c - from what the user typed to a process that is held.
 *
 * Theory of operation
 *
 * An engine says a number, and until a pidfd of it is open the container may have ended and
 * the number have a new owner. But whoever began before the engine was asked, and has the
 * pid once it is held, had it all the time between: the engine meant this process. A
 * younger one is the container's, just started, or a stranger. So the engine is asked
 * again, after a tick of the clock that start times are counted in.
 */
#include <errno.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "ctr.h"
#include "stat.h"

#define TRIES_MAX 3

/* In the clock, the time namespace and the unit of a process's start. */
static uint64_t now_ticks(void)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * hz + (uint64_t)t.tv_nsec / (1000000000 / hz);
}

static void wait_tick(void)
{
	struct timespec t = { .tv_nsec = 1000000000 / sysconf(_SC_CLK_TCK) };

	(void)nanosleep(&t, NULL);
}

/* Hold @pid; -EAGAIN if it has ended, or did not begin before @asked. */
static int hold(pid_t pid, uint64_t asked, struct pid_ref *ret, struct err *e)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct proc_stat st;
	int r = pid_open(pid, &ref, e);

	if (r < 0)
		return r == -ESRCH ? -EAGAIN : r;
	r = proc_stat_read(ref.procfd, &st);
	if (r == -ESRCH)
		return err_set(e, EAGAIN, "process %d has just ended", pid);
	if (r < 0)
		return err_set(e, -r, "reading the start time of process %d: %s", pid, err_str(r));
	if (st.start >= asked)
		return err_set(e, EAGAIN,
			       "the container has ended, its pid %d now belongs to another process",
			       pid);
	*ret = ref;
	ref = (struct pid_ref)PID_REF_INIT;
	return 0;
}

int ctr_open(const struct ctr_env *env, const char *target, struct ctr *ret,
	     struct pid_ref *ret_ref, struct err *e)
{
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < TRIES_MAX; tries++) {
		_cleanup_ctr_ struct ctr c = { 0 };
		uint64_t asked = now_ticks();

		r = ctr_resolve(env, target, &c, e);
		if (!r)
			r = hold(c.pid, asked, ret_ref, e);
		if (!r) {
			*ret = c;
			c = (struct ctr){ 0 };
		}
		if (r == -EAGAIN)
			wait_tick();
	}
	return r == -EAGAIN ? -ESRCH : r;
}
