/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_MMU_CONTEXT_H
#define LO_ASM_MMU_CONTEXT_H

#include <asm/hostproc.h>
#include <asm/tlbflush.h>
#include <linux/mm_types.h>

#define init_new_context init_new_context
static inline int init_new_context(struct task_struct *task, struct mm_struct *mm)
{
	lo_reached_drop(mm, 0, TASK_SIZE); /* of an older one at the same address */
	mm->context.hostproc = 0;
	mm->context.forked = false;
	lo_patch_init(mm);
	return 0;
}

#define destroy_context destroy_context
static inline void destroy_context(struct mm_struct *mm)
{
	lo_hostproc_put(mm);
	lo_patch_free(mm);
}

static inline void switch_mm(struct mm_struct *prev, struct mm_struct *next,
			     struct task_struct *task)
{
	lo_hostproc_switch(next);
}

/* A fork that has come so far flushes the parent next. */
static inline int arch_dup_mmap(struct mm_struct *from, struct mm_struct *mm)
{
	int r = lo_patch_copy(from, mm);

	from->context.forked = true;
	mm->context.hostproc = -from->context.hostproc;
	return r;
}

static inline void arch_exit_mmap(struct mm_struct *mm)
{
}

static inline void arch_unmap(struct mm_struct *mm, unsigned long start, unsigned long end)
{
}

static inline bool arch_vma_access_permitted(struct vm_area_struct *vma, bool write, bool execute,
					     bool foreign)
{
	return true;
}

#include <asm-generic/mmu_context.h>

#endif
