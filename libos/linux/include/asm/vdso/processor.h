/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_VDSO_PROCESSOR_H
#define LO_ASM_VDSO_PROCESSOR_H

#ifndef __ASSEMBLY__
static inline void cpu_relax(void)
{
	asm volatile("pause" ::: "memory");
}
#endif

#endif
