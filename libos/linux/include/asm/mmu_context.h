/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_MMU_CONTEXT_H
#define LO_ASM_MMU_CONTEXT_H

#include <asm/hostproc.h>
#include <linux/mm_types.h>

#define init_new_context init_new_context
static inline int init_new_context(struct task_struct *task, struct mm_struct *mm)
{
	mm->context.hostproc = 0;
	return 0;
}

#define destroy_context destroy_context
static inline void destroy_context(struct mm_struct *mm)
{
	lo_hostproc_put(mm);
}

static inline void switch_mm(struct mm_struct *prev, struct mm_struct *next,
			     struct task_struct *task)
{
	lo_hostproc_switch(next);
}

#include <asm-generic/mm_hooks.h>
#include <asm-generic/mmu_context.h>

#endif
