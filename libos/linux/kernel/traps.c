// SPDX-License-Identifier: GPL-2.0-only
/* traps.c - host signals are our interrupt vectors. */
/*
 * Theory of operation
 *
 * lo_trap_init() gives the host one handler for what stands for a trap: SIGSYS for system calls,
 * SIGSEGV for page faults, SIGPROF for the clock, and the faults. lo_on_signal() runs on the signal
 * stack. If the program was running, its registers are copied from the signal frame into the
 * task's pt_regs, and lo_enter() goes on at the task's kernel stack in lo_trap_user(); the frame is
 * forgotten. The host has put the program's vector registers into the frame, so they are loaded
 * back: they stay in the processor while the kernel runs, which has no use for them.
 *
 * If the kernel was running, it is a tick, or a hole in the vmalloc range, and the handler returns;
 * anything else is a fault of ours, and a panic.
 *
 * From lo_trap_user() on it is Linux's generic entry code, which treats "interrupts" as off in the
 * program. lo_prepare_user() is its last step.
 */
#include <asm/debugreg.h>
#include <asm/event.h>
#include <asm/fpu.h>
#include <asm/hostproc.h>
#include <asm/irq_regs.h>
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/sigcontext.h>
#include <asm/tlbflush.h>
#include <asm/trap.h>
#include <linux/entry-common.h>
#include <linux/hardirq.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include <asm/ucontext.h> /* after those that it forgets to include */

#include "../host/host.h"

#define TRAP_DEBUG      1
#define TRAP_BREAKPOINT 3
#define TRAP_PAGE_FAULT 14

/* The tick of the processor time that a host process uses. */
#define TICK_US (1000000 / HZ)

extern char lo_leave_iret[];

static void get_regs(struct pt_regs *regs, const struct sigcontext *c)
{
	*regs = (struct pt_regs){
		.r15 = c->r15,
		.r14 = c->r14,
		.r13 = c->r13,
		.r12 = c->r12,
		.bp = c->bp,
		.bx = c->bx,
		.r11 = c->r11,
		.r10 = c->r10,
		.r9 = c->r9,
		.r8 = c->r8,
		.ax = c->ax,
		.cx = c->cx,
		.dx = c->dx,
		.si = c->si,
		.di = c->di,
		.orig_ax = -1,
		.ip = c->ip,
		.cs = LO_USER_CS,
		.flags = c->flags,
		.sp = c->sp,
		.ss = LO_USER_SS,
	};
}

/* A tick, and what devices have to say; interrupts are off. */
static void tick(struct pt_regs *regs)
{
	struct pt_regs *old = set_irq_regs(regs);

	lo_stats.ticks++;
	lo_hostproc_tick();
	lo_timer_check();
	lo_event_check();
	set_irq_regs(old);
}

void lo_irq_replay(void)
{
	static struct pt_regs none;

	raw_local_irq_disable();
	lo_vcpu()->irq_pending = 0;
	tick(&none);
	raw_local_irq_enable();
}

/* Such a tick waits: a handler starts with initial vector registers, not with those of fpu_owner. */
static bool was_in_handler(const struct sigcontext *c)
{
	return c->sp - (LO_HOSTCPU - LO_SIGNAL_STACK) < LO_SIGNAL_STACK;
}

static void kernel_tick(const struct sigcontext *c)
{
	struct lo_vcpu *vcpu = lo_vcpu();

	/* A host process that has just handed the vCPU over still runs for some instructions. */
	if (lo_hostcpu()->index != vcpu->hostproc)
		return;
	vcpu->irq_pending = 1;
	if (!vcpu->irqs_on || was_in_handler(c))
		return;
	if (vcpu->fpu_owner)
		lo_xstate_restore((void *)c->fpstate);
	lo_irq_replay();
}

static void kernel_fault(int signal, const struct sigcontext *c)
{
	bust_spinlocks(1);
	pr_emerg("host signal %d at %pS (%lx), address %lx, error %lx, sp %lx, in %s[%d]\n", signal,
		 (void *)c->ip, (long)c->ip, (long)c->cr2, (long)c->err, (long)c->sp, current->comm,
		 current->pid);
	panic("fault in the kernel");
}

/* The kernel was running; returns to it. */
static void trap_kernel(int signal, struct sigcontext *c)
{
	if (signal == SIGPROF) {
		kernel_tick(c);
		return;
	}
	if (signal == SIGSEGV && c->trapno == TRAP_PAGE_FAULT && lo_vmalloc_fault(c->cr2))
		return;
	kernel_fault(signal, c);
}

/* The program's registers in `c` become those of the task, and the kernel goes on with its trap. */
static void __noreturn enter_from_user(int signal, const struct kernel_siginfo *si,
				       const struct sigcontext *c)
{
	struct pt_regs *regs = task_pt_regs(current);

	get_regs(regs, c);
	current->thread.trap = (struct lo_trap){
		.signal = signal,
		.code = si->si_code,
		.addr = c->cr2,
		.nr = c->trapno,
		.error = c->err,
	};
	lo_xstate_restore((void *)c->fpstate);
	lo_enter(regs);
}

static void on_signal(int signal, void *info, void *context)
{
	struct sigcontext *c = &((struct ucontext *)context)->uc_mcontext;
	const struct kernel_siginfo *si = info;
	bool in_kernel = c->ip >= (unsigned long)_text && c->ip < (unsigned long)_end;

	if (si->si_code <= 0)
		return; /* a kill(2) or a broken pipe, not the processor's doing */
	/* Pages of Linux's files that aren't there are a SIGSEGV. RAM may be gone: don't touch it. */
	if (signal == SIGBUS && si->si_code != BUS_ADRALN)
		lo_fail("libos: the host has no memory left for it; this is the end of all\n");
	/*
	 * The program's instruction pointer is one that IRETQ refuses; its registers are still
	 * there.
	 */
	if (in_kernel && signal == SIGSEGV && c->ip == (unsigned long)lo_leave_iret) {
		current->thread.trap = (struct lo_trap){ .signal = signal };
		lo_xstate_restore((void *)c->fpstate);
		lo_enter(task_pt_regs(current));
	}
	if (in_kernel && signal == SIGTRAP && c->ip == (unsigned long)lo_call_entry) {
		/* A single step has come here out of a trampoline: it stands at the system call. */
		c->ip = c->cx - 2;
		in_kernel = false;
	}
	if (in_kernel)
		trap_kernel(signal, c);
	else
		enter_from_user(signal, si, c);
}

static void trap_fault(struct pt_regs *regs, const struct lo_trap *trap)
{
	if (trap->signal == SIGSEGV && trap->nr == TRAP_PAGE_FAULT) {
		lo_user_fault(regs, trap->addr, trap->error);
		return;
	}
	/* The program, or its debugger, looks at each instruction. */
	if (trap->signal == SIGTRAP && trap->nr == TRAP_DEBUG) {
		lo_patch_stop(current->mm);
		if (lo_debugreg_on(current) && lo_debugreg_step(regs))
			return;
	}
	current->thread.trap.addr = 0;
	if (trap->signal == SIGSEGV) {
		force_sig(SIGSEGV);
		return;
	}
	force_sig_fault(trap->signal, trap->code, (void __user *)regs->ip);
}

static void trap_syscall(struct pt_regs *regs)
{
	lo_stats.trapped++;
	local_irq_enable();
	lo_patch(regs);
	local_irq_disable();
	lo_syscall(regs);
}

/*
 * An instruction that a jump was written over. Whatever has to be done before the program goes on
 * is done first, and the instruction traps again: nobody but the program sees the trampoline.
 */
static void trap_in_site(struct pt_regs *regs, const struct lo_trap *trap)
{
	unsigned long resume;

	if (trap->signal == SIGTRAP ? trap->nr != TRAP_BREAKPOINT : trap->signal != SIGILL)
		return;
	local_irq_enable();
	resume = lo_patch_resume(trap->signal == SIGTRAP ? regs->ip - 1 : regs->ip);
	local_irq_disable();
	if (!resume)
		return;
	if (trap->signal == SIGTRAP)
		regs->ip--;
	if (read_thread_flags() & EXIT_TO_USER_MODE_WORK) {
		irqentry_exit_to_user_mode(regs);
	} else {
		lo_prepare_user();
		regs->ip = resume;
	}
	lo_leave(regs);
}

/* On the task's kernel stack; its program was running. */
__visible void lo_trap_user(struct pt_regs *regs)
{
	const struct lo_trap trap = current->thread.trap;

	if (trap.signal == SIGSYS) {
		trap_syscall(regs);
		if (unlikely(lo_debugreg_on(current)))
			lo_debugreg_after_call(regs);
		lo_debugreg_arm(regs);
		lo_leave(regs);
	}
	if (unlikely(lo_patch_is_trampoline(&current->mm->context.patch, regs->ip))) {
		local_irq_enable();
		lo_patch_original_ip(regs);
		local_irq_disable();
	}
	trap_in_site(regs, &trap);
	irqentry_enter_from_user_mode(regs);
	if (trap.signal == SIGPROF) {
		tick(regs);
	} else {
		local_irq_enable();
		trap_fault(regs, &trap);
		local_irq_disable();
	}
	irqentry_exit_to_user_mode(regs);
	lo_debugreg_arm(regs);
	lo_leave(regs);
}

void lo_load_user(void)
{
	struct lo_vcpu *vcpu = lo_vcpu();

	if (vcpu->flushes.count)
		lo_flush_run();
	if (vcpu->fpu_owner != current)
		lo_fpu_load(current);
}

void lo_trap_init_child(void)
{
	host_catch_syscalls();
	host_tick(TICK_US);
}

void lo_trap_init(void)
{
	/* SIGPIPE is what a write to a reader that left brings besides its error. */
	static const int signals[] = { SIGSEGV, SIGSYS, SIGPROF, SIGBUS,
				       SIGILL,  SIGFPE, SIGTRAP, SIGPIPE };
	int i;

	host_signal_stack(LO_HOSTCPU - LO_SIGNAL_STACK, LO_SIGNAL_STACK);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		host_handle(signals[i], on_signal);
	host_unblock_signals();
	lo_trap_init_child();
}
