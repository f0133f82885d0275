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
 * earlier children of the same parent have written to are copied now, and mapped. The parent goes on
 * alike as well, so lo_hatch_parent() does that with what it wrote to after earlier forks.
 *
 * lo_hatch_learn() notes these pages, from the first faults of either. They are nothing but a guess:
 * a page that is not there to be written is left out, and one that is copied in vain costs half a
 * fault. After some forks all is learned anew. Guesses belong to a host process and may outlive
 * the mm that they are of.
 */
#include <asm/lo.h>
#include <asm/tlbflush.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "pagewalk.h"

/* Pages that are kept in mind, and of how many faults after a fork. */
#define WRITES       16
#define FIRST_FAULTS 32
/* Forks until all is forgotten. */
#define FORKS 64

struct guess {
	unsigned int forks, count;
	unsigned long page[WRITES];
};

static struct {
	struct guess own, childs;
	struct guess *learning; /* which of them, or its parent's */
} guesses[LO_HOSTPROCS];

void lo_hatch_learn(unsigned long addr)
{
	struct lo_hostproc *proc = lo_this_proc();
	struct guess *guess = guesses[lo_vcpu()->hostproc].learning;
	unsigned long page = addr & PAGE_MASK;
	unsigned int i;

	if (likely(!proc->learns))
		return;
	proc->learns--;
	for (i = 0; i < guess->count; i++)
		if (guess->page[i] == page)
			return;
	if (i < WRITES)
		guess->page[guess->count++] = page;
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

static void follow(struct guess *guess, struct mm_struct *mm)
{
	unsigned int i;

	if (guess->forks++ % FORKS == 0)
		guess->count = 0;
	for (i = 0; i < guess->count; i++)
		write_ahead(mm, guess->page[i]);
	guesses[lo_vcpu()->hostproc].learning = guess;
	lo_this_proc()->learns = FIRST_FAULTS;
}

void lo_hatch_parent(struct mm_struct *mm)
{
	follow(&guesses[lo_vcpu()->hostproc].own, mm);
}

void lo_hatch(void)
{
	struct lo_hostproc *proc = lo_this_proc();
	struct mm_struct *mm = current->mm;
	unsigned long flags;

	if (!mm || proc->mm != mm || !proc->newborn)
		return;
	mmap_read_lock(mm);
	read_all_ahead(mm);
	local_irq_save(flags);
	lo_flush_run();
	proc->newborn = false;
	local_irq_restore(flags);
	follow(&guesses[proc->parent].childs, mm);
	mmap_read_unlock(mm);
}
