/* SPDX-License-Identifier: GPL-2.0-only */
/* api.h - vector registers for the kernel's own use, under x86's names; kernel/fpu.c */
#ifndef LO_ASM_FPU_API_H
#define LO_ASM_FPU_API_H

#include <asm/cpufeature.h>
#include <linux/types.h>

/*
 * Between the two, vector instructions may be used, whatever of a program is in the registers. No sleeping in
 * between, and no nesting: in interrupts ask irq_fpu_usable() before. x87 is not for the kernel.
 */
void kernel_fpu_begin(void);
void kernel_fpu_end(void);
bool irq_fpu_usable(void);

#define XFEATURE_MASK_SSE    0x02UL
#define XFEATURE_MASK_YMM    0x04UL
#define XFEATURE_MASK_AVX512 0xe0UL

/* Does the host keep these vector registers? `name` is not used. */
bool cpu_has_xfeatures(u64 features, const char **name);

#endif
