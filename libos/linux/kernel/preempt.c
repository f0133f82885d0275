// SPDX-License-Identifier: GPL-2.0-only
/* preempt.c - whom a program wakes does not take the vCPU from it; whom an interrupt wakes does. */
/*
 * Theory of operation
 *
 * Linux lets a task that wakes up preempt the one that runs if it has had that much less of the
 * processor: wakeup granularity, 1 ms. A task that sleeps often enough is given 3 ms, so a server
 * preempts its client at each request, the client is preempted before it has sent the next one, and each
 * request costs two switches between processes. Here such a switch is a handover between host
 * processes, several microseconds. With 4 ms the client goes on until it has to wait, and the server finds all
 * its requests at once. If it doesn't wait, the tick decides, as it does anyway.
 *
 * What the kernel's own work takes over from a program that made too many packets at once (ksoftirqd) is preferred a
 * little, so that the program doesn't go on making more for 4 ms.
 *
 * An interrupt says that something has happened that nobody could wait for in turn: a packet, a timer.
 * Who waits for that preempts as ever.
 */
#include <asm/linux_versions.h>
#include <asm/trap.h>
#include <linux/hardirq.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#define BY_INTERRUPTS_NS 1000000
#define BY_PROGRAMS_NS   4000000
#define KSOFTIRQD_NICE   (-5) /* of the granularity, a third */

#if LO_LINUX_BEFORE(6, 6)
extern unsigned int sysctl_sched_wakeup_granularity; /* its header is the scheduler's own */
#else
static unsigned int sysctl_sched_wakeup_granularity; /* the scheduler that came then knows none */
#endif

void lo_irq_enter(void)
{
	WRITE_ONCE(sysctl_sched_wakeup_granularity, BY_INTERRUPTS_NS);
	irq_enter();
}

void lo_irq_exit(void)
{
	irq_exit();
	if (!in_interrupt())
		WRITE_ONCE(sysctl_sched_wakeup_granularity, BY_PROGRAMS_NS);
}

static int __init prefer_ksoftirqd(void)
{
	set_user_nice(this_cpu_ksoftirqd(), KSOFTIRQD_NICE);
	return 0;
}
late_initcall(prefer_ksoftirqd);
