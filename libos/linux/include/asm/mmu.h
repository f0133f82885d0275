/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_MMU_H
#define LO_ASM_MMU_H

#include <asm/patch.h>
#include <linux/types.h>

typedef struct {
	/*
	 * Holds this mm's mappings; 0: none yet; -n: none yet, and the mm it was forked from has
	 * n. kernel/hostproc.c
	 */
	int hostproc;
	bool forked;        /* the next flush of all is that of a fork; mm/tlb.c */
	unsigned long vdso; /* where its vDSO is */
	struct lo_patch_context patch;
} mm_context_t;

#endif
