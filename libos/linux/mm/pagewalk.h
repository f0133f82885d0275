/* SPDX-License-Identifier: GPL-2.0-only */
/* pagewalk.h - what fault.c, tlb.c and uaccess.c share. */
#ifndef LO_MM_PAGEWALK_H
#define LO_MM_PAGEWALK_H

#include <linux/mm_types.h>
#include <linux/pgtable.h>

/* Rights, as bits: of a PTE on the host, and wanted by an access. The same as PROT_*. */
#define LO_READ  1
#define LO_WRITE 2
#define LO_EXEC  4

/* The PTE of `addr`, NULL: there is no table for it. */
static inline pte_t *lo_find_pte(pgd_t *pgd, unsigned long addr)
{
	p4d_t *p4d = p4d_offset(pgd + pgd_index(addr), addr);
	pud_t *pud;
	pmd_t *pmd;

	if (!p4d_present(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	if (!pmd_present(*pmd))
		return NULL;
	return (pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr);
}

/* What an access may do without a fault: see asm/pgtable.h. */
static inline int lo_pte_rights(pte_t pte)
{
	if (!pte_present(pte) || !pte_read(pte) || !pte_young(pte))
		return 0;
	return LO_READ | (pte_write(pte) && pte_dirty(pte) ? LO_WRITE : 0) |
	       (pte_exec(pte) ? LO_EXEC : 0);
}

/* Has Linux handle a fault; 0, or signal << 8 | si_code, or -1: a signal is pending. */
int lo_handle_fault(struct mm_struct *mm, unsigned long addr, unsigned int flags);

/* Pages that are installed together at most: 128 KiB, aligned. */
#define LO_WINDOW 32

/*
 * Maps the page of `pte` into the program, and those around it that can come along; if it `want`s
 * to write, those behind it that may be written, too.
 */
void lo_install(unsigned long addr, pte_t *pte, int want);

#endif
