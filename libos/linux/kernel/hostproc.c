// SPDX-License-Identifier: GPL-2.0-only
/* hostproc.c - one host process per mm; the vCPU goes from one to the next. */
/*
 * Theory of operation
 *
 * The host's page tables are our TLB, and a host process has one set of them. So each mm that runs
 * has a host process of its own, whose user range holds the mm's mappings. All share the RAM, the
 * kernel's data (both memfds) and the descriptor table; private are the stack that the host gave,
 * and LO_HOSTCPU with the signal stack.
 *
 * Exactly one of them runs, the one that has the vCPU. lo_hostproc_switch() hands it over:
 * lo_handover() leaves the kernel stack, lo_hostproc_sleep() wakes the other process and
 * sleeps on its own futex, and the kernel goes on where it was, on the same kernel stack, in the
 * other process. Vector registers belong to a host process, so they are put away before.
 *
 * To wake an idle processor takes the host longer, in a virtual machine tens of microseconds, than
 * a switch on the same one, and only one of them runs. So who gives the vCPU away binds the next
 * one to the processor that it runs on (bring_here). As that must not keep the vCPU on a processor
 * that others want while another one is idle, all that the launcher was allowed is allowed again to
 * a process that runs for some ticks, or sleeps as the idle loop, and, now and then, to one
 * that is about to wake up.
 *
 * Host processes are a cache: lo_hostproc_put() frees one with its mappings still in it. The next
 * mm that gets it keeps those that are right for it, and unmaps the others (mm/mappings.c); if there
 * are too many, or the host refuses one more, the mm that comes next in turn loses its own, and
 * faults its pages in again in another one later.
 *
 *	process 1	the first one. It gets the exit status, and waits for the others at the end.
 *	process 0	the zygote, its child: has no user mapping, so its forks are cheap. It makes
 *			all others, on demand.
 *
 * They live and die together: each is killed by the death of its parent; the zygote ends with any
 * of its children, process 1 with the zygote (on_child). In an orderly end process 1 adopts
 * what is left and waits until nothing is.
 *
 * With several vCPUs a host process has one thread for each; `turn` becomes one word per vCPU.
 */
#include <asm/fpu.h>
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/tlbflush.h>
#include <asm/trap.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>

#include "../host/host.h"

#define ZYGOTE      0
#define FIRST       1
#define SIGNAL_KILL 9

/* What lo_hostproc.turn says. */
#define TURN_NONE   0 /* nothing, and the process need not be woken */
#define TURN_GIVEN  1
#define TURN_SLEEPS 2 /* the process sleeps, or is about to */

/* Ticks of one host process without a handover until it may run anywhere again. */
#define ALONE_TICKS 2
/* Ticks of all until the host's scheduler is asked again where the vCPU shall run. */
#define ROAM_TICKS 8

struct lo_hostproc lo_hostprocs[LO_HOSTPROCS];
static DEFINE_RAW_SPINLOCK(table_lock);
static int count = FIRST + 1; /* of the table, in use */
static int hand = FIRST;      /* where the next one is taken from if there are too many */

static int request;      /* index that the zygote shall fill */
static int request_done; /* futex: it has tried */
static int ending;       /* an orderly end has begun */
static int exit_status = LO_EXIT_FAILED;

/* Nothing of it if there is only one processor that we may run on. */
static bool binds;
static unsigned int ticks_alone; /* since the last handover */
static unsigned int ticks_bound; /* since the host's scheduler had a say */

void lo_handover(int to);
void lo_handover_resume(void);

static void wait_turn(int *turn)
{
	int none = TURN_NONE;

	if (__atomic_compare_exchange_n(turn, &none, TURN_SLEEPS, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) == TURN_SLEEPS)
			host_futex_wait(turn, TURN_SLEEPS);
	__atomic_store_n(turn, TURN_NONE, __ATOMIC_SEQ_CST);
}

static void give_turn(int *turn)
{
	if (__atomic_exchange_n(turn, TURN_GIVEN, __ATOMIC_SEQ_CST) == TURN_SLEEPS)
		host_futex_wake(turn);
}

/* `cpu` negative: on all that the launcher was allowed. A failure costs time, no more. */
static void bind(struct lo_hostproc *proc, int cpu)
{
	if (proc->cpu == cpu || proc->pid <= 0 /* the zygote does not know it yet */)
		return;
	proc->cpu = cpu;
	lo_stats.binds++;
	host_bind(proc->pid, cpu);
}

/* Before `to` gets the vCPU from us: it shall wake up where we run, but for now and then. */
static void bring_here(struct lo_hostproc *to)
{
	bool roams = ticks_bound >= ROAM_TICKS;

	ticks_alone = 0;
	if (!binds)
		return;
	if (roams)
		ticks_bound = 0;
	bind(to, roams ? LO_ANY_CPU : host_cpu());
}

void lo_hostproc_unbind(void)
{
	bind(&lo_hostprocs[lo_vcpu()->hostproc], LO_ANY_CPU);
}

void lo_hostproc_tick(void)
{
	ticks_bound++;
	if (++ticks_alone >= ALONE_TICKS)
		lo_hostproc_unbind();
}

static void say(const char *text)
{
	host_write(2, text, strlen(text));
}

/* In process 1: the end. Its children die with the zygote, and are ours by then. */
static void __noreturn end_all(int status)
{
	int dummy;

	WRITE_ONCE(ending, 1);
	if (lo_hostprocs[ZYGOTE].pid > 0)
		host_kill(lo_hostprocs[ZYGOTE].pid, SIGNAL_KILL);
	while (host_wait(&dummy, 0) != -ECHILD)
		;
	host_exit(status);
}

/* A child died, and was not told to. */
static void on_child(int signal, void *info, void *context)
{
	if (READ_ONCE(ending))
		return;
	if (lo_hostcpu()->index != FIRST)
		host_exit(LO_EXIT_FAILED);
	say("libos: a host process of it was killed; this is the end of all\n");
	end_all(LO_EXIT_FAILED);
}

/* On the private stack: gives the vCPU to process `to`, returns when it is back. */
__visible void lo_hostproc_sleep(long to)
{
	int self = lo_hostcpu()->index;

	lo_vcpu()->hostproc = to;
	bring_here(&lo_hostprocs[to]);
	give_turn(&lo_hostprocs[to].turn);
	wait_turn(&lo_hostprocs[self].turn);
	if (self == FIRST && READ_ONCE(ending))
		end_all(exit_status);
}

static void die_with_parent(int parent)
{
	host_die_with_parent(SIGNAL_KILL);
	if (host_parent_pid() != parent)
		host_exit(LO_EXIT_FAILED); /* it was dead before */
}

static void run_child(void)
{
	int self = request;

	lo_hostcpu()->index = self;
	die_with_parent(lo_hostprocs[ZYGOTE].pid);
	lo_trap_init_child();
	give_turn(&request_done);
	wait_turn(&lo_hostprocs[self].turn);
	lo_handover_resume();
}

static void run_zygote(void)
{
	lo_hostcpu()->index = ZYGOTE;
	die_with_parent(lo_hostprocs[FIRST].pid);
	for (;;) {
		int index;
		long pid;

		wait_turn(&lo_hostprocs[ZYGOTE].turn);
		index = request; /* the child may be done, and another asked for, before we go on */
		pid = host_spawn(lo_hostcpu()->stack, run_child);
		lo_hostprocs[index].pid = pid;
		if (pid < 0)
			give_turn(&request_done);
	}
}

/* Has the zygote make process `index`; false: the host refused. */
static bool spawn(int index)
{
	struct lo_hostproc *proc = &lo_hostprocs[index];

	request = index;
	proc->pid = 0;
	proc->cpu = LO_ANY_CPU;
	proc->generation = 1;
	give_turn(&lo_hostprocs[ZYGOTE].turn);
	wait_turn(&request_done);
	lo_stats.hostprocs++;
	return proc->pid >= 0;
}

/*
 * The first free one, or 0; one that is crowded before all others. Its program ended while another
 * one had the vCPU, and the host holds all its mappings until it is used again.
 */
static int find_free(int current_one)
{
	int i, found = 0;

	for (i = FIRST; i < count; i++) {
		if (lo_hostprocs[i].mm || i == current_one)
			continue;
		if (lo_hostprocs[i].crowded)
			return i;
		if (!found)
			found = i;
	}
	return found;
}

/* A free one, a new one, or someone's; never the one that has the vCPU. */
static int take(void)
{
	int current_one = lo_vcpu()->hostproc, found = find_free(current_one);

	if (found)
		return found;
	if (count < LO_HOSTPROCS && spawn(count))
		return count++;
	if (count <= FIRST + 1)
		panic("the host refuses a third process");
	do
		hand = hand + 1 < count ? hand + 1 : FIRST;
	while (hand == current_one);
	lo_hostprocs[hand].mm->context.hostproc = 0;
	lo_stats.steals++;
	return hand;
}

/* Before the first program, while process 1 still is as empty as the zygote shall be. */
static void start_zygote(void)
{
	long pid = host_spawn(lo_hostcpu()->stack, run_zygote);

	if (pid < 0)
		panic("the host refuses a second process: %ld", pid);
	lo_hostprocs[ZYGOTE].pid = pid;
}

static void get(struct mm_struct *mm)
{
	int index;

	raw_spin_lock(&table_lock);
	if (!lo_hostprocs[ZYGOTE].pid) {
		start_zygote();
		index = FIRST;
	} else {
		index = take();
	}
	lo_hostprocs[index].mm = mm;
	lo_hostprocs[index].stale = true;
	lo_hostprocs[index].newborn = mm->context.hostproc < 0;
	lo_hostprocs[index].parent = -mm->context.hostproc;
	lo_hostprocs[index].learns = 0;
	mm->context.hostproc = index;
	raw_spin_unlock(&table_lock);
}

void lo_hostproc_put(struct mm_struct *mm)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&table_lock, flags);
	if (mm->context.hostproc > 0)
		lo_hostprocs[mm->context.hostproc].mm = NULL;
	if (lo_vcpu()->mm == mm)
		lo_vcpu()->mm = NULL;
	raw_spin_unlock_irqrestore(&table_lock, flags);
}

/* What this process missed while others had the vCPU. */
static void catch_up(void)
{
	struct lo_hostproc *proc = &lo_hostprocs[lo_vcpu()->hostproc];

	if (proc->stale)
		lo_flush_all_later();
	proc->stale = false;
	lo_flush_vmalloc_missed();
}

void lo_hostproc_switch(struct mm_struct *mm)
{
	struct lo_vcpu *vcpu = lo_vcpu();
	unsigned long flags;

	if (mm == vcpu->mm || mm == &init_mm)
		return;
	local_irq_save(flags);
	lo_flush_run();
	if (mm->context.hostproc <= 0)
		get(mm);
	lo_stats.mm_switches++;
	if (mm->context.hostproc != vcpu->hostproc) {
		lo_fpu_park();
		lo_handover(mm->context.hostproc);
	}
	vcpu->mm = mm;
	catch_up();
	local_irq_restore(flags);
}

void __noreturn lo_hostproc_end(int status)
{
	static int never;

	exit_status = status;
	WRITE_ONCE(ending, 1);
	if (lo_hostcpu()->index == FIRST)
		end_all(status);
	give_turn(&lo_hostprocs[FIRST].turn);
	for (;;)
		host_futex_wait(&never, 0);
}

void __init lo_hostproc_init(unsigned long stack)
{
	const int child_died = 17;

	lo_hostcpu()->index = FIRST;
	lo_hostcpu()->stack = stack;
	lo_hostprocs[FIRST].pid = host_pid();
	lo_hostprocs[FIRST].cpu = LO_ANY_CPU;
	lo_hostprocs[FIRST].generation = 1;
	lo_vcpu()->hostproc = FIRST;
	binds = host_processors() > 1;
	host_adopt_orphans();
	host_handle(child_died, on_child);
}
