/* SPDX-License-Identifier: GPL-2.0-only */
/* linux_versions.h - what newer versions of Linux call otherwise, by its newer name */
#ifndef LO_ASM_LINUX_VERSIONS_H
#define LO_ASM_LINUX_VERSIONS_H

/*
 * The port is written for the newest version that scripts/libos-build builds; this makes it one for
 * the oldest as well. Macros alone, so that it can be included before what it speaks of.
 */
#include <linux/version.h>

#define LO_LINUX_BEFORE(major, minor) (LINUX_VERSION_CODE < KERNEL_VERSION(major, minor, 0))

#if LO_LINUX_BEFORE(6, 6)
/* asm/pgtable.h: one entry at a time, and rights without a look at the mapping. */
#define set_pte_at(mm, addr, p, v) set_pte(p, v)
#define pte_mkwrite(p)             pte_mkwrite_novma(p)
#define pmd_mkwrite(p)             pmd_mkwrite_novma(p)

/* asm/pgalloc.h: tables are described by a struct page. */
#define page_ptdesc(page)                  (page)
#define virt_to_ptdesc(table)              virt_to_page(table)
#define pagetable_pte_dtor(table)          pgtable_pte_page_dtor(table)
#define pagetable_pmd_dtor(table)          pgtable_pmd_page_dtor(table)
#define tlb_remove_page_ptdesc(tlb, table) tlb_remove_page(tlb, table)

/* kernel/console.c: what is written to a terminal, and how much of it was. */
#define lo_tty_size_t  int
#define lo_tty_ssize_t int
#else
/* asm/hugepage.h */
#define pmd_mkwrite(p, vma) pmd_mkwrite_novma(p)

#define lo_tty_size_t  size_t
#define lo_tty_ssize_t ssize_t
#endif

/* mm/mmap.c: room is looked for with the rights of what it is for. */
#if LO_LINUX_BEFORE(6, 12)
#define LO_VM_FLAGS_PARAM
#define LO_VM_FLAGS_ARG
#else
#define LO_VM_FLAGS_PARAM , vm_flags_t vm_flags
#define LO_VM_FLAGS_ARG   , vm_flags
#endif

/* kernel/patch_sites.c: get_user_pages_remote() gave the mappings as well. */
#if LO_LINUX_BEFORE(6, 5)
#define LO_GUP_NO_VMAS NULL,
#else
#define LO_GUP_NO_VMAS
#endif

/* kernel/event.c: whether arch_cpu_idle() returns with interrupts on. */
#define LO_IDLE_ENABLES_IRQS LO_LINUX_BEFORE(6, 3)

#endif
