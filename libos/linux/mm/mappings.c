// SPDX-License-Identifier: GPL-2.0-only
/* mappings.c - what a host process has mapped for its mm. */
/*
 * Theory of operation
 *
 * A list for each host process says what stands where in it: whatever mm/tlb.c maps, unmaps or
 * protects it tells here. The list is in order of addresses, and none overlaps another. If there is
 * more than it can hold, it is not known (lo_hostproc.crowded), until the process has been emptied.
 *
 * A flush looks at what stands in its range, and compares each mapping with the page table. Where
 * that has the same pages of RAM with the rights that the mapping gives, the mapping is what a page
 * fault would make, and stays. Where rights are missing, they are taken away on the host, too: after
 * mprotect(), or a fork. The rest is unmapped. What a mapping was made for does not matter, nor which
 * flushes the process has missed: the page table as it is now decides, and what changes in it
 * later is flushed later.
 *
 * That holds for another mm's page table as well. The children of one parent have the same text, and
 * the same pages of data that none of them writes, at the same addresses; so a host process that
 * had one of them has much of what the next one needs.
 *
 * A right to write stays only where the entry is dirty, for the host sets no such bit: the test is
 * the one by which lo_install() would have mapped it. For the same reason an entry must be young,
 * or pages would never grow old; but a fork has made all of its child's old. Huge pages are unmapped.
 */
#include <asm/lo.h>
#include <linux/string.h>

#include "pagewalk.h"

/* Of one host process; what a command of some libraries needs. */
#define MAPPINGS 96

struct mappings {
	unsigned int count;
	struct lo_mapping list[MAPPINGS];
};

static struct mappings all[LO_HOSTPROCS];

static struct mappings *ours(void)
{
	return &all[lo_vcpu()->hostproc];
}

static bool known(void)
{
	return !lo_this_proc()->crowded;
}

static unsigned long end_of(const struct lo_mapping *m)
{
	return m->addr + ((unsigned long)m->pages << PAGE_SHIFT);
}

/* The index of the first one that ends behind `addr`. */
static unsigned int find(const struct mappings *ms, unsigned long addr)
{
	unsigned int low = 0, high = ms->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (end_of(&ms->list[middle]) > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void insert(struct mappings *ms, unsigned int i, const struct lo_mapping *m)
{
	if (ms->count == MAPPINGS) {
		lo_this_proc()->crowded = true;
		return;
	}
	memmove(&ms->list[i + 1], &ms->list[i], (ms->count - i) * sizeof(*m));
	ms->list[i] = *m;
	ms->count++;
}

/* No mapping goes across `addr` then. The index of the first one at or behind it. */
static unsigned int cut(struct mappings *ms, unsigned long addr)
{
	unsigned int i = find(ms, addr);
	struct lo_mapping *m = &ms->list[i], upper;

	if (i == ms->count || m->addr >= addr)
		return i;
	upper = *m;
	m->pages = (addr - m->addr) >> PAGE_SHIFT;
	upper.addr = addr;
	upper.pages -= m->pages;
	upper.pfn += m->pages;
	insert(ms, i + 1, &upper);
	return i + 1;
}

void lo_mappings_remove(unsigned long start, unsigned long end)
{
	struct mappings *ms = ours();
	unsigned int first, last;

	if (!known() || start >= end)
		return;
	first = cut(ms, start);
	last = cut(ms, end);
	if (!known() || first == last)
		return;
	memmove(&ms->list[first], &ms->list[last], (ms->count - last) * sizeof(ms->list[0]));
	ms->count -= last - first;
}

void lo_mappings_add(unsigned long addr, unsigned long size, int rights, unsigned long pfn)
{
	const struct lo_mapping m = { addr, pfn, size >> PAGE_SHIFT, rights };
	struct mappings *ms = ours();

	lo_mappings_remove(addr, addr + size);
	if (known())
		insert(ms, find(ms, addr), &m);
}

void lo_mappings_protect(unsigned long start, unsigned long end, int rights)
{
	struct mappings *ms = ours();
	unsigned int i, last;

	if (!known())
		return;
	i = cut(ms, start);
	last = cut(ms, end);
	for (; known() && i < last; i++)
		ms->list[i].rights = rights;
}

void lo_mappings_clear(void)
{
	ours()->count = 0;
	lo_this_proc()->crowded = false;
}

bool lo_mappings_get(unsigned int n, struct lo_mapping *ret_mapping)
{
	const struct mappings *ms = ours();

	if (!known() || n >= ms->count)
		return false;
	*ret_mapping = ms->list[n];
	return true;
}

/* What `pgd` confirms of the rights that a mapping gives; 0: it is to be unmapped. */
static int confirmed_rights(pgd_t *pgd, const struct lo_mapping *m, bool old_too)
{
	int rights = m->rights;
	unsigned int i;

	for (i = 0; i < m->pages; i++) {
		pte_t *pte = lo_find_pte(pgd, m->addr + ((unsigned long)i << PAGE_SHIFT));

		if (!pte || pte_pfn(*pte) != m->pfn + i || !(old_too || pte_young(*pte)))
			return 0;
		rights &= lo_host_rights(*pte);
	}
	return rights & LO_READ ? rights : 0;
}

static void set_installed(pgd_t *pgd, const struct lo_mapping *m)
{
	unsigned int i;

	for (i = 0; i < m->pages; i++)
		lo_set_installed(lo_find_pte(pgd, m->addr + ((unsigned long)i << PAGE_SHIFT)),
				 m->rights);
}

bool lo_mappings_cut(unsigned long start, unsigned long end)
{
	struct mappings *ms = ours();

	if (known())
		cut(ms, start);
	if (known())
		cut(ms, end);
	return known();
}

bool lo_mappings_next(struct lo_check *check)
{
	const struct mappings *ms = ours();
	unsigned int i;

	check->rights = 0;
	check->end = 0;
	for (i = find(ms, check->from); i < ms->count; i++) {
		const struct lo_mapping *m = &ms->list[i];
		int rights;

		if (m->addr >= check->to)
			break;
		rights = confirmed_rights(check->pgd, m, check->old_too);
		if (rights && check->end)
			break;
		if (rights == m->rights) {
			set_installed(check->pgd, m);
			lo_stats.kept++;
			continue;
		}
		if (!check->end)
			check->start = m->addr;
		check->end = end_of(m);
		check->rights = rights;
		if (rights)
			break;
	}
	check->from = check->end;
	if (check->rights)
		check->from = check->start; /* once more: it is right then, or gone */
	return check->end;
}
