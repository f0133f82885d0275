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
 * How long to poll: to be woken costs tens of microseconds, on both sides, as much as a fast disk takes, so
 * there it pays to poll until it has answered. If it takes longer than LONG_NS, polling is for nothing; so it is
 * if the other side needs our processor to answer, and then it takes that long. So long looks are gone on with
 * while at least a fourth of them see something in time, and tried now and then if not; never with one processor.
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
#define SHORT_NS   20000
#define LONG_NS    300000
#define TRY_LONG   16  /* short looks until a long one is tried */
#define LUCK_MAX   256 /* all long looks saw something */
#define LUCK_OF    8   /* looks that count */
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

static unsigned int luck = LUCK_MAX; /* of long looks */
static bool alone;                   /* there is one processor that we may run on */

static bool choose_long(void)
{
	static unsigned int count;

	return !alone && (luck > LUCK_MAX / 4 || ++count % TRY_LONG == 0);
}

static void learn(bool in_time)
{
	luck -= luck / LUCK_OF;
	if (in_time)
		luck += LUCK_MAX / LUCK_OF;
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

/* Before the filter of host calls. */
static int __init count_processors(void)
{
	alone = host_processors() < 2;
	return 0;
}
core_initcall(count_processors);

void arch_cpu_idle(void)
{
	bool patient = choose_long(), found, late;
	u64 end = lo_time_ns() + (patient ? LONG_NS : SHORT_NS);

	found = spin(end);
	late = lo_time_ns() >= end;
	/* A timer that was due says nothing. */
	if (patient && (found || late))
		learn(found && !late);
	if (!found) {
		if (!arm_polls(true)) {
			lo_hostproc_unbind();
			wait(lo_timer_left(SLEEP_NS));
		}
		arm_polls(false);
	}
	lo_timer_check();
	if (LO_IDLE_ENABLES_IRQS)
		raw_local_irq_enable();
}
