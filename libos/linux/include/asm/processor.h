/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_PROCESSOR_H
#define LO_ASM_PROCESSOR_H

#include <asm/page.h>
#include <asm/ptrace.h>
#include <asm/vdso/processor.h>

#define TASK_SIZE          ((unsigned long)LO_USER_END)
#define TASK_UNMAPPED_BASE PAGE_ALIGN(TASK_SIZE / 3)
#define STACK_TOP          TASK_SIZE
#define STACK_TOP_MAX      TASK_SIZE
#define ARCH_MIN_TASKALIGN 64

/* x87, SSE, AVX and AVX-512, in the layout that signal frames have: the last ends at 2688. */
#define LO_XFEATURES   0xe7UL
#define LO_XSTATE_SIZE 2688

#ifndef __ASSEMBLY__
#include <asm/debugreg.h>

struct task_struct;

/* Why the program stopped, from the host's signal frame. */
struct lo_trap {
	int signal, code;
	unsigned long addr, nr, error;
};

struct thread_struct {
	unsigned long sp;     /* of the kernel, while switched out */
	unsigned long fs, gs; /* valid while the task doesn't own the registers, see kernel/fpu.c */
	struct lo_trap trap;
	struct lo_debugreg debug;
	unsigned char xstate[LO_XSTATE_SIZE] __aligned(64);
};

#define INIT_THREAD \
	{           \
	}
#define task_pt_regs(t) ((struct pt_regs *)(task_stack_page(t) + THREAD_SIZE) - 1)
#define KSTK_EIP(t)     (task_pt_regs(t)->ip)
#define KSTK_ESP(t)     (task_pt_regs(t)->sp)

void start_thread(struct pt_regs *regs, unsigned long ip, unsigned long sp);
unsigned long __get_wchan(struct task_struct *p);

/* x86's headers ask for features by number; those that they ask for are in every 64-bit one. */
#define boot_cpu_has(feature) 1
#endif

#endif
