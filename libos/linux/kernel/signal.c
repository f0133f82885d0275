// SPDX-License-Identifier: GPL-2.0-only
/* signal.c - x86-64's signal frames, and system calls that start again. */
/*
 * Theory of operation
 *
 * The frame is struct rt_sigframe of arch/x86: return address, ucontext, siginfo; above it, aligned
 * to 64, the vector state in XSAVE's standard layout between its two magic numbers. Programs,
 * unwinders and debuggers read and change it, so each field is as there.
 *
 * A system call that has to start again does so 2 bytes back, with the number put back into ax: at a
 * patched site, too, where the instruction still stands or has become a jump to the same.
 */
#include <asm/fpu.h>
#include <asm/lo.h>
#include <asm/sigcontext.h>
#include <asm/trap.h>
#include <asm/unistd.h>
#include <linux/entry-common.h>
#include <linux/ptrace.h>
#include <linux/resume_user_mode.h>
#include <linux/rseq.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include <asm/ucontext.h> /* after those that it forgets to include */

#define SYSCALL_SIZE       2
#define RED_ZONE           128
#define XSTATE_LEGACY_SIZE 512
#define XSTATE_FPSSE       3
#define FLAG_DIRECTION     0x400UL
#define FLAG_TRAP          0x100UL
/* What a program may set: arithmetic, trap, direction, alignment check. */
#define FLAGS_OF_USER 0x40dd5UL

struct rt_sigframe {
	void __user *return_to;
	struct ucontext uc;
	struct siginfo info;
};

static void get_context(struct sigcontext *c, const struct pt_regs *regs)
{
	const struct lo_trap *trap = &current->thread.trap;
	/* Set for a debugger, it is nothing that the program knows of. */
	unsigned long forced = test_thread_flag(TIF_FORCED_TF) ? FLAG_TRAP : 0;

	*c = (struct sigcontext){
		.r8 = regs->r8,
		.r9 = regs->r9,
		.r10 = regs->r10,
		.r11 = regs->r11,
		.r12 = regs->r12,
		.r13 = regs->r13,
		.r14 = regs->r14,
		.r15 = regs->r15,
		.di = regs->di,
		.si = regs->si,
		.bp = regs->bp,
		.bx = regs->bx,
		.dx = regs->dx,
		.ax = regs->ax,
		.cx = regs->cx,
		.sp = regs->sp,
		.ip = regs->ip,
		.flags = regs->flags & ~forced,
		.cs = LO_USER_CS,
		.ss = LO_USER_SS,
		.err = trap->error,
		.trapno = trap->nr,
		.cr2 = trap->addr,
	};
}

static void set_regs(struct pt_regs *regs, const struct sigcontext *c)
{
	regs->r8 = c->r8;
	regs->r9 = c->r9;
	regs->r10 = c->r10;
	regs->r11 = c->r11;
	regs->r12 = c->r12;
	regs->r13 = c->r13;
	regs->r14 = c->r14;
	regs->r15 = c->r15;
	regs->di = c->di;
	regs->si = c->si;
	regs->bp = c->bp;
	regs->bx = c->bx;
	regs->dx = c->dx;
	regs->ax = c->ax;
	regs->cx = c->cx;
	regs->sp = c->sp;
	regs->ip = c->ip;
	regs->flags = (regs->flags & ~FLAGS_OF_USER) | (c->flags & FLAGS_OF_USER);
	regs->orig_ax = -1;
}

/* The state, its description in bytes that the processor leaves alone, and the second magic. */
static int put_xstate(void __user *to)
{
	unsigned char *xstate = current->thread.xstate;
	struct _fpx_sw_bytes *sw = (void *)(xstate + offsetof(struct _fpstate_64, sw_reserved));

	lo_fpu_save(current);
	lo_fpu_disown(current);
	*sw = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = LO_XSTATE_SIZE + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = lo_xfeatures,
		.xstate_size = LO_XSTATE_SIZE,
	};
	/* A handler that knows x87 and SSE alone writes to them, and to no header. */
	*(u64 *)(xstate + XSTATE_LEGACY_SIZE) |= XSTATE_FPSSE;
	if (copy_to_user(to, xstate, LO_XSTATE_SIZE) ||
	    put_user(FP_XSTATE_MAGIC2, (u32 __user *)(to + LO_XSTATE_SIZE)))
		return -EFAULT;
	return 0;
}

static int put_frame(struct rt_sigframe __user *f, unsigned long xstate, struct ksignal *ksig,
		     struct pt_regs *regs)
{
	struct ucontext uc = {
		.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
	};
	sigset_t *mask = sigmask_to_save();

	get_context(&uc.uc_mcontext, regs);
	uc.uc_mcontext.fpstate = xstate;
	uc.uc_mcontext.oldmask = mask->sig[0];
	uc.uc_sigmask = *mask;
	if (copy_to_user(&f->uc, &uc, sizeof(uc)) || __save_altstack(&f->uc.uc_stack, regs->sp) ||
	    put_user((void __user *)ksig->ka.sa.sa_restorer, &f->return_to))
		return -EFAULT;
	if (ksig->ka.sa.sa_flags & SA_SIGINFO)
		return copy_siginfo_to_user(&f->info, &ksig->info);
	return 0;
}

static int setup_frame(struct ksignal *ksig, struct pt_regs *regs)
{
	unsigned long sp = sigsp(regs->sp - RED_ZONE, ksig);
	unsigned long xstate = (sp - LO_XSTATE_SIZE - FP_XSTATE_MAGIC2_SIZE) & ~63UL;
	/* The handler sees the stack as after a call: 8 off 16. */
	struct rt_sigframe __user *f =
		(void __user *)(((xstate - sizeof(*f)) & ~15UL) - sizeof(long));

	if (!(ksig->ka.sa.sa_flags & SA_RESTORER) || !access_ok(f, sp - (unsigned long)f))
		return -EFAULT;
	if (on_sig_stack(regs->sp) && !on_sig_stack((unsigned long)f))
		return -EFAULT;
	if (put_xstate((void __user *)xstate) || put_frame(f, xstate, ksig, regs))
		return -EFAULT;
	regs->di = ksig->sig;
	regs->si = (unsigned long)&f->info;
	regs->dx = (unsigned long)&f->uc;
	regs->ax = 0;
	regs->ip = (unsigned long)ksig->ka.sa.sa_handler;
	regs->sp = (unsigned long)f;
	regs->flags &= ~(FLAG_DIRECTION | FLAG_TRAP);
	regs->orig_ax = -1;
	lo_xstate_reset(current);
	return 0;
}

static int restore_xstate(const void __user *from)
{
	struct thread_struct *thread = &current->thread;
	struct _fpx_sw_bytes sw;
	unsigned long size = LO_XSTATE_SIZE;
	u32 magic2;

	if (!from) {
		lo_xstate_reset(current);
		return 0;
	}
	if (copy_from_user(&sw, from + offsetof(struct _fpstate_64, sw_reserved), sizeof(sw)))
		return -EFAULT;
	/* Without its magic numbers, the frame has x87 and SSE alone. */
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size != LO_XSTATE_SIZE ||
	    get_user(magic2, (u32 __user *)(from + LO_XSTATE_SIZE)) || magic2 != FP_XSTATE_MAGIC2)
		size = XSTATE_LEGACY_SIZE;
	lo_xstate_reset(current);
	if (copy_from_user(thread->xstate, from, size))
		return -EFAULT;
	if (size == XSTATE_LEGACY_SIZE)
		*(u64 *)(thread->xstate + XSTATE_LEGACY_SIZE) = XSTATE_FPSSE;
	lo_xstate_sanitise(thread->xstate);
	return 0;
}

SYSCALL_DEFINE0(rt_sigreturn)
{
	struct pt_regs *regs = current_pt_regs();
	struct rt_sigframe __user *f = (void __user *)(regs->sp - sizeof(long));
	struct ucontext uc;

	current->restart_block.fn = do_no_restart_syscall;
	if (copy_from_user(&uc, &f->uc, sizeof(uc)) ||
	    restore_xstate((void __user *)uc.uc_mcontext.fpstate) ||
	    restore_altstack(&f->uc.uc_stack)) {
		force_sig(SIGSEGV);
		return 0;
	}
	set_current_blocked(&uc.uc_sigmask);
	set_regs(regs, &uc.uc_mcontext);
	return regs->ax;
}

static void restart(struct pt_regs *regs)
{
	regs->ax = regs->orig_ax;
	regs->ip -= SYSCALL_SIZE;
}

/* A handler runs: what was interrupted by it fails with EINTR, or starts again after it. */
static void restart_after_handler(struct pt_regs *regs, const struct ksignal *ksig)
{
	switch ((long)regs->ax) {
	case -ERESTART_RESTARTBLOCK:
	case -ERESTARTNOHAND:
		regs->ax = -EINTR;
		break;
	case -ERESTARTSYS:
		if (ksig->ka.sa.sa_flags & SA_RESTART)
			restart(regs);
		else
			regs->ax = -EINTR;
		break;
	case -ERESTARTNOINTR:
		restart(regs);
	}
}

static void restart_without_handler(struct pt_regs *regs)
{
	switch ((long)regs->ax) {
	case -ERESTARTNOHAND:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
		restart(regs);
		break;
	case -ERESTART_RESTARTBLOCK:
		restart(regs);
		regs->ax = __NR_restart_syscall;
	}
}

void arch_do_signal_or_restart(struct pt_regs *regs)
{
	bool in_syscall = (long)regs->orig_ax >= 0;
	struct ksignal ksig;

	if (get_signal(&ksig)) {
		bool stepping = test_thread_flag(TIF_SINGLESTEP);

		if (in_syscall)
			restart_after_handler(regs, &ksig);
		if (stepping)
			user_disable_single_step(current); /* the frame is without its trap flag */
		rseq_signal_deliver(&ksig, regs);
		signal_setup_done(setup_frame(&ksig, regs), &ksig, stepping);
		return;
	}
	if (in_syscall)
		restart_without_handler(regs);
	restore_saved_sigmask();
}
