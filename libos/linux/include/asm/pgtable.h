/* SPDX-License-Identifier: GPL-2.0-only */
/* pgtable.h - page tables in software, of x86's geometry */
#ifndef LO_ASM_PGTABLE_H
#define LO_ASM_PGTABLE_H

/*
 * Theory of operation
 *
 * No processor walks these tables: mm/tlb.c does, and makes host mappings of what it finds.
 * So the bits are ours. A page is installed on the host only while it is PRESENT, READ and
 * ACCESSED; writable there only while it is WRITE and DIRTY. A PMD that is HUGE maps 2 MiB, and has
 * the bits of a PTE. The top byte of either says in which generation of the host process it was
 * last installed, a hint, and whether to be written (LO_HOST_WRITABLE): if the host lets the program
 * write, that bit is set. The byte is no part of an entry's value.
 */
#define PGDIR_SHIFT  39
#define PUD_SHIFT    30
#define PMD_SHIFT    21
#define PTRS_PER_PGD 512
#define PTRS_PER_PUD 512
#define PTRS_PER_PMD 512
#define PTRS_PER_PTE 512
#define PGDIR_SIZE   (1UL << PGDIR_SHIFT)
#define PGDIR_MASK   (~(PGDIR_SIZE - 1))
#define PUD_SIZE     (1UL << PUD_SHIFT)
#define PUD_MASK     (~(PUD_SIZE - 1))
#define PMD_SIZE     (1UL << PMD_SHIFT)
#define PMD_MASK     (~(PMD_SIZE - 1))

#include <asm-generic/pgtable-nop4d.h>
#include <asm/linux_versions.h>
#include <asm/page.h>

#ifndef __ASSEMBLY__
#include <asm/processor.h>

#define USER_PTRS_PER_PGD (TASK_SIZE / PGDIR_SIZE)
#define VMALLOC_START     ((unsigned long)LO_VMALLOC)
#define VMALLOC_END       ((unsigned long)LO_VMALLOC_END)

#define _PAGE_PRESENT   0x001UL
#define _PAGE_READ      0x002UL
#define _PAGE_WRITE     0x004UL
#define _PAGE_EXEC      0x008UL
#define _PAGE_ACCESSED  0x010UL
#define _PAGE_DIRTY     0x020UL
#define _PAGE_HUGE      0x080UL
#define _PAGE_GEN_SHIFT 56
#define _PAGE_VALUE     ((1UL << _PAGE_GEN_SHIFT) - 1)
#define _PAGE_PFN_MASK  (_PAGE_VALUE & PAGE_MASK)
#define _PAGE_TABLE     _PAGE_PRESENT
#define _PAGE_CHG_MASK  (_PAGE_PFN_MASK | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_HUGE)

#define __R                (_PAGE_PRESENT | _PAGE_READ | _PAGE_ACCESSED)
#define PAGE_NONE          __pgprot(_PAGE_PRESENT)
#define PAGE_READONLY      __pgprot(__R)
#define PAGE_READONLY_EXEC __pgprot(__R | _PAGE_EXEC)
#define PAGE_COPY          PAGE_READONLY
#define PAGE_SHARED        __pgprot(__R | _PAGE_WRITE)
#define PAGE_SHARED_EXEC   __pgprot(__R | _PAGE_WRITE | _PAGE_EXEC)
#define PAGE_KERNEL        __pgprot(__R | _PAGE_WRITE | _PAGE_DIRTY)
#define PAGE_KERNEL_EXEC   __pgprot(__R | _PAGE_WRITE | _PAGE_DIRTY | _PAGE_EXEC)

extern pgd_t swapper_pg_dir[PTRS_PER_PGD];
extern void *empty_zero_page;
#define ZERO_PAGE(v) virt_to_page(empty_zero_page)

static inline int pte_none(pte_t p)
{
	return !(pte_val(p) & _PAGE_VALUE);
}
static inline int pte_present(pte_t p)
{
	return pte_val(p) & _PAGE_PRESENT;
}
static inline int pte_read(pte_t p)
{
	return !!(pte_val(p) & _PAGE_READ);
}
static inline int pte_write(pte_t p)
{
	return !!(pte_val(p) & _PAGE_WRITE);
}
static inline int pte_exec(pte_t p)
{
	return !!(pte_val(p) & _PAGE_EXEC);
}
static inline int pte_dirty(pte_t p)
{
	return !!(pte_val(p) & _PAGE_DIRTY);
}
static inline int pte_young(pte_t p)
{
	return !!(pte_val(p) & _PAGE_ACCESSED);
}
static inline pte_t pte_wrprotect(pte_t p)
{
	return __pte(pte_val(p) & ~_PAGE_WRITE);
}
static inline pte_t pte_mkwrite_novma(pte_t p)
{
	return __pte(pte_val(p) | _PAGE_WRITE);
}
static inline pte_t pte_mkclean(pte_t p)
{
	return __pte(pte_val(p) & ~_PAGE_DIRTY);
}
static inline pte_t pte_mkdirty(pte_t p)
{
	return __pte(pte_val(p) | _PAGE_DIRTY);
}
static inline pte_t pte_mkold(pte_t p)
{
	return __pte(pte_val(p) & ~_PAGE_ACCESSED);
}
static inline pte_t pte_mkyoung(pte_t p)
{
	return __pte(pte_val(p) | _PAGE_ACCESSED);
}
static inline pte_t pte_modify(pte_t p, pgprot_t prot)
{
	return __pte((pte_val(p) & _PAGE_CHG_MASK) | (pgprot_val(prot) & ~_PAGE_ACCESSED));
}

#define __HAVE_ARCH_PTE_SAME
static inline int pte_same(pte_t a, pte_t b)
{
	return !((pte_val(a) ^ pte_val(b)) & _PAGE_VALUE);
}

/* In a swap entry: the page is nobody else's. */
#define _PAGE_SWP_EXCLUSIVE 0x040UL
#define __HAVE_ARCH_PTE_SWP_EXCLUSIVE
static inline int pte_swp_exclusive(pte_t p)
{
	return !!(pte_val(p) & _PAGE_SWP_EXCLUSIVE);
}
static inline pte_t pte_swp_mkexclusive(pte_t p)
{
	return __pte(pte_val(p) | _PAGE_SWP_EXCLUSIVE);
}
static inline pte_t pte_swp_clear_exclusive(pte_t p)
{
	return __pte(pte_val(p) & ~_PAGE_SWP_EXCLUSIVE);
}

#define PFN_PTE_SHIFT      PAGE_SHIFT
#define pte_pfn(p)         ((pte_val(p) & _PAGE_PFN_MASK) >> PAGE_SHIFT)
#define pte_page(p)        pfn_to_page(pte_pfn(p))
#define pfn_pte(pfn, prot) __pte(((unsigned long)(pfn) << PAGE_SHIFT) | pgprot_val(prot))
#define mk_pte(page, prot) pfn_pte(page_to_pfn(page), prot)

static inline void set_pte(pte_t *p, pte_t v)
{
	WRITE_ONCE(*p, v);
}
#define pte_clear(mm, addr, p) set_pte(p, __pte(0))

static inline void set_pmd(pmd_t *p, pmd_t v)
{
	WRITE_ONCE(*p, v);
}
static inline void set_pud(pud_t *p, pud_t v)
{
	WRITE_ONCE(*p, v);
}
static inline void set_p4d(p4d_t *p, p4d_t v)
{
	WRITE_ONCE(*p, v);
}

#define pmd_none(x)       (!pmd_val(x))
#define pmd_present(x)    (pmd_val(x) & (_PAGE_PRESENT | _PAGE_HUGE))
#define pmd_leaf(x)       (!!(pmd_val(x) & _PAGE_HUGE))
#define pmd_bad(x)        ((pmd_val(x) & ~PAGE_MASK) != _PAGE_TABLE)
#define pmd_clear(p)      set_pmd(p, __pmd(0))
#define pmd_pfn(x)        ((pmd_val(x) & _PAGE_PFN_MASK) >> PAGE_SHIFT)
#define pmd_page(x)       pfn_to_page(pmd_pfn(x))
#define pmd_page_vaddr(x) ((unsigned long)__va(pmd_val(x) & _PAGE_PFN_MASK))
#define pud_none(x)       (!pud_val(x))
#define pud_present(x)    (pud_val(x) & _PAGE_PRESENT)
#define pud_bad(x)        ((pud_val(x) & ~PAGE_MASK) != _PAGE_TABLE)
#define pud_clear(p)      set_pud(p, __pud(0))
#define pud_page(x)       pfn_to_page(pud_val(x) >> PAGE_SHIFT)
#define pud_pgtable(x)    ((pmd_t *)__va(pud_val(x) & PAGE_MASK))
#define p4d_none(x)       (!p4d_val(x))
#define p4d_present(x)    (p4d_val(x) & _PAGE_PRESENT)
#define p4d_bad(x)        ((p4d_val(x) & ~PAGE_MASK) != _PAGE_TABLE)
#define p4d_clear(p)      set_p4d(p, __p4d(0))
#define p4d_page(x)       pfn_to_page(p4d_val(x) >> PAGE_SHIFT)
#define p4d_pgtable(x)    ((pud_t *)__va(p4d_val(x) & PAGE_MASK))

#define pte_ERROR(e) pr_err("bad pte %016lx\n", pte_val(e))
#define pmd_ERROR(e) pr_err("bad pmd %016lx\n", pmd_val(e))
#define pud_ERROR(e) pr_err("bad pud %016lx\n", pud_val(e))
#define pgd_ERROR(e) pr_err("bad pgd %016lx\n", pgd_val(e))

/* A swap entry: not present, 5 bits of type from bit 1, the offset from bit 8 below the hint. */
#define __swp_type(x)          (((x).val >> 1) & 0x1f)
#define __swp_offset(x)        ((x).val >> 8)
#define __swp_entry(type, off) ((swp_entry_t){ ((type) << 1) | ((off) << 8) })
#define __pte_to_swp_entry(p)  ((swp_entry_t){ pte_val(p) & _PAGE_VALUE })
#define __swp_entry_to_pte(x)  ((pte_t){ (x).val })

/* A PTE that gained rights needs no flush: the next fault finds it and installs it. */
#define update_mmu_cache(...) \
	do {                  \
	} while (0)
#define update_mmu_cache_range(...) \
	do {                        \
	} while (0)
#define flush_tlb_fix_spurious_fault(...) \
	do {                              \
	} while (0)
#define __HAVE_ARCH_PTEP_SET_ACCESS_FLAGS
static inline int lo_pte_upgrade(pte_t *p, pte_t entry)
{
	if (pte_same(*p, entry))
		return 0;
	set_pte(p, entry);
	return 1;
}
#define ptep_set_access_flags(vma, addr, p, entry, dirty) lo_pte_upgrade(p, entry)

#include <asm/hugepage.h>

/* mm/mmap.c: MAP_32BIT */
#define HAVE_ARCH_UNMAPPED_AREA
#define HAVE_ARCH_UNMAPPED_AREA_TOPDOWN
#endif

#endif
