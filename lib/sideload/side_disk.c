/* SPDX-License-Identifier: MIT */
#include "side_disk.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "tracee.h"

#define NEAR_NS        500000ULL /* after an answer the next question is near */
#define RUNG_NEAR_NS   20000ULL /* and who is rung need not look for it for longer than that costs */
#define PAUSE_LEAST_US 50
#define PAUSE_MOST_US  1000
#define RUNG_MOST_US   100000

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Of one who looks for something to do. */
struct pause {
	uint64_t since_ns; /* there was nothing */
	uint64_t us;       /* the next one */
};

/*
 * The guest rings if it sees that we are asleep; it may have seen the opposite just before. Therefore the first looks are near each
 * other, and each that finds nothing makes the next one later: what was missed costs no more than it has waited.
 */
static void sleep_on(const struct side_disk_host *h, struct pause *p)
{
	/* at the end the guard has something else to do than to pass the ring on */
	const bool rung = *h->has_door && !load(&h->inject.state->stop);
	const uint64_t most = rung ? RUNG_MOST_US : PAUSE_MOST_US;
	const struct timespec ts = { 0, (long)p->us * 1000 };
	struct pollfd fd = { .fd = h->bell, .events = POLLIN };
	uint64_t n;

	if (ppoll(&fd, 1, &ts, NULL) > 0) {
		(void)!read(h->bell, &n, sizeof(n));
		*p = (struct pause){ tracee_now_ns(), PAUSE_LEAST_US };
		return;
	}
	p->us = p->us * 5 / 4 < most ? p->us * 5 / 4 : most;
}

static int turn(const struct side_disk_host *h)
{
	int n = h->server.turn(h->server.arg);

	if (n > 0) {
		__atomic_add_fetch(&h->shared->done, 1, __ATOMIC_RELEASE);
		side_inject_ring(&h->inject);
	}
	return n;
}

static void *serve(void *arg)
{
	struct side_disk_host *h = arg;
	struct side_disk *d = h->shared;
	struct pause p = { tracee_now_ns(), PAUSE_LEAST_US };

	while (!load(&h->stop) && load(&d->served)) {
		int n = turn(h);

		if (n > 0)
			p = (struct pause){ tracee_now_ns(), PAUSE_LEAST_US };
		if (!n && tracee_now_ns() - p.since_ns < (*h->has_door ? RUNG_NEAR_NS : NEAR_NS)) {
			(void)sched_yield();
			continue;
		}
		if (!n) {
			__atomic_store_n(&d->asleep, 1, __ATOMIC_SEQ_CST);
			n = turn(h);
			if (!n)
				sleep_on(h, &p);
			__atomic_store_n(&d->asleep, 0, __ATOMIC_RELAXED);
		}
		if (n < 0)
			break;
	}
	/* what is asked from here on, its own side has to answer */
	__atomic_store_n(&d->served, 0, __ATOMIC_RELEASE);
	return NULL;
}

int side_disk_host_start(struct side_disk_host *h, struct err *e)
{
	struct side_disk *shared = h->shared;
	sigset_t all, old;
	int r;

	__atomic_store_n(&shared->position, SIDE_DISK_WRAP, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->next, SIDE_DISK_WRAP, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->served, 1, __ATOMIC_RELEASE);
	/* signals are the caller's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&h->thread, NULL, serve, h);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return err_set(e, r, "no thread for the guest's disk: %s", err_str(r));
	h->runs = true;
	__atomic_store_n(&shared->wanted, 1, __ATOMIC_RELEASE);
	side_inject_ring(&h->inject);
	return 0;
}

void side_disk_host_stop(struct side_disk_host *h)
{
	if (!h->runs)
		return;
	__atomic_store_n(&h->stop, 1, __ATOMIC_RELEASE);
	(void)pthread_join(h->thread, NULL);
	h->runs = false;
}

int side_disk_state(const struct side_disk *d, struct err *e)
{
	uint32_t stage = load(&d->stage);
	int error = d->error;

	if (stage == SIDE_DISK_READY)
		return 1;
	if (stage == SIDE_DISK_FAILED && error == -ENODEV)
		return err_set(
			e, ENODEV,
			"the guest's kernel has no drivers for a disk (virtio_mmio and virtio_blk)");
	if (stage == SIDE_DISK_FAILED)
		return err_set(e, error < 0 && error > -4096 ? -error : EPROTO,
			       "making a disk in the guest: %s", err_str(error));
	return 0;
}
