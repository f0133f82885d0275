/* SPDX-License-Identifier: GPL-2.0-only */
/* debugreg.h - x86's debug registers, for debuggers; kernel/debugreg.c */
#ifndef LO_ASM_DEBUGREG_H
#define LO_ASM_DEBUGREG_H

#include <linux/types.h>

struct pt_regs;
struct task_struct;

#define LO_DEBUG_SLOTS 4
/* Two bits of each slot; one of them enables it. */
#define LO_DEBUG_ENABLED 0xffUL

/* Written while the task is stopped by its debugger, or by itself. */
struct lo_debugreg {
	unsigned long addr[LO_DEBUG_SLOTS];
	unsigned long status, control; /* DR6, without the bits that are always one, and DR7 */
	u64 seen[LO_DEBUG_SLOTS];      /* what was there before the next instruction */
};

/* DR0 to DR7 of a task that is stopped, as PTRACE_PEEKUSER and PTRACE_POKEUSER have them. */
unsigned long lo_debugreg_get(const struct task_struct *task, unsigned int n);
int lo_debugreg_set(struct task_struct *task, unsigned int n, unsigned long value);
/* It runs on from here. */
void lo_debugreg_resume(struct task_struct *task);

#define lo_debugreg_on(task) ((task)->thread.debug.control & LO_DEBUG_ENABLED)

/* Of the current task, if a slot is enabled. An instruction has ended: true if that was for us alone. */
bool lo_debugreg_step(struct pt_regs *regs);
/* A system call has, and all is done but to go on; interrupts are off. */
void lo_debugreg_after_call(struct pt_regs *regs);
/* The last before the program goes on, whether one is or not. */
void lo_debugreg_arm(struct pt_regs *regs);

#endif
