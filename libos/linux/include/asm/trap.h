/* SPDX-License-Identifier: GPL-2.0-only */
/* trap.h - between host signals and the kernel */
#ifndef LO_ASM_TRAP_H
#define LO_ASM_TRAP_H

#include <asm/ptrace.h>
#include <asm/vcpu.h>

struct task_struct;

/* Handlers for the host's signals, system calls caught, a clock for this host process. */
void lo_trap_init(void);
/* The part of it that a fork loses. */
void lo_trap_init_child(void);

/* The last step before the program runs: its registers, and no mapping that is out of date. */
void lo_load_user(void);
#define lo_prepare_user()                                                                  \
	do {                                                                               \
		if (unlikely(lo_vcpu()->flushes.count || lo_vcpu()->fpu_owner != current)) \
			lo_load_user();                                                    \
	} while (0)

/* kernel/preempt.c: around what runs as an interrupt; whom it wakes may preempt the program. */
void lo_irq_enter(void);
void lo_irq_exit(void);

/* kernel/entry.S */
void lo_leave(struct pt_regs *regs) __attribute__((noreturn)); /* to the program */
void lo_enter(struct pt_regs *regs) __attribute__((noreturn)); /* from a signal stack */
void lo_signal_return(void);
void lo_call_entry(void); /* patched sites come in here */

/* kernel/syscall.c */
void lo_syscall(struct pt_regs *regs);

/* mm/fault.c: a page fault of the program; `error` has x86's bits. */
void lo_user_fault(struct pt_regs *regs, unsigned long addr, unsigned long error);
/* mm/tlb.c: fills a hole in the vmalloc range; false: there is nothing to fill it with. */
bool lo_vmalloc_fault(unsigned long addr);

#endif
