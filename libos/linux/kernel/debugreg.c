// SPDX-License-Identifier: GPL-2.0-only
/* debugreg.c - debug registers of programs, played by single steps. */
/*
 * Theory of operation
 *
 * The processor's own belong to the host, and to set them takes system calls that the filter has not. But gdb
 * takes them for granted: "watch" uses them on x86-64 without a question, and a refusal is an error, not a watchpoint in
 * software. So a task with a slot enabled runs with the trap flag, which is nobody's then (TIF_FORCED_TF), and after
 * each instruction lo_debugreg_step() looks at what is watched. That takes some microseconds an instruction, and
 * a tenth of what gdb's own steps take.
 *
 * A change is seen, a write of the same value is not; debuggers ask for changes. Nor is a read: a slot for
 * reads is refused, instead of never firing. What the kernel writes is seen after the call.
 *
 * The flag is set anew whenever the task has been in the kernel (lo_debugreg_arm()), for a POPF of the program may have cleared it.
 */
#include <asm/debugreg.h>
#include <asm/patch.h>
#include <asm/ptrace.h>
#include <linux/entry-common.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#define DR_STATUS  6
#define DR_CONTROL 7
/* Bits of DR6 that are always one; that of a single step. */
#define STATUS_ONES 0xffff0ff0UL
#define STATUS_STEP 0x4000UL
/* Bits of DR7 that Linux takes from no debugger: reserved ones and "general detect". */
#define CONTROL_IGNORED 0xffffffff0000fc00UL
#define CONTROL_KIND(n) (16 + 4 * (n))
#define CONTROL_SIZE(n) (18 + 4 * (n))
#define FLAG_TRAP       0x100UL

enum kind {
	EXECUTED = 0,
	WRITTEN = 1,
};

static bool is_enabled(unsigned long control, unsigned int n)
{
	return control >> 2 * n & 3;
}

static enum kind kind_of(unsigned long control, unsigned int n)
{
	return control >> CONTROL_KIND(n) & 3;
}

static unsigned int size_of(unsigned long control, unsigned int n)
{
	static const unsigned int sizes[] = { 1, 2, 8, 4 };

	return sizes[control >> CONTROL_SIZE(n) & 3];
}

static int check(unsigned long addr, unsigned long control, unsigned int n)
{
	unsigned int size = size_of(control, n);

	if (!is_enabled(control, n))
		return 0;
	switch (kind_of(control, n)) {
	case EXECUTED:
		return size == 1 ? 0 : -EINVAL;
	case WRITTEN:
		return addr & (size - 1) ? -EINVAL : 0;
	}
	return -EINVAL;
}

unsigned long lo_debugreg_get(const struct task_struct *task, unsigned int n)
{
	const struct lo_debugreg *d = &task->thread.debug;

	if (n < LO_DEBUG_SLOTS)
		return d->addr[n];
	if (n == DR_STATUS)
		return d->status ^ STATUS_ONES;
	return n == DR_CONTROL ? d->control : 0;
}

int lo_debugreg_set(struct task_struct *task, unsigned int n, unsigned long value)
{
	struct lo_debugreg *d = &task->thread.debug;
	unsigned int i;
	int r;

	if (n < LO_DEBUG_SLOTS) {
		r = value < TASK_SIZE ? check(value, d->control, n) : -EINVAL;
		if (!r)
			d->addr[n] = value;
		return r;
	}
	if (n == DR_STATUS) {
		d->status = value ^ STATUS_ONES;
		return 0;
	}
	if (n != DR_CONTROL)
		return value ? -EIO : 0;
	value &= ~CONTROL_IGNORED;
	for (i = 0; i < LO_DEBUG_SLOTS; i++) {
		r = check(d->addr[i], value, i);
		if (r)
			return r;
	}
	d->control = value;
	return 0;
}

/* What isn't there is zero. */
static u64 look(struct task_struct *task, unsigned long addr, unsigned int size)
{
	u64 value = 0;

	if (access_process_vm(task, addr, &value, size, FOLL_FORCE) != size)
		return 0;
	return value;
}

/* A flag that is set already is the program's own, or it is forced already. */
static void force_steps(struct task_struct *task, struct pt_regs *regs)
{
	if (!(regs->flags & FLAG_TRAP))
		set_tsk_thread_flag(task, TIF_FORCED_TF);
	regs->flags |= FLAG_TRAP;
}

void lo_debugreg_arm(struct pt_regs *regs)
{
	if (unlikely(lo_debugreg_on(current)))
		force_steps(current, regs);
}

void lo_debugreg_resume(struct task_struct *task)
{
	struct lo_debugreg *d = &task->thread.debug;
	struct mm_struct *mm;
	unsigned int i;

	if (!lo_debugreg_on(task))
		return;
	mm = get_task_mm(task);
	if (!mm)
		return;
	lo_patch_stop(mm); /* no step is of a trampoline */
	mmput(mm);
	for (i = 0; i < LO_DEBUG_SLOTS; i++)
		if (is_enabled(d->control, i) && kind_of(d->control, i) == WRITTEN)
			d->seen[i] = look(task, d->addr[i], size_of(d->control, i));
	force_steps(task, task_pt_regs(task));
}

static bool fires(struct lo_debugreg *d, unsigned int n, const struct pt_regs *regs)
{
	u64 before = d->seen[n];

	if (!is_enabled(d->control, n))
		return false;
	if (kind_of(d->control, n) == EXECUTED)
		return regs->ip == d->addr[n];
	d->seen[n] = look(current, d->addr[n], size_of(d->control, n));
	return d->seen[n] != before;
}

static unsigned long fired(const struct pt_regs *regs)
{
	struct lo_debugreg *d = &current->thread.debug;
	unsigned long bits = 0;
	unsigned int i;

	for (i = 0; i < LO_DEBUG_SLOTS; i++)
		if (fires(d, i, regs))
			bits |= 1UL << i;
	return bits;
}

bool lo_debugreg_step(struct pt_regs *regs)
{
	/* The debugger steps, too, or the program has set the flag for itself. */
	bool wanted = test_thread_flag(TIF_SINGLESTEP) || !test_thread_flag(TIF_FORCED_TF);
	unsigned long bits = fired(regs);

	if (!bits && !wanted)
		return true;
	current->thread.debug.status = bits | (wanted ? STATUS_STEP : 0);
	if (wanted)
		return false;
	force_sig_fault(SIGTRAP, TRAP_HWBKPT, (void __user *)regs->ip);
	return true;
}

void lo_debugreg_after_call(struct pt_regs *regs)
{
	unsigned long bits;

	local_irq_enable();
	bits = fired(regs);
	if (bits) {
		current->thread.debug.status = bits;
		force_sig_fault(SIGTRAP, TRAP_HWBKPT, (void __user *)regs->ip);
	}
	local_irq_disable();
	irqentry_exit_to_user_mode(regs);
}
