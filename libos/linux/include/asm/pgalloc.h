/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_PGALLOC_H
#define LO_ASM_PGALLOC_H

#include <asm-generic/pgalloc.h>
#include <asm/linux_versions.h>
#include <linux/mm.h>

static inline void pmd_populate_kernel(struct mm_struct *mm, pmd_t *p, pte_t *table)
{
	set_pmd(p, __pmd(__pa(table) | _PAGE_TABLE));
}
static inline void pmd_populate(struct mm_struct *mm, pmd_t *p, pgtable_t table)
{
	set_pmd(p, __pmd(page_to_phys(table) | _PAGE_TABLE));
}
static inline void pud_populate(struct mm_struct *mm, pud_t *p, pmd_t *table)
{
	set_pud(p, __pud(__pa(table) | _PAGE_TABLE));
}
static inline void p4d_populate(struct mm_struct *mm, p4d_t *p, pud_t *table)
{
	set_p4d(p, __p4d(__pa(table) | _PAGE_TABLE));
}
static inline pgd_t *pgd_alloc(struct mm_struct *mm)
{
	return (pgd_t *)get_zeroed_page(GFP_KERNEL);
}

#define __pte_free_tlb(tlb, table, addr)                             \
	do {                                                         \
		pagetable_pte_dtor(page_ptdesc(table));              \
		tlb_remove_page_ptdesc((tlb), (page_ptdesc(table))); \
	} while (0)
#define __pmd_free_tlb(tlb, table, addr)                              \
	do {                                                          \
		pagetable_pmd_dtor(virt_to_ptdesc(table));            \
		tlb_remove_page_ptdesc((tlb), virt_to_ptdesc(table)); \
	} while (0)
#define __pud_free_tlb(tlb, table, addr) tlb_remove_page((tlb), virt_to_page(table))

#endif
