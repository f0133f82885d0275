// SPDX-License-Identifier: GPL-2.0-only
/* tlb.c - the host's mmap is our TLB. */
/*
 * Theory of operation
 *
 * lo_install() makes a host mapping of what a PTE says: the page's place in the RAM memfd, at
 * the program's address. Its neighbours within a window come along if they have the same rights,
 * stand in a row in RAM and aren't installed yet, for the call costs the same. "Installed" is a
 * generation number in the PTE; emptying the host process makes the next generation. The number
 * is a hint: at worst a neighbour is not taken along.
 *
 * A flush is the unmapping of a range. It must be done before the program runs on, no earlier: the
 * kernel itself never looks through these mappings. So for the mm that has the vCPU flushes
 * are queued (lo_flush_user) and done in lo_prepare_user(); an install in between, as after
 * copy-on-write, replaces the mapping, which makes the flush of that page unnecessary. Another mm's
 * host process is marked stale, and emptied before it runs.
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

#define LAST_GENERATION 255

#define FILL_SIZE (4 * PAGE_SIZE)

static unsigned long vmalloc_flushes;

static struct lo_hostproc *this_proc(void)
{
	return &lo_hostprocs[lo_vcpu()->hostproc];
}

static void unmap(unsigned long start, unsigned long end)
{
	if (start >= end)
		return;
	lo_stats.unmaps++;
	host_unmap(start, end - start);
}

/* A range of the program's addresses, without the kernel's image in them. */
static void unmap_user(unsigned long start, unsigned long end)
{
	unmap(max(start, (unsigned long)LO_USER_MIN), min(end, (unsigned long)LO_IMAGE));
	unmap(max(start, (unsigned long)LO_IMAGE_END), min(end, (unsigned long)LO_USER_END));
}

void lo_flush_all(void)
{
	static unsigned char last; /* of all processes: a fork's hints are not to be the child's */
	struct lo_hostproc *proc = this_proc();

	lo_vcpu()->flushes.count = 0;
	if (proc->loaded)
		unmap_user(0, TASK_SIZE);
	proc->loaded = false;
	last = last % LAST_GENERATION + 1;
	proc->generation = last;
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

void lo_flush_user(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	unsigned long flags;

	local_irq_save(flags);
	if (mm != lo_vcpu()->mm) {
		if (mm->context.hostproc)
			lo_hostprocs[mm->context.hostproc].stale = true;
	} else if (this_proc()->loaded) {
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
	unmap(start, end);
	/* This process has seen all others before, or it would not run. */
	this_proc()->vmalloc_flushes = ++vmalloc_flushes;
	local_irq_restore(flags);
}

void lo_flush_vmalloc_missed(void)
{
	struct lo_hostproc *proc = this_proc();

	if (proc->vmalloc_flushes == vmalloc_flushes)
		return;
	proc->vmalloc_flushes = vmalloc_flushes;
	unmap(VMALLOC_START, VMALLOC_END);
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
	return host_map(addr & PAGE_MASK, PAGE_SIZE, HOST_PROT_READ | HOST_PROT_WRITE, lo_ram_fd,
			pte_pfn(*pte) << PAGE_SHIFT) >= 0;
}

static bool is_installed(pte_t pte)
{
	return pte_val(pte) >> _PAGE_GEN_SHIFT == this_proc()->generation;
}

static bool comes_along(pte_t pte, int rights, unsigned long pfn)
{
	return !is_installed(pte) && lo_pte_rights(pte) == rights && pte_pfn(pte) == pfn;
}

static void map(unsigned long addr, unsigned long size, int rights, unsigned long pfn)
{
	/* For one page, filling costs 4 us, and the host's fault that it saves 1.6. */
	__auto_type map_pages = size < FILL_SIZE ? host_map : host_map_filled;
	long r = map_pages(addr, size, rights, lo_ram_fd, pfn << PAGE_SHIFT);

	if (r < 0) {
		this_proc()->loaded = true;
		lo_flush_all();
		r = map_pages(addr, size, rights, lo_ram_fd, pfn << PAGE_SHIFT);
	}
	if (r < 0)
		panic("the host maps no page for a program: %ld", r);
	this_proc()->loaded = true;
	lo_stats.maps++;
	lo_stats.map_pages += size >> PAGE_SHIFT;
}

/* The run around `addr`; returns where it ends. */
static unsigned long install_run(unsigned long addr, pte_t *pte)
{
	int rights = lo_pte_rights(*pte), idx = pte_index(addr);
	pte_t *table = pte - idx;
	unsigned long pfn = pte_pfn(*pte), first, size;
	int low = idx & ~(LO_WINDOW - 1), start = idx, end = idx + 1, i;

	while (start > low && comes_along(table[start - 1], rights, pfn - (idx - start) - 1))
		start--;
	while (end < low + LO_WINDOW && comes_along(table[end], rights, pfn + (end - idx)))
		end++;
	first = (addr & PMD_MASK) + ((unsigned long)start << PAGE_SHIFT);
	size = (unsigned long)(end - start) << PAGE_SHIFT;
	settle(first, first + size);
	map(first, size, rights, pfn - (idx - start));
	for (i = start; i < end; i++)
		pte_val(table[i]) = (pte_val(table[i]) & _PAGE_VALUE) |
				    (unsigned long)this_proc()->generation << _PAGE_GEN_SHIFT;
	return first + size;
}

void lo_install(unsigned long addr, pte_t *pte, int want)
{
	unsigned long end = ((addr >> PAGE_SHIFT | (LO_WINDOW - 1)) + 1) << PAGE_SHIFT, flags;
	pte_t *table = pte - pte_index(addr);

	local_irq_save(flags);
	addr = install_run(addr, pte);
	/* Who writes here goes on writing, for all we know; a map is cheaper than a fault. */
	while (want == LO_WRITE && addr < end) {
		pte = table + pte_index(addr);
		if (!(lo_pte_rights(*pte) & want) || is_installed(*pte))
			break;
		addr = install_run(addr, pte);
	}
	local_irq_restore(flags);
}
