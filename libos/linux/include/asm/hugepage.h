/* SPDX-License-Identifier: GPL-2.0-only */
/* hugepage.h - what Linux asks of a PMD that maps 2 MiB */
#ifndef LO_ASM_HUGEPAGE_H
#define LO_ASM_HUGEPAGE_H

/* Included by asm/pgtable.h. */

static inline pte_t pmd_pte(pmd_t p)
{
	return __pte(pmd_val(p));
}
static inline pmd_t pte_pmd(pte_t p)
{
	return __pmd(pte_val(p));
}

#define pmd_write(p)         pte_write(pmd_pte(p))
#define pmd_dirty(p)         pte_dirty(pmd_pte(p))
#define pmd_young(p)         pte_young(pmd_pte(p))
#define pmd_wrprotect(p)     pte_pmd(pte_wrprotect(pmd_pte(p)))
#define pmd_mkwrite_novma(p) pte_pmd(pte_mkwrite_novma(pmd_pte(p)))
#define pmd_mkclean(p)       pte_pmd(pte_mkclean(pmd_pte(p)))
#define pmd_mkdirty(p)       pte_pmd(pte_mkdirty(pmd_pte(p)))
#define pmd_mkold(p)         pte_pmd(pte_mkold(pmd_pte(p)))
#define pmd_mkyoung(p)       pte_pmd(pte_mkyoung(pmd_pte(p)))
#define pmd_modify(p, prot)  pte_pmd(pte_modify(pmd_pte(p), prot))
#define pfn_pmd(pfn, prot)   pte_pmd(pfn_pte(pfn, prot))
#define mk_pmd(page, prot)   pte_pmd(mk_pte(page, prot))

/* Only an anonymous page is huge, and Linux makes its entry so before it stores it. */
static inline pmd_t pmd_mkhuge(pmd_t p)
{
	return __pmd(pmd_val(p) | _PAGE_HUGE);
}
/* Nothing is installed from it, but Linux still finds a huge page there. */
static inline pmd_t pmd_mkinvalid(pmd_t p)
{
	return __pmd(pmd_val(p) & ~_PAGE_PRESENT);
}

#define __HAVE_ARCH_PMD_SAME
static inline int pmd_same(pmd_t a, pmd_t b)
{
	return pte_same(pmd_pte(a), pmd_pte(b));
}
static inline int pud_same(pud_t a, pud_t b)
{
	return pud_val(a) == pud_val(b);
}
#define pud_same pud_same

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
#define pmd_trans_huge(p)          pmd_leaf(p)
#define set_pmd_at(mm, addr, p, v) set_pmd(p, v)
#define update_mmu_cache_pmd(v, a, p) \
	do {                          \
	} while (0)
#define pmdp_establish generic_pmdp_establish

/* As for a PTE: what gained rights needs no flush. */
#define __HAVE_ARCH_PMDP_SET_ACCESS_FLAGS
static inline int lo_pmd_upgrade(pmd_t *p, pmd_t entry)
{
	if (pmd_same(*p, entry))
		return 0;
	set_pmd(p, entry);
	return 1;
}
#define pmdp_set_access_flags(vma, addr, p, entry, dirty) lo_pmd_upgrade(p, entry)

#define HPAGE_SHIFT PMD_SHIFT
#define HPAGE_SIZE  PMD_SIZE
#define HPAGE_MASK  PMD_MASK
#endif

#endif
