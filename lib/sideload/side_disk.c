/* SPDX-License-Identifier: MIT */
#include "side_disk.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "tracee.h"

#define NEAR_NS        500000ULL /* after an answer the next question is near */
#define SOON_NS        20000ULL  /* and if it would ring: no longer than the ring costs */
#define PAUSE_LEAST_US 50
#define PAUSE_MOST_US  1000
#define RUNG_US        100000

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Of one who looks for something to do. */
struct pause {
	uint64_t since_ns; /* there was nothing */
	uint64_t us;       /* the next one */
};

/* The guest rings after it has offered something, if it sees that we are asleep. */
static void sleep_on(struct side_disk_host *h, struct pause *p)
{
	const uint64_t us = *h->has_door ? RUNG_US : p->us;
	const struct timespec ts = { 0, (long)us * 1000 };
	struct pollfd fd = { .fd = h->ear.fd, .events = POLLIN };

	if (ppoll(&fd, 1, &ts, NULL) > 0)
		(void)side_ear_clear(&h->ear);
	p->us = p->us * 5 / 4 < PAUSE_MOST_US ? p->us * 5 / 4 : PAUSE_MOST_US;
}

/* Who is rung gives nobody else the processor: it looks for too short a time. */
static bool is_near(const struct side_disk_host *h, const struct pause *p)
{
	const bool rung = *h->has_door,
		   near = tracee_now_ns() - p->since_ns < (rung ? SOON_NS : NEAR_NS);

	if (near && rung)
		__builtin_ia32_pause();
	else if (near)
		(void)sched_yield();
	return near;
}

static bool change(struct side_disk *d, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&d->served, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* Return: as the server's; -ECANCELED the guest's side answers by now. */
static int turn(const struct side_disk_host *h)
{
	bool ours;
	int n;

	if (!change(h->shared, SIDE_DISK_SERVED, SIDE_DISK_TURN))
		return -ECANCELED;
	n = h->server.turn(h->server.arg);
	ours = change(h->shared, SIDE_DISK_TURN, SIDE_DISK_SERVED);
	if (n > 0) {
		__atomic_add_fetch(&h->shared->done, 1, __ATOMIC_RELEASE);
		side_inject_ring(&h->inject);
	}
	return ours ? n : -ECANCELED;
}

static void *serve(void *arg)
{
	struct side_disk_host *h = arg;
	struct side_disk *d = h->shared;
	struct pause p = { tracee_now_ns(), PAUSE_LEAST_US };

	while (!load(&h->stop)) {
		int n = turn(h);

		if (n > 0) {
			p = (struct pause){ tracee_now_ns(), PAUSE_LEAST_US };
			side_ear_found(&h->ear);
		}
		if (!n && is_near(h, &p))
			continue;
		if (!n) {
			/* the partner is in tell() of guest/side/side_disk.c */
			__atomic_store_n(&d->asleep, 1, __ATOMIC_SEQ_CST);
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			n = turn(h);
			if (!n)
				sleep_on(h, &p);
			__atomic_store_n(&d->asleep, 0, __ATOMIC_RELAXED);
		}
		if (n < 0)
			break;
	}
	/* what is asked from here on, its own side has to answer */
	__atomic_store_n(&d->served, SIDE_DISK_NOT, __ATOMIC_RELEASE);
	return NULL;
}

int side_disk_host_start(struct side_disk_host *h, struct err *e)
{
	struct side_disk *shared = h->shared;
	sigset_t all, old;
	int r = side_ear_open(&h->ear, h->door, -1, h->finds, e);

	if (r < 0)
		return r;
	for (size_t i = 0; h->server.far && i < h->far.n; i++)
		shared->far[i] = (struct side_disk_far){ h->far.region[i].base.v - SIDE_DISK_FAR,
							 h->far.region[i].size };
	__atomic_store_n(&shared->position, SIDE_DISK_WRAP, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->next, SIDE_DISK_WRAP, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->served, SIDE_DISK_SERVED, __ATOMIC_RELEASE);
	/* signals are the caller's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&h->thread, NULL, serve, h);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		side_ear_close(&h->ear);
		return err_set(e, r, "no thread for the guest's disk: %s", err_str(r));
	}
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
	side_ear_close(&h->ear);
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
