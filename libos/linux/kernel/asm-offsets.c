// SPDX-License-Identifier: GPL-2.0-only
/* asm-offsets.c - what kernel/entry.S must know of C structures. */
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <asm/syscall.h>
#include <asm/unistd.h>
#include <asm/vcpu.h>
#include <linux/entry-common.h>
#include <linux/kbuild.h>
#include <linux/sched.h>

int main(void);

int main(void)
{
	OFFSET(VCPU_TASK, lo_vcpu, task);
	OFFSET(VCPU_KERNEL_SP, lo_vcpu, kernel_sp);
	OFFSET(VCPU_USER_SP, lo_vcpu, user_sp);
	OFFSET(VCPU_IRQS_ON, lo_vcpu, irqs_on);
	OFFSET(VCPU_IRQ_PENDING, lo_vcpu, irq_pending);
	OFFSET(VCPU_FPU_OWNER, lo_vcpu, fpu_owner);
	OFFSET(VCPU_HANDOVER_SP, lo_vcpu, handover_sp);
	OFFSET(VCPU_FLUSHES, lo_vcpu, flushes.count);
	OFFSET(PT_R15, pt_regs, r15);
	OFFSET(PT_R14, pt_regs, r14);
	OFFSET(PT_R13, pt_regs, r13);
	OFFSET(PT_R12, pt_regs, r12);
	OFFSET(PT_RBP, pt_regs, bp);
	OFFSET(PT_RBX, pt_regs, bx);
	OFFSET(PT_R11, pt_regs, r11);
	OFFSET(PT_R10, pt_regs, r10);
	OFFSET(PT_AX, pt_regs, ax);
	OFFSET(PT_ORIG_AX, pt_regs, orig_ax);
	OFFSET(PT_FLAGS, pt_regs, flags);
	OFFSET(PT_SP, pt_regs, sp);
	OFFSET(HOSTCPU_STACK, lo_hostcpu, stack);
	OFFSET(THREAD_SP, task_struct, thread.sp);
	OFFSET(TASK_FLAGS, task_struct, thread_info.flags);
	OFFSET(TASK_SYSCALL_WORK, task_struct, thread_info.syscall_work);
	OFFSET(TASK_MM, task_struct, mm);
	OFFSET(MM_DROPPED, mm_struct, context.patch.dropped);
	OFFSET(STATS_DIRECT, lo_stats, direct);
	DEFINE(NR_SYSCALLS, NR_syscalls);
	DEFINE(CLOCK_MASK, LO_CLOCK_MASK);
	DEFINE(WORK_ENTER, SYSCALL_WORK_ENTER);
	DEFINE(WORK_EXIT, SYSCALL_WORK_EXIT);
	DEFINE(WORK_USER, EXIT_TO_USER_MODE_WORK);
	return 0;
}
