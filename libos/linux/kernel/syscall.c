// SPDX-License-Identifier: GPL-2.0-only
/* syscall.c - system calls of the program. */
/*
 * Theory of operation
 *
 * The table is generated from arch/x86's. A call comes in by a trap (lo_trap_user) or from a
 * patched site (lo_syscall_direct); both end in do_syscall(), which is Linux's generic entry code
 * around one indirect call; but quick calls of a patched site are made by kernel/entry.S. Numbers and
 * arguments are x86-64's; the few calls that x86 defines itself are here.
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
	case ARCH_GET_CPUID: /* may be used, and nobody can forbid it */
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
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

/* What makes other code of code, or moves it, finds the program's own. */
SYSCALL_DEFINE3(lo_mprotect, unsigned long, start, size_t, size, unsigned long, prot)
{
	long r;

	lo_patch_begin(start, size);
	r = sys_mprotect(start, size, prot);
	lo_patch_end();
	return r;
}

SYSCALL_DEFINE4(lo_pkey_mprotect, unsigned long, start, size_t, size, unsigned long, prot, int, key)
{
	long r;

	lo_patch_begin(start, size);
	r = sys_pkey_mprotect(start, size, prot, key);
	lo_patch_end();
	return r;
}

SYSCALL_DEFINE5(lo_mremap, unsigned long, addr, unsigned long, old_size, unsigned long, size,
		unsigned long, flags, unsigned long, new_addr)
{
	long r;

	lo_patch_begin(addr, old_size);
	r = sys_mremap(addr, old_size, size, flags, new_addr);
	lo_patch_end();
	return r;
}

#define sys_exit_group    sys_lo_exit_group
#define sys_mprotect      sys_lo_mprotect
#define sys_pkey_mprotect sys_lo_pkey_mprotect
#define sys_mremap        sys_lo_mremap
#define sys_iopl          sys_ni_syscall
#define sys_ioperm        sys_ni_syscall
#define sys_modify_ldt    sys_ni_syscall

#undef __SYSCALL
#define __SYSCALL_NORETURN __SYSCALL
/* Each takes as many of the six registers as it has parameters. kernel/trace.c changes the entries. */
#define __SYSCALL(nr, call) [nr] = (sys_call_ptr_t)(void (*)(void))(call),
sys_call_ptr_t sys_call_table[__NR_syscalls] = {
#include <asm/syscalls_64.h>
};

/*
 * Those in which nobody looks at rbx, rbp and r12 to r15 of the program that calls, or changes them: see
 * kernel/entry.S. Not the ones that copy all registers (fork), set them (exec, sigreturn) or let a
 * debugger see them before they are back (exit). What stops on a signal is fine: it is on its way out.
 */
#define QUICK(name) [__NR_##name] = 1
/* clang-format off */
__visible const u8 lo_quick_calls[__NR_syscalls] = {
	QUICK(read), QUICK(pread64), QUICK(readv), QUICK(preadv), QUICK(lseek),
	QUICK(write), QUICK(pwrite64), QUICK(writev), QUICK(pwritev), QUICK(sendfile),
	QUICK(recvfrom), QUICK(recvmsg), QUICK(recvmmsg), QUICK(accept4),
	QUICK(sendto), QUICK(sendmsg), QUICK(sendmmsg),
	QUICK(poll), QUICK(ppoll), QUICK(select), QUICK(pselect6),
	QUICK(epoll_wait), QUICK(epoll_pwait), QUICK(epoll_ctl),
	QUICK(futex), QUICK(sched_yield), QUICK(nanosleep), QUICK(clock_nanosleep),
	QUICK(clock_gettime), QUICK(timerfd_settime),
	QUICK(fstat), QUICK(newfstatat), QUICK(statx), QUICK(openat), QUICK(close), QUICK(fcntl),
	QUICK(fsync), QUICK(fdatasync), QUICK(io_submit), QUICK(io_getevents),
	QUICK(getpid), QUICK(gettid), QUICK(getppid), QUICK(getuid), QUICK(geteuid),
};
/* clang-format on */
#undef QUICK

/*
 * The rest of Linux's generic entry code is only called if it has something to do. The number may be
 * speculated with: a program needs no tricks to read the kernel's memory.
 */
static __always_inline void finish(struct pt_regs *regs)
{
	if (unlikely(current_thread_info()->syscall_work & SYSCALL_WORK_EXIT)) {
		syscall_exit_to_user_mode(regs);
		return;
	}
	local_irq_disable();
	if (unlikely(read_thread_flags() & EXIT_TO_USER_MODE_WORK)) {
		irqentry_exit_to_user_mode(regs);
		return;
	}
	lo_prepare_user();
}

static __always_inline void do_syscall(struct pt_regs *regs, long nr)
{
	local_irq_enable();
	if (unlikely(current_thread_info()->syscall_work & SYSCALL_WORK_ENTER))
		nr = syscall_enter_from_user_mode_work(regs, nr);
	if (likely((unsigned long)nr < NR_syscalls)) {
		regs->ax = sys_call_table[nr](regs->di, regs->si, regs->dx, regs->r10, regs->r8,
					      regs->r9);
	} else if (nr != -1) {
		regs->ax = -ENOSYS;
	}
	finish(regs);
}

void lo_syscall(struct pt_regs *regs)
{
	regs->orig_ax = regs->ax;
	regs->ax = -ENOSYS;
	regs->cx = regs->ip;
	regs->r11 = regs->flags;
	do_syscall(regs, (int)regs->orig_ax);
}

/*
 * `tail` is where the site goes on; returned if all registers but rcx, r11 and the result are what
 * they were, and the trampoline that it may lie in is in use still (none was `dropped` since); else 0.
 */
static __always_inline unsigned long go_on(const struct pt_regs *regs, unsigned long tail,
					   unsigned long dropped)
{
	if (unlikely(regs->cx != regs->ip || regs->r11 != regs->flags ||
		     current->mm->context.patch.dropped != dropped))
		return 0;
	return tail;
}

__visible unsigned long lo_syscall_direct(struct pt_regs *regs, unsigned long tail)
{
	unsigned long dropped = current->mm->context.patch.dropped;

	if (unlikely(!(++lo_stats.direct & LO_CLOCK_MASK)))
		lo_timer_poll();
	do_syscall(regs, (int)regs->orig_ax);
	return go_on(regs, tail, dropped);
}

/* The end of a quick call that has more to do than kernel/entry.S knows. */
__visible unsigned long lo_syscall_finish(struct pt_regs *regs, unsigned long tail,
					  unsigned long dropped)
{
	finish(regs);
	return go_on(regs, tail, dropped);
}
