/* SPDX-License-Identifier: GPL-2.0-only */
/* cpufeature.h - what the processor can, under x86's names; kernel/cpu.c */
#ifndef LO_ASM_CPUFEATURE_H
#define LO_ASM_CPUFEATURE_H

#include <asm/cpufeatures.h>
#include <asm/processor.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/types.h>

/* For code of x86's (crypto/Makefile); the headers above say it to themselves, and take it back. */
#ifdef LO_X86_CODE
#define CONFIG_X86_64 1
#endif

#define X86_VENDOR_INTEL 0
#define X86_VENDOR_AMD   2

/* Model, family and vendor, alone and together. */
union lo_cpu {
	struct {
		u8 x86_model, x86, x86_vendor;
	};
	u32 x86_vfm;
};

/* Known from lo_cpu_init() on. */
extern union lo_cpu boot_cpu_data;

/* By CPUID; a feature that the host does not keep registers for is none. */
bool lo_cpu_has(unsigned int feature);
/* CPUID 1, EDX, which programs find in their auxiliary vector. */
unsigned long lo_cpu_hwcap(void);
void lo_cpu_init(void);

/* Here it is really asked: asm/processor.h has a constant for headers of x86 that ask for what is always there. */
#undef boot_cpu_has
#define boot_cpu_has(feature) lo_cpu_has(feature)

#endif
