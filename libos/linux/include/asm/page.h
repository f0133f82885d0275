/* SPDX-License-Identifier: GPL-2.0-only */
/* page.h - pages of 4 KiB, and the direct map */
#ifndef LO_ASM_PAGE_H
#define LO_ASM_PAGE_H

#include <asm/map.h>
#include <linux/const.h>

#define PAGE_SHIFT  12
#define PAGE_SIZE   (_AC(1, UL) << PAGE_SHIFT)
#define PAGE_MASK   (~(PAGE_SIZE - 1))
#define PAGE_OFFSET _AC(LO_RAM, UL)

#ifndef __ASSEMBLY__
typedef struct {
	unsigned long pte;
} pte_t;
typedef struct {
	unsigned long pmd;
} pmd_t;
typedef struct {
	unsigned long pud;
} pud_t;
typedef struct {
	unsigned long pgd;
} pgd_t;
typedef struct {
	unsigned long pgprot;
} pgprot_t;
typedef struct page *pgtable_t;

#define pte_val(x)    ((x).pte)
#define pmd_val(x)    ((x).pmd)
#define pud_val(x)    ((x).pud)
#define pgd_val(x)    ((x).pgd)
#define pgprot_val(x) ((x).pgprot)
#define __pte(x)      ((pte_t){ (x) })
#define __pmd(x)      ((pmd_t){ (x) })
#define __pud(x)      ((pud_t){ (x) })
#define __pgd(x)      ((pgd_t){ (x) })
#define __pgprot(x)   ((pgprot_t){ (x) })

/* mm/fresh.c: `at` is where the kernel has `page`, which a program is to have. */
struct page;
void lo_clear_user_page(void *at, struct page *page);

/* Bytes of RAM; set once, before the kernel proper starts. */
extern unsigned long lo_ram_size;

#define __pa(x)            ((unsigned long)(x)-PAGE_OFFSET)
#define __va(x)            ((void *)((unsigned long)(x) + PAGE_OFFSET))
#define virt_to_pfn(x)     (__pa(x) >> PAGE_SHIFT)
#define pfn_to_virt(p)     __va((unsigned long)(p) << PAGE_SHIFT)
#define virt_to_page(x)    pfn_to_page(virt_to_pfn(x))
#define page_to_virt(p)    pfn_to_virt(page_to_pfn(p))
#define page_to_phys(p)    ((phys_addr_t)page_to_pfn(p) << PAGE_SHIFT)
#define virt_addr_valid(x) ((unsigned long)(x)-PAGE_OFFSET < lo_ram_size)
#define pfn_valid(pfn)     ((pfn) < (lo_ram_size >> PAGE_SHIFT))

#define clear_page(p)               memset((p), 0, PAGE_SIZE)
#define copy_page(d, s)             memcpy((d), (s), PAGE_SIZE)
#define clear_user_page(p, v, pg)   lo_clear_user_page(p, pg)
#define copy_user_page(d, s, v, pg) copy_page(d, s)
#define VM_DATA_DEFAULT_FLAGS       VM_DATA_FLAGS_NON_EXEC

#include <asm-generic/getorder.h>
#include <asm-generic/memory_model.h>
#endif

#endif
