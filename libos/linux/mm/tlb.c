// SPDX-License-Identifier: GPL-2.0-only
/* tlb.c - the host's mmap is our TLB. */
/*
 * Theory of operation
 *
 * lo_install() makes a host mapping of what a PTE says: the page's place in the RAM memfd, at
 * the program's address. Its neighbours within a window come along if they have the same rights,
 * stand in a row in RAM and aren't installed yet, for the call costs the same; they count as
 * accessed. A huge page is one mapping. "Installed" is a generation number in the entry; emptying
 * the host process makes the next generation. The number is a hint: at worst a neighbour is not
 * taken along.
 *
 * A flush is the unmapping of what the page table does not confirm in a range (mappings.c), or of
 * the whole range where it isn't known what stands there. It must be done before the program runs
 * on, no earlier: the kernel itself never looks through these mappings. So for the mm that has the
 * vCPU flushes
 * are queued (lo_flush_user) and done in lo_prepare_user(); an install in between, as after
 * copy-on-write, replaces the mapping, which makes the flush of that page unnecessary. Another mm's
 * host process is marked stale, and so is that of one whose last program has ended; before a stale one
 * runs, all of it is flushed.
 *
 * A fork takes the right to write from all private pages, and leaves the others as they are. So
 * does lo_flush_forked() with those that are writable on the host, and those are known: what is
 * installed so is marked in the entry (LO_HOST_WRITABLE), and an entry loses the mark, and its
 * generation, only when Linux makes it anew, which it flushes. The mark may be there without the
 * mapping, never the other way round.
 *
 * The vmalloc range is filled by faults in each host process, and emptied where it is stale.
 *
 * If the host has no room for one more mapping, this process is emptied: it is only a TLB.
 */
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/tlbflush.h>
#include <asm/trap.h>
#include <asm/vcpu.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "../host/host.h"
#include "pagewalk.h"

/* To read, the host takes the pages along that are within this of the program's addresses. */
#define HOST_FAULT_SIZE (16 * PAGE_SIZE)

/* Of the host, that a fork makes for one mapping before it rather unmaps the rest of it. */
#define FORK_CALLS 64

static unsigned long vmalloc_flushes;

static bool unmap(unsigned long start, unsigned long end)
{
	if (start >= end)
		return true;
	lo_stats.unmaps++;
	return host_unmap(start, end - start) == 0;
}

/* A range of the program's addresses, without the kernel's image in them. */
static bool try_unmap_user(unsigned long start, unsigned long end)
{
	bool low = unmap(max(start, (unsigned long)LO_USER_MIN), min(end, (unsigned long)LO_IMAGE));

	return unmap(max(start, (unsigned long)LO_IMAGE_END),
		     min(end, (unsigned long)LO_USER_END)) &&
	       low;
}

static void next_generation(void)
{
	static unsigned char last; /* of all processes: a fork's hints are not to be the child's */

	last = last % LO_LAST_GENERATION + 1;
	lo_this_proc()->generation = last;
}

/* Nothing is left. */
static void empty(void)
{
	struct lo_hostproc *proc = lo_this_proc();

	lo_vcpu()->flushes.count = 0;
	if (proc->loaded && !try_unmap_user(0, TASK_SIZE))
		panic("the host unmaps nothing");
	proc->loaded = false;
	lo_mappings_clear();
	next_generation();
}

/* The host has no room for one more mapping, be it that it should split one. */
static void make_room(void)
{
	pr_warn_once(
		"the host's limit of mappings is reached, so a program loses all and faults them in again: slow. Raise vm.max_map_count of the host.\n");
	lo_stats.emptied++;
	lo_this_proc()->loaded = true;
	empty();
}

static void unmap_user(unsigned long start, unsigned long end)
{
	if (try_unmap_user(start, end))
		lo_mappings_remove(start, end);
	else
		make_room();
}

static bool protect(unsigned long start, unsigned long end, int rights)
{
	if (host_protect(start, end - start, rights) != 0)
		return false;
	lo_mappings_protect(start, end, rights);
	return true;
}

/* What is known to be in [start, end); false: it isn't known. */
static bool flush_known(unsigned long start, unsigned long end, bool old_too)
{
	struct mm_struct *mm = lo_vcpu()->mm;
	struct lo_check check = { .from = start, .to = end, .old_too = old_too };

	if (!mm || !lo_mappings_cut(start, end))
		return false;
	check.pgd = mm->pgd;
	while (lo_mappings_next(&check))
		if (!check.rights || !protect(check.start, check.end, check.rights))
			unmap_user(check.start, check.end);
	return true;
}

void lo_flush_all(void)
{
	lo_vcpu()->flushes.count = 0;
	next_generation();
	if (!flush_known(0, TASK_SIZE, lo_this_proc()->newborn))
		empty();
}

void lo_flush_all_later(void)
{
	struct lo_flush_queue *queue = &lo_vcpu()->flushes;

	queue->count = 1;
	queue->range[0].start = 0;
	queue->range[0].end = TASK_SIZE;
}

void lo_flush_run(void)
{
	struct lo_flush_queue *queue = &lo_vcpu()->flushes;
	unsigned int i;

	for (i = 0; i < queue->count; i++) {
		if (queue->range[i].start == 0 && queue->range[i].end >= TASK_SIZE) {
			lo_flush_all();
			return;
		}
		if (!flush_known(queue->range[i].start, queue->range[i].end, false))
			unmap_user(queue->range[i].start, queue->range[i].end);
	}
	queue->count = 0;
}

static void queue_flush(unsigned long start, unsigned long end)
{
	struct lo_flush_queue *queue = &lo_vcpu()->flushes;

	if (queue->count && queue->range[queue->count - 1].end == start) {
		queue->range[queue->count - 1].end = end;
		return;
	}
	if (queue->count == LO_FLUSHES)
		lo_flush_run();
	queue->range[queue->count].start = start;
	queue->range[queue->count].end = end;
	queue->count++;
}

/* No program runs in it any more, and the next mm may find something of use. */
static bool is_left(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users) && !lo_this_proc()->crowded;
}

void lo_flush_user(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long flags;

	lo_reached_drop(mm, start, end);
	local_irq_save(flags);
	if (mm != lo_vcpu()->mm || is_left(mm)) {
		if (mm->context.hostproc > 0)
			lo_hostprocs[mm->context.hostproc].stale = true;
	} else if (lo_this_proc()->loaded) {
		queue_flush(start, end);
	}
	local_irq_restore(flags);
}

/* Before pages at [start, end) are mapped anew: nothing that is queued may hit them afterwards. */
static void settle(unsigned long start, unsigned long end)
{
	struct lo_flush_queue *queue = &lo_vcpu()->flushes;

	if (!queue->count)
		return;
	if (queue->count == 1 && queue->range[0].start >= start && queue->range[0].end <= end)
		queue->count = 0;
	else
		lo_flush_run();
}

void lo_flush_kernel(unsigned long start, unsigned long end)
{
	unsigned long flags;

	start = max(start, VMALLOC_START);
	end = min(end, VMALLOC_END);
	if (start >= end)
		return;
	local_irq_save(flags);
	if (!unmap(start, end))
		unmap(VMALLOC_START, VMALLOC_END); /* needs no room */
	/* This process has seen all others before, or it would not run. */
	lo_this_proc()->vmalloc_flushes = ++vmalloc_flushes;
	local_irq_restore(flags);
}

void lo_flush_vmalloc_missed(void)
{
	struct lo_hostproc *proc = lo_this_proc();

	if (proc->vmalloc_flushes == vmalloc_flushes)
		return;
	proc->vmalloc_flushes = vmalloc_flushes;
	unmap(VMALLOC_START, VMALLOC_END);
}

/* Where the table that could say something of `addr`, but isn't there, would end. */
static unsigned long hole_end(pgd_t *pgd, unsigned long addr)
{
	p4d_t *p4d = p4d_offset(pgd + pgd_index(addr), addr);

	if (!p4d_present(*p4d))
		return (addr | ~PGDIR_MASK) + 1;
	if (!pud_present(*pud_offset(p4d, addr)))
		return (addr | ~PUD_MASK) + 1;
	return (addr | ~PMD_MASK) + 1;
}

/* What a fork does with an address. */
enum forked {
	NOTHING,
	READONLY,
	UNMAP
};

/*
 * What Linux has taken away was flushed then. The host's mprotect() sets all rights, so these must
 * be the same in a row.
 */
static enum forked forked_state(pte_t pte)
{
	int rights = lo_pte_rights(pte);

	if (!rights || rights & LO_WRITE || !lo_is_installed(pte) ||
	    !(pte_val(pte) & LO_HOST_WRITABLE))
		return NOTHING;
	return rights == LO_READ ? READONLY : UNMAP;
}

/* How far from `addr` on, up to `end`, it is the same. */
static unsigned long same_state(pgd_t *pgd, unsigned long addr, unsigned long end,
				enum forked *ret_state)
{
	unsigned long start = addr;

	for (; addr < end;) {
		pmd_t *pmd = lo_find_pmd(pgd, addr);
		unsigned long next = pmd ? addr + PAGE_SIZE : hole_end(pgd, addr);
		enum forked state = NOTHING;

		if (pmd && pmd_leaf(*pmd)) {
			state = forked_state(pmd_pte(*pmd));
			next = (addr | ~PMD_MASK) + 1;
		} else if (pmd) {
			state = forked_state(*((pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr)));
		}
		if (addr == start)
			*ret_state = state;
		else if (*ret_state != state)
			break;
		addr = next;
	}
	return min(addr, end);
}

/* Nothing of [start, end), whose entries are all there, is writable on the host any more. */
static void note_readonly(pgd_t *pgd, unsigned long start, unsigned long end)
{
	while (start < end) {
		pmd_t *pmd = lo_find_pmd(pgd, start);
		bool huge = pmd_leaf(*pmd);
		pte_t *pte = huge ? (pte_t *)pmd : (pte_t *)pmd_page_vaddr(*pmd) + pte_index(start);

		pte_val(*pte) &= ~LO_HOST_WRITABLE;
		start += huge ? PMD_SIZE : PAGE_SIZE;
	}
}

/* [start, end) of the mm that runs becomes read-only on the host, or is unmapped. */
static void make_readonly(pgd_t *pgd, unsigned long start, unsigned long end)
{
	unsigned int calls = 0;

	while (start < end && calls < FORK_CALLS) {
		enum forked state;
		unsigned long next = same_state(pgd, start, end, &state);

		calls += state != NOTHING;
		if (state == UNMAP || (state == READONLY && !protect(start, next, LO_READ)))
			unmap_user(start, next);
		if (state != NOTHING)
			note_readonly(pgd, start, next);
		start = next;
	}
	unmap_user(start, end);
}

static void make_all_readonly(struct mm_struct *mm)
{
	VMA_ITERATOR(vmas, mm, 0);
	struct vm_area_struct *vma;

	for_each_vma(vmas, vma) if (lo_this_proc()->loaded && vma->anon_vma &&
				    !(vma->vm_flags & VM_SHARED) && vma->vm_flags & VM_WRITE)
		make_readonly(mm->pgd, vma->vm_start, vma->vm_end);
}

void lo_flush_forked(struct mm_struct *mm)
{
	unsigned long flags;

	mm->context.forked = false;
	lo_reached_drop(mm, 0, TASK_SIZE);
	if (mm != lo_vcpu()->mm) {
		lo_flush_user(mm, 0, TASK_SIZE);
		return;
	}
	lo_hatch_parent(mm);
	local_irq_save(flags);
	lo_flush_run();
	if (!flush_known(0, TASK_SIZE, true))
		make_all_readonly(mm);
	local_irq_restore(flags);
}

static bool map_kernel(unsigned long addr, unsigned long pfn)
{
	return host_map(addr, PAGE_SIZE, HOST_PROT_READ | HOST_PROT_WRITE, lo_ram_fd,
			pfn << PAGE_SHIFT) >= 0;
}

bool lo_vmalloc_fault(unsigned long addr)
{
	pte_t *pte;

	if (addr < VMALLOC_START || addr >= VMALLOC_END)
		return false;
	pte = lo_find_pte(swapper_pg_dir, addr);
	if (!pte || !pte_present(*pte))
		return false;
	lo_stats.vmalloc_faults++;
	if (map_kernel(addr & PAGE_MASK, pte_pfn(*pte)))
		return true;
	make_room();
	return map_kernel(addr & PAGE_MASK, pte_pfn(*pte));
}

static bool comes_along(pte_t pte, int rights, unsigned long pfn)
{
	return !lo_is_installed(pte) && lo_host_rights(pte) == rights && pte_pfn(pte) == pfn;
}

static void map(unsigned long addr, unsigned long size, int rights, unsigned long pfn)
{
	long r = host_map(addr, size, rights, lo_ram_fd, pfn << PAGE_SHIFT);

	if (r < 0) {
		make_room();
		r = host_map(addr, size, rights, lo_ram_fd, pfn << PAGE_SHIFT);
	}
	if (r < 0)
		panic("the host maps no page for a program: %ld", r);
	lo_this_proc()->loaded = true;
	lo_mappings_add(addr, size, rights, pfn);
	lo_stats.maps++;
	lo_stats.map_pages += size >> PAGE_SHIFT;
}

/*
 * To write, the host takes a fault for each page, so it is made to read first. That is cheaper than to
 * ask it for them all.
 */
static void fill(unsigned long addr, unsigned long end)
{
	for (; addr < end; addr = ALIGN(addr + 1, HOST_FAULT_SIZE))
		READ_ONCE(*(const char *)addr);
}

/* Pages that need not be written are often those of a file, and more of them come along. */
static int window(int rights)
{
	return rights & LO_WRITE ? LO_WINDOW : LO_READ_WINDOW;
}

/* The run around `addr`; returns where it ends. */
static unsigned long install_run(unsigned long addr, pte_t *pte)
{
	int rights = lo_host_rights(*pte), idx = pte_index(addr);
	pte_t *table = pte - idx;
	unsigned long pfn = pte_pfn(*pte), first, size;
	int low = idx & ~(window(rights) - 1), start = idx, end = idx + 1, i;

	while (start > low && comes_along(table[start - 1], rights, pfn - (idx - start) - 1))
		start--;
	while (end < low + window(rights) && comes_along(table[end], rights, pfn + (end - idx)))
		end++;
	first = (addr & PMD_MASK) + ((unsigned long)start << PAGE_SHIFT);
	size = (unsigned long)(end - start) << PAGE_SHIFT;
	settle(first, first + size);
	map(first, size, rights, pfn - (idx - start));
	if (rights & LO_WRITE && size > PAGE_SIZE)
		fill(first, first + size);
	for (i = start; i < end; i++)
		lo_set_installed(&table[i], rights);
	return first + size;
}

static void install_huge(unsigned long addr, pte_t *pmd, bool all)
{
	unsigned long pfn = pte_pfn(*pmd);

	settle(addr, addr + PMD_SIZE);
	map(addr, PMD_SIZE, lo_host_rights(*pmd), pfn);
	if (all && lo_is_fresh(pfn) && lo_host_rights(*pmd) & LO_WRITE)
		host_fill_new(addr, PMD_SIZE);
	else if (all)
		host_fill(addr, PMD_SIZE);
	lo_set_installed(pmd, lo_host_rights(*pmd));
}

/* What may be written: after a huge page fell apart, say, for Linux leaves its parts clean. */
static void make_dirty(pte_t *pte, unsigned long n)
{
	for (; n && lo_pte_rights(*pte) & LO_WRITE; pte++, n--)
		set_pte(pte, pte_mkdirty(*pte));
}

static void install_window(unsigned long addr, pte_t *pte, int want)
{
	unsigned long end = ((addr >> PAGE_SHIFT | (LO_WINDOW - 1)) + 1) << PAGE_SHIFT;
	pte_t *table = pte - pte_index(addr);

	/* Who writes here goes on writing, for all we know; a map is cheaper than a fault. */
	if (want == LO_WRITE)
		make_dirty(pte, (end - (addr & PAGE_MASK)) >> PAGE_SHIFT);
	addr = install_run(addr, pte);
	while (want == LO_WRITE && addr < end) {
		pte = table + pte_index(addr);
		if (!(lo_host_rights(*pte) & want) || lo_is_installed(*pte))
			break;
		addr = install_run(addr, pte);
	}
}

void lo_install(unsigned long addr, const struct lo_leaf *leaf, int want, bool all)
{
	unsigned long flags;

	local_irq_save(flags);
	if (leaf->huge)
		install_huge(addr & PMD_MASK, leaf->pte, all);
	else
		install_window(addr, leaf->pte, want);
	local_irq_restore(flags);
}
