// SPDX-License-Identifier: GPL-2.0-only
/* rows.c - what programs share of files is moved into rows in RAM. */
/*
 * Theory of operation
 *
 * Pages that are one mapping of the host must stand in a row in RAM. What is read of a file at once does
 * (line_up_file() in fault.c); but the head of a program is read for its exec, some of its pages by
 * read-ahead, others were written, and where free memory is scattered nothing has room in a row. Each
 * gap is a page fault and a mapping for each program that runs the file, for good.
 *
 * So where such gaps made a program fault, the pages of the window of that file are moved into a row,
 * by Linux's own page migration, which compaction uses too. What can't be moved now, as it is read or
 * written or somebody holds it, stays, and there is a gap where it would have stood. All is tried at most once
 * a second.
 *
 * A page that was moved is old in the page tables. In the one of the program that faulted it is made
 * young again, for what is old isn't mapped with its neighbours.
 */
#include <asm/linux_versions.h>
#include <asm/lo.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "../../../mm/internal.h"
#include "pagewalk.h"

#define ROW_ORDER 6
#define ROW       (1U << ROW_ORDER)
/* So many gaps are let be: a row costs as much as some faults. */
#define GAPS 2
/* Of windows that are remembered. */
#define TRIED 64

struct row {
	pgoff_t first;
	struct page *to[ROW]; /* free ones */
	struct list_head from;
};

/* Whether it is time to try `window` of a file (again). */
static bool is_due(struct address_space *mapping, pgoff_t window)
{
	static struct {
		const struct address_space *mapping;
		pgoff_t window;
		unsigned long when;
	} tried[TRIED], *t;

	t = &tried[((unsigned long)mapping / sizeof(*mapping) + window) % TRIED];
	if (t->mapping == mapping && t->window == window && time_before(jiffies, t->when + HZ))
		return false;
	t->mapping = mapping;
	t->window = window;
	t->when = jiffies;
	return true;
}

/* Where two pages that are there follow each other, but not in RAM. */
static unsigned int count_gaps(struct address_space *mapping, pgoff_t first)
{
	unsigned long last = 0;
	unsigned int i, gaps = 0;

	for (i = 0; i < ROW; i++) {
		struct page *page = xa_load(&mapping->i_pages, first + i);
		unsigned long pfn = page && !xa_is_value(page) ? page_to_pfn(page) : 0;

		gaps += last && pfn && pfn != last + 1;
		last = pfn;
	}
	return gaps;
}

/* `page` is ours then, if it can be moved. */
static bool isolate(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio) || !folio_test_uptodate(folio) || folio_test_dirty(folio) ||
	    folio_test_writeback(folio) || folio_test_mlocked(folio) || !lo_isolate(folio))
		return false;
	node_stat_add_folio(folio, NR_ISOLATED_ANON + folio_is_file_lru(folio));
	return true;
}

static void collect(struct row *row, struct address_space *mapping)
{
	unsigned int i;

	for (i = 0; i < ROW; i++) {
		struct page *page = find_get_page(mapping, row->first + i);

		if (page && isolate(page))
			list_add_tail(&page->lru, &row->from);
		if (page)
			put_page(page);
	}
}

static lo_migrated_t *row_take(lo_migrated_t *from, unsigned long arg)
{
	struct row *row = (struct row *)arg;
	unsigned long i = from->index - row->first;
	struct page *to = i < ROW ? row->to[i] : NULL;

	if (to)
		row->to[i] = NULL;
	return (lo_migrated_t *)to;
}

static void row_give_back(lo_migrated_t *to, unsigned long arg)
{
	__free_page((struct page *)to);
}

static void make_row(struct address_space *mapping, pgoff_t first)
{
	const gfp_t gfp = (GFP_HIGHUSER_MOVABLE | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_RECLAIM;
	struct row row = { .first = first, .from = LIST_HEAD_INIT(row.from) };
	struct page *page = alloc_pages(gfp, ROW_ORDER);
	unsigned int i;

	if (!page)
		return;
	split_page(page, ROW_ORDER);
	for (i = 0; i < ROW; i++)
		row.to[i] = page + i;
	lru_add_drain();
	collect(&row, mapping);
	if (!list_empty(&row.from) &&
	    migrate_pages(&row.from, row_take, row_give_back, (unsigned long)&row, MIGRATE_ASYNC,
			  MR_COMPACTION, NULL))
		putback_movable_pages(&row.from);
	for (i = 0; i < ROW; i++)
		if (row.to[i])
			__free_page(row.to[i]);
	lo_stats.rows++;
}

/* Of what a fault has mapped around itself in [start, end), migration has made all old. */
static void make_young(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	for (; start < end; start += PAGE_SIZE) {
		pte_t *pte = lo_find_pte(mm->pgd, start);

		if (pte && pte_present(*pte))
			set_pte(pte, pte_mkyoung(*pte));
	}
}

static void line_up_window(struct vm_area_struct *vma, unsigned long addr)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t index = linear_page_index(vma, addr), first = index & ~(ROW - 1UL);
	unsigned long before = (index - first) << PAGE_SHIFT, start = addr & PAGE_MASK;

	if (count_gaps(mapping, first) <= GAPS || !is_due(mapping, first))
		return;
	make_row(mapping, first);
	make_young(vma->vm_mm, max(vma->vm_start, start - before),
		   min(vma->vm_end, start - before + ROW * PAGE_SIZE));
}

void lo_rows_line_up(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file && vma->vm_flags & (VM_READ | VM_EXEC) &&
	    !(vma->vm_flags & (VM_WRITE | VM_SHARED | VM_SPECIAL)))
		line_up_window(vma, addr);
	mmap_read_unlock(mm);
}
