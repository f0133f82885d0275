// SPDX-License-Identifier: GPL-2.0-only
/* hatch.c - what a fork will need first, before it asks for it. */
/*
 * Theory of operation
 *
 * The children of one parent begin alike: they run the same text and write to the same pages, of
 * the stack and of libraries' data, before they exit or start another program. Each of these would
 * be a page fault of the host, and that is most of what a fork costs.
 *
 * So before a child's program runs for the first time, lo_hatch() does two things. Its host process
 * mostly comes from an earlier child, with that one's mappings in it, and keeps those that are right
 * for it (mappings.c). A fork does not copy the page table of what is only a file's; so where the
 * page table says nothing of such a mapping, it is asked to, as a read would. And the pages that
 * earlier children of the same parent have written to are copied now, and mapped.
 *
 * lo_hatch_learn() notes these, at the parent's host process, from the first faults of each child. It
 * is nothing but a guess: a page that is not there to be written is left out, and one that is
 * copied in vain costs half a fault. After some forks all is learned anew.
 */
#include <asm/lo.h>
#include <asm/tlbflush.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "pagewalk.h"

/* Pages that are kept in mind, and of how many faults of a child's beginning. */
#define WRITES       16
#define FIRST_FAULTS 48
/* Children until what the others wrote is forgotten. */
#define CHILDREN 64

static struct {
	unsigned int children, count;
	unsigned long page[WRITES];
} parents[LO_HOSTPROCS];

void lo_hatch_learn(unsigned long addr)
{
	struct lo_hostproc *proc = lo_this_proc();
	unsigned long page = addr & PAGE_MASK;
	unsigned int i;

	if (likely(!proc->learns))
		return;
	proc->learns--;
	for (i = 0; i < parents[proc->parent].count; i++)
		if (parents[proc->parent].page[i] == page)
			return;
	if (i == WRITES)
		return;
	parents[proc->parent].page[i] = page;
	parents[proc->parent].count++;
}

/* As a read would, but it waits for no disk: then it is left out. */
static void read_ahead(struct mm_struct *mm, const struct lo_mapping *m)
{
	unsigned int i;

	for (i = 0; i < m->pages; i++) {
		unsigned long addr = m->addr + ((unsigned long)i << PAGE_SHIFT);
		pte_t *pte = lo_find_pte(mm->pgd, addr);
		struct vm_area_struct *vma;

		if (!pte || !pte_none(*pte))
			continue;
		vma = vma_lookup(mm, addr);
		if (!vma || vma_is_anonymous(vma) || !(vma->vm_flags & VM_READ))
			return;
		if (handle_mm_fault(vma, addr, FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT,
				    NULL) &
		    (VM_FAULT_ERROR | VM_FAULT_RETRY))
			return;
	}
}

static void write_ahead(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	struct lo_leaf leaf;

	if (!vma || !(vma->vm_flags & VM_WRITE) || vma->vm_flags & VM_SHARED)
		return;
	if (lo_needs_write_fault(mm, addr) &&
	    handle_mm_fault(vma, addr, FAULT_FLAG_WRITE, NULL) & VM_FAULT_ERROR)
		return;
	if (!lo_walk(mm->pgd, addr, LO_WRITE, &leaf))
		return;
	lo_stats.hatched++;
	lo_install(addr, &leaf, LO_WRITE, false);
}

static void read_all_ahead(struct mm_struct *mm)
{
	struct lo_mapping m;
	unsigned int i;

	for (i = 0; lo_mappings_get(i, &m); i++)
		if (!(m.rights & LO_WRITE))
			read_ahead(mm, &m);
}

void lo_hatch(void)
{
	struct lo_hostproc *proc = lo_this_proc();
	struct mm_struct *mm = current->mm;
	unsigned int parent = proc->parent, i;
	unsigned long flags;

	if (!mm || proc->mm != mm || !proc->newborn)
		return;
	proc->learns = FIRST_FAULTS;
	if (parents[parent].children++ % CHILDREN == 0)
		parents[parent].count = 0;
	mmap_read_lock(mm);
	read_all_ahead(mm);
	local_irq_save(flags);
	lo_flush_run();
	proc->newborn = false;
	local_irq_restore(flags);
	for (i = 0; i < parents[parent].count; i++)
		write_ahead(mm, parents[parent].page[i]);
	mmap_read_unlock(mm);
}
