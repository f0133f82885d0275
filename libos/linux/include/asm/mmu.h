/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_MMU_H
#define LO_ASM_MMU_H

#include <linux/types.h>

typedef struct {
	int hostproc;       /* holds this mm's mappings, 0: none yet; kernel/hostproc.c */
	unsigned int stubs; /* of patched system call sites, in use; kernel/patch.c */
	bool forked;        /* the next flush of all is that of a fork; mm/tlb.c */
} mm_context_t;

#endif
