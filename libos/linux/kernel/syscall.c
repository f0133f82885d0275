// SPDX-License-Identifier: GPL-2.0-only
/* syscall.c - system calls of the program. */
/*
 * Theory of operation
 *
 * The table is generated from arch/x86's. A call comes in by a trap (lo_trap_user) or from a
 * patched site (lo_syscall_direct); both end in lo_syscall(), which is Linux's generic entry code
 * around one indirect call. Numbers and arguments are x86-64's; the few calls that x86 defines
 * itself are here.
 */
#include <asm/fpu.h>
#include <asm/lo.h>
#include <asm/prctl.h>
#include <asm/processor-flags.h>
#include <asm/syscall.h>
#include <asm/trap.h>
#include <asm/unistd.h>
#include <linux/device.h>
#include <linux/entry-common.h>
#include <linux/linkage.h>
#include <linux/nospec.h>
#include <linux/reboot.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/syscore_ops.h>

SYSCALL_DEFINE6(mmap, unsigned long, addr, unsigned long, len, unsigned long, prot, unsigned long,
		flags, unsigned long, fd, unsigned long, off)
{
	if (off & ~PAGE_MASK)
		return -EINVAL;
	return ksys_mmap_pgoff(addr, len, prot, flags, fd, off >> PAGE_SHIFT);
}

SYSCALL_DEFINE2(arch_prctl, int, option, unsigned long, arg)
{
	struct thread_struct *thread = &current->thread;

	/* The next way out loads both; until then the task's memory holds them. */
	lo_fpu_save(current);
	switch (option) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (arg >= TASK_SIZE)
			return -EPERM;
		lo_fpu_disown(current);
		*(option == ARCH_SET_FS ? &thread->fs : &thread->gs) = arg;
		return 0;
	case ARCH_GET_FS:
		return put_user(thread->fs, (unsigned long __user *)arg);
	case ARCH_GET_GS:
		return put_user(thread->gs, (unsigned long __user *)arg);
	}
	return -EINVAL;
}

/* As kernel_power_off() does, but without a word. */
static void __noreturn power_off(int status)
{
	blocking_notifier_call_chain(&reboot_notifier_list, SYS_POWER_OFF, NULL);
	system_state = SYSTEM_POWER_OFF;
	device_shutdown();
	syscore_shutdown();
	lo_stop(status);
}

/* The end of init is the end of the machine, with init's exit status: not a panic. */
SYSCALL_DEFINE1(lo_exit_group, int, status)
{
	if (is_global_init(current)) {
		ksys_sync();
		power_off(status & 0xff);
	}
	do_group_exit((status & 0xff) << 8);
	return 0;
}

asmlinkage long sys_rt_sigreturn(void);

#define sys_exit_group sys_lo_exit_group
#define sys_iopl       sys_ni_syscall
#define sys_ioperm     sys_ni_syscall
#define sys_modify_ldt sys_ni_syscall

#undef __SYSCALL
/* Each takes as many of the six registers as it has parameters. kernel/trace.c changes the entries. */
#define __SYSCALL(nr, call) [nr] = (sys_call_ptr_t)(void (*)(void))(call),
sys_call_ptr_t sys_call_table[__NR_syscalls] = {
#include <asm/syscalls_64.h>
};

static __always_inline void do_syscall(struct pt_regs *regs, unsigned long nr)
{
	nr = syscall_enter_from_user_mode(regs, nr);
	if (likely(nr < NR_syscalls)) {
		nr = array_index_nospec(nr, NR_syscalls);
		regs->ax = sys_call_table[nr](regs->di, regs->si, regs->dx, regs->r10, regs->r8,
					      regs->r9);
	} else if (nr != -1UL) {
		regs->ax = -ENOSYS;
	}
	syscall_exit_to_user_mode(regs);
}

void lo_syscall(struct pt_regs *regs, unsigned long nr)
{
	regs->orig_ax = nr;
	regs->ax = -ENOSYS;
	regs->cx = regs->ip;
	regs->r11 = regs->flags;
	current->thread.restart_size = 2;
	do_syscall(regs, nr);
}

/* True: only rcx, r11 and the result have changed, as after SYSRET. */
__visible bool lo_syscall_direct(struct pt_regs *regs)
{
	struct lo_vcpu *vcpu = lo_vcpu();

	lo_stats.direct++;
	current->thread.restart_size = LO_PATCH_SIZE;
	/* kernel/traps.c took it out of the flags, or the kernel would be stepped through. */
	if (unlikely(test_thread_flag(TIF_SINGLESTEP)))
		regs->flags |= X86_EFLAGS_TF;
	/* Looking at the clock costs as much as a short call. */
	if (unlikely(!(++vcpu->slow_calls & 15)))
		lo_timer_poll();
	do_syscall(regs, (unsigned int)regs->orig_ax);
	return regs->cx == regs->ip && regs->r11 == regs->flags;
}
