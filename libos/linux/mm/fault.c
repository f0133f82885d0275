// SPDX-License-Identifier: GPL-2.0-only
/* fault.c - page faults of programs. */
/*
 * Theory of operation
 *
 * A fault on the host means that a page isn't installed there, not with the right that is wanted.
 * Often the program's page table already grants it (a refill): then lo_install() does the rest.
 * Else Linux handles it as a fault, as on any processor, and the result is installed.
 *
 * A fault costs a host signal and a host mmap, 5 us, so one that writes to private memory next
 * to a page that was written already takes the rest of its window along (fault_ahead): fresh
 * pages, or copies of those of a file or that a fork has made common. In a large mapping the first touch takes
 * its whole window (fault_window), where Linux has no huge page for it: pages touched at random
 * would each be a mapping of the host, of which it has few.
 *
 * A small private mapping that may be written, as the data of a library or of the loader, is
 * taken as a whole by whatever touches it first, reads included (fault_small): nearly all of it is
 * written when the program is linked. So are some pages of a stack at once.
 *
 * Pages that are one mapping of the host must stand in a row in RAM: line_up() puts a row of free ones
 * where Linux takes the next ones from, before they are taken, and before a file is read.
 */
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/patch.h>
#include <asm/trap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/userfaultfd_k.h>

#include "pagewalk.h"

#define ERROR_WRITE 2
#define ERROR_FETCH 16

/* What a sequence of writes takes along, aligned. */
#define AHEAD_SIZE (LO_WINDOW * PAGE_SIZE)
/* What is taken as a whole; and of a stack. */
#define SMALL_SIZE (16 * PAGE_SIZE)
#define STACK_SIZE (4 * PAGE_SIZE)
/* What Linux reads of a file at once. */
#define READ_ORDER 5
/* From which on free pages are put in a row. */
#define ROW_SIZE (3 * PAGE_SIZE)
/* A mapping of this size is a pool of something: the host has 65,530 mappings for us, not more. */
#define POOL_SIZE (32UL << 20)

static bool in_pool; /* the last fault */

/* The entry of `addr`, none where there is no table; false: it is part of a huge page. */
static bool get_small(struct mm_struct *mm, unsigned long addr, pte_t *ret_pte)
{
	pmd_t *pmd = lo_find_pmd(mm->pgd, addr);

	*ret_pte = __pte(0);
	if (pmd && pmd_leaf(*pmd))
		return false;
	if (pmd)
		*ret_pte = *((pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr));
	return true;
}

bool lo_needs_write_fault(struct mm_struct *mm, unsigned long addr)
{
	pte_t pte;

	return get_small(mm, addr, &pte) &&
	       (pte_none(pte) || (pte_present(pte) && !pte_write(pte)));
}

/*
 * The lists of single free pages are last in, first out. Nothing is lost if others take them, or if
 * there is no such row.
 */
static void line_up(unsigned int order)
{
	const gfp_t gfp = (GFP_HIGHUSER_MOVABLE | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_RECLAIM;
	struct page *page = alloc_pages(gfp, order);
	unsigned int i;

	if (!page)
		return;
	split_page(page, order);
	for (i = 1U << order; i--;)
		__free_page(page + i);
}

/* Fault `addr` and what follows it up to `end` in, as a write would. */
static void fault_run(struct vm_area_struct *vma, unsigned long addr, unsigned long end,
		      unsigned int flags)
{
	flags &= ~(FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE);
	if (addr + AHEAD_SIZE / 2 <= end && lo_needs_write_fault(vma->vm_mm, addr))
		line_up(get_order(end - addr));
	for (; addr < end; addr += PAGE_SIZE) {
		if (!lo_needs_write_fault(vma->vm_mm, addr))
			break;
		if (handle_mm_fault(vma, addr, flags, NULL) & (VM_FAULT_ERROR | VM_FAULT_RETRY))
			break;
	}
}

/* Nothing of its own is at `addr`, at most what is in the file. */
static bool is_untouched(struct mm_struct *mm, unsigned long addr)
{
	pte_t pte;

	return get_small(mm, addr, &pte) &&
	       (pte_none(pte) || (pte_present(pte) && !pte_write(pte) && pfn_valid(pte_pfn(pte)) &&
				  !PageAnon(pte_page(pte))));
}

/* If there is no memory for it, the fault proper will see. */
static void fault_all(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		      unsigned int flags)
{
	unsigned long addr, missing = 0;

	flags = (flags | FAULT_FLAG_WRITE) & ~(FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE);
	for (addr = start; addr < end; addr += PAGE_SIZE)
		missing += is_untouched(vma->vm_mm, addr) ? PAGE_SIZE : 0;
	if (missing >= ROW_SIZE)
		line_up(get_order(missing));
	for (addr = start; addr < end; addr += PAGE_SIZE)
		if (is_untouched(vma->vm_mm, addr) &&
		    handle_mm_fault(vma, addr, flags, NULL) & VM_FAULT_ERROR)
			break;
}

static void fault_small(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	unsigned long start = vma->vm_start, end = vma->vm_end;

	if (!(vma->vm_flags & VM_WRITE) || vma->vm_flags & VM_SHARED ||
	    !is_untouched(vma->vm_mm, addr))
		return;
	if (vma->vm_flags & VM_GROWSDOWN) {
		end = (addr & PAGE_MASK) + PAGE_SIZE;
		start = max(start, end - STACK_SIZE);
	} else if (end - start > SMALL_SIZE) {
		return;
	}
	fault_all(vma, start, end, flags);
}

/* The page before it has been written already: so will be those behind it. */
static void fault_ahead(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	unsigned long end = ALIGN(addr + 1, AHEAD_SIZE);
	pte_t *pte = lo_find_pte(vma->vm_mm->pgd, addr - PAGE_SIZE);

	if (pte && lo_pte_rights(*pte) & LO_WRITE)
		fault_run(vma, (addr & PAGE_MASK) + PAGE_SIZE, min(end, vma->vm_end), flags);
}

/*
 * A pool that is filled in any order: whole windows, in the order of addresses and so, mostly, of
 * RAM.
 */
static void fault_window(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	unsigned long start = addr & ~(LO_WINDOW * PAGE_SIZE - 1);
	pmd_t *pmd = lo_find_pmd(vma->vm_mm->pgd, addr);

	if (!in_pool || (pmd && pmd_leaf(*pmd)) ||
	    (pmd && !pte_none(*((pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr)))))
		return;
	fault_run(vma, max(start, vma->vm_start), min(start + LO_WINDOW * PAGE_SIZE, vma->vm_end),
		  flags);
}

/* What is read from a disk now. */
static void line_up_file(struct vm_area_struct *vma, unsigned long addr)
{
	void *page;

	if (!vma->vm_ops || !vma->vm_ops->map_pages)
		return;
	page = xa_load(&vma->vm_file->f_mapping->i_pages, linear_page_index(vma, addr));
	if (!page || xa_is_value(page))
		line_up(READ_ORDER);
}

/*
 * What of a file is in the page cache comes along, as far as the host is told at once; Linux by itself
 * takes 16 pages.
 */
static void map_around(struct vm_area_struct *vma, unsigned long addr)
{
	const unsigned long size = LO_READ_WINDOW * PAGE_SIZE;
	unsigned long start = max(addr & ~(size - 1), vma->vm_start);
	unsigned long end = min((addr & ~(size - 1)) + size, vma->vm_end);
	struct vm_fault vmf = {
		.vma = vma,
		.address = addr & PAGE_MASK,
		.real_address = addr,
		.pgoff = linear_page_index(vma, addr),
		.pmd = lo_find_pmd(vma->vm_mm->pgd, addr),
	};

	if (!vma->vm_ops || !vma->vm_ops->map_pages || uffd_disable_fault_around(vma) || !vmf.pmd ||
	    pmd_leaf(*vmf.pmd))
		return;
	vma->vm_ops->map_pages(&vmf, linear_page_index(vma, start),
			       linear_page_index(vma, end - PAGE_SIZE));
}

static bool may_access(struct vm_area_struct *vma, unsigned int flags)
{
	if (flags & FAULT_FLAG_WRITE)
		return vma->vm_flags & VM_WRITE;
	if (flags & FAULT_FLAG_INSTRUCTION)
		return vma->vm_flags & VM_EXEC;
	return vma_is_accessible(vma);
}

static int fault_error(vm_fault_t fault)
{
	if (fault & VM_FAULT_OOM) {
		pagefault_out_of_memory();
		return -1;
	}
	if (fault & VM_FAULT_SIGBUS)
		return SIGBUS << 8 | BUS_ADRERR;
	return SIGSEGV << 8 | SEGV_MAPERR;
}

int lo_handle_fault(struct mm_struct *mm, unsigned long addr, unsigned int flags)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct vm_area_struct *vma;
	vm_fault_t fault;
	bool ahead;

	flags |= FAULT_FLAG_DEFAULT;
retry:
	vma = lock_mm_and_find_vma(mm, addr, NULL);
	if (!vma)
		return SIGSEGV << 8 | SEGV_MAPERR;
	if (!may_access(vma, flags)) {
		mmap_read_unlock(mm);
		return SIGSEGV << 8 | SEGV_ACCERR;
	}
	in_pool = vma->vm_end - vma->vm_start >= POOL_SIZE;
	line_up_file(vma, addr);
	if (flags & (FAULT_FLAG_USER | FAULT_FLAG_WRITE) && !(flags & FAULT_FLAG_INSTRUCTION))
		fault_small(vma, addr, flags);
	if (flags & FAULT_FLAG_USER && !(flags & FAULT_FLAG_WRITE))
		map_around(vma, addr);
	ahead = flags & FAULT_FLAG_WRITE && flags & FAULT_FLAG_USER && !(vma->vm_flags & VM_SHARED);
	if (ahead && vma_is_anonymous(vma))
		fault_window(vma, addr, flags);
	fault = handle_mm_fault(vma, addr, flags, regs);
	if (fault_signal_pending(fault, regs))
		return -1;
	if (fault & VM_FAULT_COMPLETED)
		return 0;
	if (fault & VM_FAULT_RETRY) {
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
	if (!(fault & VM_FAULT_ERROR) && ahead)
		fault_ahead(vma, addr, flags);
	mmap_read_unlock(mm);
	return fault & VM_FAULT_ERROR ? fault_error(fault) : 0;
}

static unsigned int fault_flags(unsigned long error)
{
	if (error & ERROR_WRITE)
		return FAULT_FLAG_USER | FAULT_FLAG_WRITE;
	if (error & ERROR_FETCH)
		return FAULT_FLAG_USER | FAULT_FLAG_INSTRUCTION;
	return FAULT_FLAG_USER;
}

/* What has been written, or taken as a whole, is mapped as after a write, though it is but read now. */
static bool is_written(pte_t pte)
{
	return pte_write(pte) && pte_dirty(pte) && pfn_valid(pte_pfn(pte)) &&
	       PageAnon(pte_page(pte));
}

static void install(unsigned long addr, const struct lo_leaf *leaf, int want, bool fill)
{
	if (pte_write(*leaf->pte))
		lo_hatch_learn(addr);
	lo_install(addr, leaf, is_written(*leaf->pte) ? LO_WRITE : want, fill);
}

void lo_user_fault(struct pt_regs *regs, unsigned long addr, unsigned long error)
{
	int want = error & ERROR_WRITE ? LO_WRITE : error & ERROR_FETCH ? LO_EXEC : LO_READ;
	struct mm_struct *mm = current->mm;
	struct lo_leaf leaf;
	int r;

	lo_stats.faults++;
	if (addr >= TASK_SIZE || (addr >= LO_IMAGE && addr < LO_IMAGE_END)) {
		force_sig_fault(SIGSEGV, SEGV_MAPERR, (void __user *)addr);
		return;
	}
	if (lo_walk(mm->pgd, addr, want, &leaf)) {
		lo_stats.refills++;
		install(addr, &leaf, want, false);
		return;
	}
	lo_fresh_begin();
	r = lo_handle_fault(mm, addr, fault_flags(error));
	lo_fresh_end();
	if (r > 0 && want == LO_EXEC && lo_patch_lost(addr))
		return;
	if (r > 0)
		force_sig_fault(r >> 8, r & 0xff, (void __user *)addr);
	if (r)
		return;
	/* Whatever has become of it meanwhile, the program faults again if it isn't enough. */
	if (lo_walk(mm->pgd, addr, want, &leaf))
		install(addr, &leaf, want, in_pool);
}
