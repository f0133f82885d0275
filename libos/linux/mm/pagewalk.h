/* SPDX-License-Identifier: GPL-2.0-only */
/* pagewalk.h - what fault.c, tlb.c and uaccess.c share. */
#ifndef LO_MM_PAGEWALK_H
#define LO_MM_PAGEWALK_H

#include <asm/hostproc.h>
#include <asm/vcpu.h>
#include <linux/mm_types.h>
#include <linux/pgtable.h>

/* Rights, as bits: of an entry on the host, and wanted by an access. The same as PROT_*. */
#define LO_READ  1
#define LO_WRITE 2
#define LO_EXEC  4

/* The PMD of `addr`, NULL: there is none, or nothing is below it. */
static inline pmd_t *lo_find_pmd(pgd_t *pgd, unsigned long addr)
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
	return pmd_present(*pmd) ? pmd : NULL;
}

/* The PTE of `addr`, NULL: there is no table for it. */
static inline pte_t *lo_find_pte(pgd_t *pgd, unsigned long addr)
{
	pmd_t *pmd = lo_find_pmd(pgd, addr);

	return pmd && !pmd_leaf(*pmd) ? (pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr) : NULL;
}

/* What an access may do without a fault of Linux; a processor would set ACCESSED and DIRTY. */
static inline int lo_pte_rights(pte_t pte)
{
	if (!(pte_val(pte) & _PAGE_PRESENT) || !pte_read(pte))
		return 0;
	return LO_READ | (pte_write(pte) ? LO_WRITE : 0) | (pte_exec(pte) ? LO_EXEC : 0);
}

/* On the host, where a write must be seen once to mark the page as dirty. */
static inline int lo_host_rights(pte_t pte)
{
	return lo_pte_rights(pte) & ~(pte_dirty(pte) ? 0 : LO_WRITE);
}

/*
 * The top byte of an entry: the generation of the host process in which it was last installed, and
 * whether to be written.
 */
#define LO_HOST_WRITABLE   (1UL << 63)
#define LO_LAST_GENERATION 127

static inline struct lo_hostproc *lo_this_proc(void)
{
	return &lo_hostprocs[lo_vcpu()->hostproc];
}

static inline bool lo_is_installed(pte_t pte)
{
	return (pte_val(pte) & ~LO_HOST_WRITABLE) >> _PAGE_GEN_SHIFT == lo_this_proc()->generation;
}

static inline void lo_set_installed(pte_t *pte, int rights)
{
	pte_val(*pte) = (pte_val(*pte) & _PAGE_VALUE) | _PAGE_ACCESSED |
			(unsigned long)lo_this_proc()->generation << _PAGE_GEN_SHIFT |
			(rights & LO_WRITE ? LO_HOST_WRITABLE : 0);
}

/* An entry that maps a page, of either size. */
struct lo_leaf {
	pte_t *pte; /* a huge page's PMD has the same bits */
	bool huge;
};

/*
 * Does what a processor does that reaches `addr` for `want`: marks the entry as accessed, and dirty
 * if it writes. False: that is a page fault.
 */
static inline bool lo_walk(pgd_t *pgd, unsigned long addr, int want, struct lo_leaf *ret_leaf)
{
	pmd_t *pmd = lo_find_pmd(pgd, addr);
	unsigned long mark = _PAGE_ACCESSED | (want & LO_WRITE ? _PAGE_DIRTY : 0);
	pte_t *pte;

	if (unlikely(!pmd))
		return false;
	ret_leaf->huge = pmd_leaf(*pmd);
	pte = ret_leaf->huge ? (pte_t *)pmd : (pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr);
	if (unlikely(!(lo_pte_rights(*pte) & want)))
		return false;
	if (unlikely((pte_val(*pte) & mark) != mark))
		set_pte(pte, __pte(pte_val(*pte) | mark));
	ret_leaf->pte = pte;
	return true;
}

/* The kernel's address of the byte at `addr` that `leaf` maps, good to the end of its page. */
static inline void *lo_leaf_va(const struct lo_leaf *leaf, unsigned long addr)
{
	unsigned long mask = leaf->huge ? PMD_MASK : PAGE_MASK;

	return __va(pte_pfn(*leaf->pte) << PAGE_SHIFT | (addr & ~mask));
}

/* Around a fault of Linux: within, huge pages that are holes in RAM aren't cleared (fresh.c). */
void lo_fresh_begin(void);
void lo_fresh_end(void);
/* Whether the huge page at `pfn` was the last one found to be a hole. */
bool lo_is_fresh(unsigned long pfn);

/* Has Linux handle a fault; 0, or signal << 8 | si_code, or -1: a signal is pending. */
int lo_handle_fault(struct mm_struct *mm, unsigned long addr, unsigned int flags);

/* Pages that are installed together at most, aligned: 128 KiB, and 256 of those to read. */
#define LO_WINDOW      32
#define LO_READ_WINDOW 64

/*
 * Maps the page that lo_walk() found into the program, and those around it that can come along; if
 * it `want`s to write, those behind it that may be written, too. Of a huge page, the host gives what
 * is touched, or at once all of it.
 */
void lo_install(unsigned long addr, const struct lo_leaf *leaf, int want, bool all);

/* A mapping of the host: pages of a program, in a row in RAM. */
struct lo_mapping {
	unsigned long addr, pfn;
	unsigned int pages;
	int rights;
};

/* mm/mappings.c: the user mappings of the host process that runs; interrupts are off. */
void lo_mappings_add(unsigned long addr, unsigned long size, int rights, unsigned long pfn);
void lo_mappings_remove(unsigned long start, unsigned long end);
void lo_mappings_protect(unsigned long start, unsigned long end, int rights);
void lo_mappings_clear(void);
/* The n-th of them, as it is now; false: there are not so many. */
bool lo_mappings_get(unsigned int n, struct lo_mapping *ret_mapping);

/* Goes through those that a page table does not confirm. */
struct lo_check {
	pgd_t *pgd;
	unsigned long from, to; /* no mapping goes across them */
	bool old_too;           /* entries that aren't young confirm, too */
	/* The next range, without anything that is right in it, and what is left to it; 0: unmap it */
	unsigned long start, end;
	int rights;
};
/* No mapping goes across `start` or `end` then; false: it isn't known what there is. */
bool lo_mappings_cut(unsigned long start, unsigned long end);
/* False: that was all. What is confirmed counts as installed. */
bool lo_mappings_next(struct lo_check *check);

/* mm/hatch.c: a page fault was needed for `addr`, in a page that may be written. */
void lo_hatch_learn(unsigned long addr);
/* `mm` has been forked, its host process is not flushed yet; it is locked, for writing too. */
void lo_hatch_parent(struct mm_struct *mm);
/* A page that a write would fault on: not there, or to be copied first. Never part of a huge one. */
bool lo_needs_write_fault(struct mm_struct *mm, unsigned long addr);

#endif
