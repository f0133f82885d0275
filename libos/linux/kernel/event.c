// SPDX-License-Identifier: GPL-2.0-only
/* event.c - the idle loop: descriptors of the host and rings in memory. */
/*
 * Theory of operation
 *
 * A driver whose other side writes to a descriptor adds a struct lo_event; one whose other side
 * writes to memory adds a struct lo_poll. Idle, arch_cpu_idle() polls the latter for a while, then
 * sleeps in the host's ppoll until a descriptor is ready or the next timer is due. Busy, each tick
 * looks at both. All host processes share one descriptor table, so it doesn't matter in which of
 * them the kernel is idle. Handlers run as interrupts do.
 *
 * How long to poll: to be woken costs tens of microseconds, as much as a fast disk takes, so there
 * it pays to poll until it has answered; but if the other side needs our processor to answer, polling
 * is what it waits for, and if it takes milliseconds, polling is for nothing. What it is can't be
 * seen, so it is tried: both ways of waiting keep an average of how long the wait was, the better one
 * is taken, and the other one every TRY_OTHER times.
 */
#include <asm/event.h>
#include <asm/hostproc.h>
#include <asm/linux_versions.h>
#include <asm/lo.h>
#include <asm/trap.h>
#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/sched.h>

#include "../host/host.h"

#define MAX_EVENTS 64
#define TRY_OTHER  32
#define AVERAGE_OF 8
#define SLEEP_NS   (10 * NSEC_PER_SEC)

static LIST_HEAD(events);
static LIST_HEAD(polls);

void lo_event_add(struct lo_event *event)
{
	unsigned long flags;

	local_irq_save(flags);
	list_add_tail(&event->node, &events);
	local_irq_restore(flags);
}

void lo_event_del(struct lo_event *event)
{
	unsigned long flags;

	local_irq_save(flags);
	list_del_init(&event->node);
	local_irq_restore(flags);
}

void lo_poll_add(struct lo_poll *poll)
{
	unsigned long flags;

	local_irq_save(flags);
	list_add_tail(&poll->node, &polls);
	local_irq_restore(flags);
}

void lo_poll_del(struct lo_poll *poll)
{
	unsigned long flags;

	local_irq_save(flags);
	list_del_init(&poll->node);
	local_irq_restore(flags);
}

static bool run_polls(void)
{
	struct lo_poll *poll, *next;
	bool worked = false;

	if (list_empty(&polls))
		return false;
	lo_irq_enter();
	list_for_each_entry_safe(poll, next, &polls, node)
		worked |= poll->poll(poll);
	lo_irq_exit();
	return worked;
}

static unsigned int collect(struct host_pollfd *fds)
{
	struct lo_event *event;
	unsigned int n = 0;

	list_for_each_entry(event, &events, node) {
		if (n == MAX_EVENTS)
			break;
		fds[n++] = (struct host_pollfd){ .fd = event->fd, .events = event->wants };
	}
	return n;
}

/* Looked up again by descriptor: one handler may remove another's event. */
static void dispatch(const struct host_pollfd *fds, unsigned int n)
{
	struct lo_event *event, *next;
	unsigned int i;

	lo_irq_enter();
	for (i = 0; i < n; i++) {
		if (!fds[i].revents)
			continue;
		list_for_each_entry_safe(event, next, &events, node)
			if (event->fd == fds[i].fd && event->wants == fds[i].events)
				event->ready(event);
	}
	lo_irq_exit();
}

static void wait(u64 ns)
{
	static struct host_pollfd fds[MAX_EVENTS];
	struct host_timespec timeout = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
	unsigned int n = collect(fds);

	if (n == 0 && ns == 0)
		return;
	if (host_poll(fds, n, &timeout) > 0)
		dispatch(fds, n);
}

void lo_event_check(void)
{
	run_polls();
	wait(0);
}

/* Ways to wait. A wait that is longer than LONG_WAIT_NS says nothing of the way. */
#define LONG_WAIT_NS 400000

static struct way {
	u64 spin_ns; /* before sleeping */
	u64 mean_ns; /* of the waits */
} ways[] = { { .spin_ns = 20000 }, { .spin_ns = 200000 } };

static struct way *choose(void)
{
	static unsigned int count;
	/* A tie is for the one that burns less. */
	bool patient = ways[1].mean_ns + ways[1].mean_ns / 8 < ways[0].mean_ns;

	if (++count % TRY_OTHER == 0)
		patient = !patient;
	return &ways[patient];
}

static void learn(struct way *way, u64 waited)
{
	waited = min_t(u64, waited, LONG_WAIT_NS);
	way->mean_ns += waited / AVERAGE_OF;
	way->mean_ns -= way->mean_ns / AVERAGE_OF;
}

/* True: a ring had something. */
static bool spin(u64 end)
{
	if (list_empty(&polls))
		return false;
	do {
		if (run_polls() || need_resched())
			return true;
		cpu_relax();
	} while (lo_time_ns() < end && lo_timer_left(1));
	return false;
}

static bool arm_polls(bool on)
{
	struct lo_poll *poll;
	bool waiting = false;

	list_for_each_entry(poll, &polls, node)
		waiting |= poll->arm(poll, on);
	return waiting;
}

void arch_cpu_idle(void)
{
	u64 start = lo_time_ns();
	struct way *way = choose();

	if (!spin(start + way->spin_ns)) {
		if (!arm_polls(true)) {
			lo_hostproc_unbind();
			wait(lo_timer_left(SLEEP_NS));
		}
		arm_polls(false);
	}
	learn(way, lo_time_ns() - start);
	lo_timer_check();
	if (LO_IDLE_ENABLES_IRQS)
		raw_local_irq_enable();
}
