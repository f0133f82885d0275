// SPDX-License-Identifier: GPL-2.0-only
/* asm-offsets.c - what kernel/entry.S must know of C structures. */
#include <asm/hostproc.h>
#include <asm/vcpu.h>
#include <linux/kbuild.h>
#include <linux/sched.h>

int main(void);

int main(void)
{
	OFFSET(VCPU_TASK, lo_vcpu, task);
	OFFSET(VCPU_KERNEL_SP, lo_vcpu, kernel_sp);
	OFFSET(VCPU_USER_SP, lo_vcpu, user_sp);
	OFFSET(VCPU_HANDOVER_SP, lo_vcpu, handover_sp);
	OFFSET(PT_R10, pt_regs, r10);
	OFFSET(PT_ORIG_AX, pt_regs, orig_ax);
	OFFSET(PT_FLAGS, pt_regs, flags);
	OFFSET(PT_SP, pt_regs, sp);
	OFFSET(HOSTCPU_STACK, lo_hostcpu, stack);
	OFFSET(THREAD_SP, task_struct, thread.sp);
	return 0;
}
