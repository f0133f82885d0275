/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_TLBFLUSH_H
#define LO_ASM_TLBFLUSH_H

#include <asm/processor.h>
#include <linux/mm_types.h>

/* mm/uaccess.c: nothing that the kernel knows of pages in [start, end) of `mm` holds any more. */
void lo_reached_drop(struct mm_struct *mm, unsigned long start, unsigned long end);
/* The host mappings of [start, end) of `mm` are gone before its program runs again. */
void lo_flush_user(struct mm_struct *mm, unsigned long start, unsigned long end);
/* The same for what a fork made read-only: all that was writable and private in `mm`, our own. */
void lo_flush_forked(struct mm_struct *mm);
void lo_flush_kernel(unsigned long start, unsigned long end);
/* Carries out what is queued on this vCPU; interrupts are off. */
void lo_flush_run(void);
/* All user mappings of the host process that runs, but for those that its mm's page table confirms. */
void lo_flush_all(void);
/* The same, before the program runs again. */
void lo_flush_all_later(void);
/* The vmalloc mappings of it, if others have flushed some meanwhile. */
void lo_flush_vmalloc_missed(void);

static inline void flush_tlb_mm(struct mm_struct *mm)
{
	if (mm->context.forked)
		lo_flush_forked(mm);
	else
		lo_flush_user(mm, 0, TASK_SIZE);
}
static inline void flush_tlb_range(struct vm_area_struct *vma, unsigned long start,
				   unsigned long end)
{
	lo_flush_user(vma->vm_mm, start, end);
}
static inline void flush_tlb_page(struct vm_area_struct *vma, unsigned long addr)
{
	lo_flush_user(vma->vm_mm, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE);
}
static inline void flush_tlb_kernel_range(unsigned long start, unsigned long end)
{
	lo_flush_kernel(start, end);
}
static inline void flush_tlb_all(void)
{
	lo_flush_kernel(LO_VMALLOC, LO_VMALLOC_END);
}

#endif
