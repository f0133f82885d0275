/* SPDX-License-Identifier: GPL-2.0-only */
/* ptrace.h - the saved registers of a program, in x86-64's order */
#ifndef LO_ASM_PTRACE_H
#define LO_ASM_PTRACE_H

#ifndef __ASSEMBLY__
#include <asm/ptrace-abi.h>

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax; /* number of the system call, -1: none */
	unsigned long ip, cs, flags, sp, ss;
};

#define LO_USER_CS    0x33
#define LO_USER_SS    0x2b
#define LO_USER_FLAGS 0x202

/* The kernel runs at the program's privilege; its own ticks carry registers of zero. */
#define user_mode(regs)              (((regs)->cs & 3) == 3)
#define instruction_pointer(regs)    ((regs)->ip)
#define user_stack_pointer(regs)     ((regs)->sp)
#define profile_pc(regs)             ((regs)->ip)
#define current_user_stack_pointer() (current_pt_regs()->sp)
#define arch_has_single_step()       1

static inline void instruction_pointer_set(struct pt_regs *regs, unsigned long ip)
{
	regs->ip = ip;
}
static inline long regs_return_value(struct pt_regs *regs)
{
	return regs->ax;
}
static inline int is_syscall_success(struct pt_regs *regs)
{
	return regs->ax < -4095UL;
}
static inline bool regs_irqs_disabled(struct pt_regs *regs)
{
	return false;
}
#endif

#endif
