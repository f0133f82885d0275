// SPDX-License-Identifier: GPL-2.0-only
/* time.c - the processor's time stamp counter as clock; timers are due when someone looks. */
/*
 * Theory of operation
 *
 * The counter is measured against the host's clock twice: for some milliseconds at the start, which
 * is good to about 20 ppm and serves from then on; and over the first seconds, which replaces it as
 * clock source (as x86 does with "tsc-early").
 *
 * There is no timer interrupt: `deadline` is compared with the clock on each trap, on each tick of
 * the host process, on every 64th patched system call, and the idle loop sleeps no longer than
 * that.
 */
#include <asm/irq_regs.h>
#include <asm/lo.h>
#include <asm/trap.h>
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/delay.h>
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/random.h>
#include <linux/sched/clock.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "../host/host.h"

#define CALIBRATION_NS 5000000
#define BRACKETS       8
#define REFINE_AFTER   (3 * HZ)
#define NEVER          (~0ULL)

/* The same instant on both clocks. */
struct instant {
	u64 tsc, ns;
};

static struct instant start;
static u64 tsc_hz, ns_per_tsc; /* the second in 1/2^32 */
static u64 deadline = NEVER;

static inline u64 read_tsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static u64 host_ns(int clock)
{
	struct host_timespec t;

	host_clock(clock, &t);
	return t.sec * NSEC_PER_SEC + t.nsec;
}

/* The tightest of some brackets: whatever delays us makes them wider. */
static struct instant measure(void)
{
	struct instant best = { 0, 0 };
	u64 width = NEVER;
	int i;

	for (i = 0; i < BRACKETS; i++) {
		u64 before = read_tsc(), ns = host_ns(HOST_CLOCK_MONOTONIC), after = read_tsc();

		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct instant){ before + width / 2, ns };
	}
	return best;
}

static u64 hz_since_start(void)
{
	struct instant now = measure();

	return mul_u64_u64_div_u64(now.tsc - start.tsc, NSEC_PER_SEC, now.ns - start.ns);
}

void __init lo_time_calibrate(void)
{
	start = measure();
	while (host_ns(HOST_CLOCK_MONOTONIC) - start.ns < CALIBRATION_NS)
		cpu_relax();
	tsc_hz = hz_since_start();
	ns_per_tsc = (NSEC_PER_SEC << 32) / tsc_hz;
}

u64 notrace lo_time_ns(void)
{
	return (u64)((unsigned __int128)(read_tsc() - start.tsc) * ns_per_tsc >> 32);
}

unsigned long long notrace sched_clock(void)
{
	return ns_per_tsc ? lo_time_ns() : 0;
}

static int set_next_event(unsigned long ns, struct clock_event_device *dev)
{
	deadline = lo_time_ns() + ns;
	return 0;
}

static int set_no_event(struct clock_event_device *dev)
{
	deadline = NEVER;
	return 0;
}

static struct clock_event_device timer = {
	.name = "lo",
	.features = CLOCK_EVT_FEAT_ONESHOT,
	.rating = 300,
	.set_next_event = set_next_event,
	.set_state_shutdown = set_no_event,
	.set_state_oneshot = set_no_event,
};

static u64 clock_read(struct clocksource *clock)
{
	return read_tsc();
}

static struct clocksource early = {
	.name = "tsc-early",
	.rating = 300,
	.read = clock_read,
	.mask = CLOCKSOURCE_MASK(64),
	.vdso_clock_mode = VDSO_CLOCKMODE_TSC,
	.flags = CLOCK_SOURCE_IS_CONTINUOUS,
};

static struct clocksource refined = {
	.name = "tsc",
	.rating = 400,
	.read = clock_read,
	.mask = CLOCKSOURCE_MASK(64),
	.vdso_clock_mode = VDSO_CLOCKMODE_TSC,
	.flags = CLOCK_SOURCE_IS_CONTINUOUS,
};

static void refine(struct work_struct *work)
{
	clocksource_register_hz(&refined, hz_since_start());
}
static DECLARE_DELAYED_WORK(refine_work, refine);

static int __init refine_later(void)
{
	schedule_delayed_work(&refine_work, REFINE_AFTER);
	return 0;
}
device_initcall(refine_later);

void __init time_init(void)
{
	clocksource_register_hz(&early, tsc_hz);
	timer.cpumask = cpumask_of(0);
	clockevents_config_and_register(&timer, NSEC_PER_SEC, 1000, 0x7fffffff);
}

void read_persistent_clock64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(host_ns(HOST_CLOCK_REALTIME));
}

/* Out of the idle loop there are no registers; the periodic tick, before high resolution, looks at them. */
void lo_timer_check(void)
{
	static struct pt_regs of_kernel;
	struct pt_regs *old = get_irq_regs();

	if (lo_time_ns() < deadline)
		return;
	deadline = NEVER;
	lo_irq_enter();
	if (!old)
		set_irq_regs(&of_kernel);
	timer.event_handler(&timer);
	set_irq_regs(old);
	lo_irq_exit();
}

void lo_timer_poll(void)
{
	unsigned long flags;

	if (lo_time_ns() < deadline)
		return;
	local_irq_save(flags);
	lo_timer_check();
	local_irq_restore(flags);
}

u64 lo_timer_left(u64 max_ns)
{
	u64 now = lo_time_ns();

	if (deadline <= now)
		return 0;
	return min(deadline - now, max_ns);
}

void calibrate_delay(void)
{
	loops_per_jiffy = tsc_hz / HZ;
}

static void delay_ns(u64 ns)
{
	u64 end = lo_time_ns() + ns;

	while (lo_time_ns() < end)
		cpu_relax();
}

/* Called with microseconds times 2^32 / 10^6, see asm-generic/delay.h. */
void __const_udelay(unsigned long scaled)
{
	delay_ns((scaled / 0x10c7 + 1) * 1000);
}

void __udelay(unsigned long us)
{
	delay_ns(us * 1000);
}

void __ndelay(unsigned long ns)
{
	delay_ns(ns);
}
