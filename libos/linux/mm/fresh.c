// SPDX-License-Identifier: GPL-2.0-only
/* fresh.c - huge pages that the host has not given yet need not be cleared. */
/*
 * Theory of operation
 *
 * What nobody has touched yet, or what was given back (reporting.c), is a hole in the RAM's memfd,
 * and reads as zeros. To clear it would only make the host give it, page by page, before the
 * program has asked for any of it. So for a huge page the host is asked once, and if all of it is a
 * hole, it stays one: the host gives each page when the program touches it.
 *
 * The answer holds while the page is ours alone: until the end of the page fault that takes it. If
 * another task's fault comes between, the rest is cleared as ever.
 */
#include <asm/lo.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "../host/host.h"
#include "pagewalk.h"

#define NONE (~0UL)

static struct {
	const struct task_struct *task; /* whose fault it is, NULL: none */
	unsigned long pfn;              /* of the huge page that was asked about, NONE: none yet */
	bool is_hole;
} asked = { .pfn = NONE };

void lo_fresh_begin(void)
{
	asked.task = current;
	asked.pfn = NONE;
}

void lo_fresh_end(void)
{
	asked.task = NULL;
}

bool lo_is_fresh(unsigned long pfn)
{
	return asked.is_hole && asked.pfn == pfn;
}

static bool is_hole(unsigned long pfn)
{
	long start = pfn << PAGE_SHIFT, next = host_next_data(lo_ram_fd, start);
	const long nothing_more = -ENXIO;

	return next == nothing_more || next >= start + (long)HPAGE_PMD_SIZE;
}

void lo_clear_user_page(void *at, struct page *page)
{
	unsigned long pfn = page_to_pfn(page) & ~(HPAGE_PMD_NR - 1UL);

	if (asked.task == current && PageCompound(page) &&
	    compound_order(compound_head(page)) == HPAGE_PMD_ORDER) {
		if (asked.pfn != pfn) {
			asked.pfn = pfn;
			asked.is_hole = is_hole(pfn);
		}
		if (asked.is_hole)
			return;
	}
	clear_page(at);
}
