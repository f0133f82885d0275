// SPDX-License-Identifier: GPL-2.0-only
/* cpu.c - what the processor can, for code of arch/x86 that asks. */
/*
 * Theory of operation
 *
 * x86 numbers features by words of 32, most of which are registers of CPUID. lo_cpu_init() reads those
 * that the code in crypto/ asks for; the other words are zero: not there. AVX and AVX-512 count only if
 * the host saves their registers. In a virtual machine each CPUID is an exit, so it is asked at the
 * start alone, and no leaf twice.
 */
#include <asm/cpu_device_id.h>
#include <asm/cpufeature.h>
#include <asm/fpu.h>
#include <asm/fpu/api.h>
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/string.h>

#define WORDS         20
#define VENDOR_INTEL0 0x756e6547 /* "Genu", CPUID 0, EBX */

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

/* What needs registers that only some hosts keep. */
static const struct {
	u16 feature;
	u8 xfeatures;
} needs[] = {
	{ X86_FEATURE_AVX, XFEATURE_MASK_YMM },
	{ X86_FEATURE_AVX2, XFEATURE_MASK_YMM },
	{ X86_FEATURE_FMA, XFEATURE_MASK_YMM },
	{ X86_FEATURE_VAES, XFEATURE_MASK_YMM },
	{ X86_FEATURE_VPCLMULQDQ, XFEATURE_MASK_YMM },
	{ X86_FEATURE_AVX512F, XFEATURE_MASK_AVX512 },
	{ X86_FEATURE_AVX512BW, XFEATURE_MASK_AVX512 },
	{ X86_FEATURE_AVX512VL, XFEATURE_MASK_AVX512 },
};

union lo_cpu boot_cpu_data __ro_after_init;
u64 lo_xfeatures __ro_after_init;
static u32 words[WORDS] __ro_after_init;

static struct cpuid __init cpuid(u32 leaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(0));
	return r;
}

/* Family and model are in pieces, see AMD's and Intel's manuals of CPUID 1. */
static void __init identify(u32 vendor, u32 signature)
{
	u32 family = signature >> 8 & 0xf, model = signature >> 4 & 0xf;

	if (family == 6 || family == 15)
		model |= signature >> 12 & 0xf0;
	if (family == 15)
		family += signature >> 20 & 0xff;
	boot_cpu_data.x86_vendor = vendor == VENDOR_INTEL0 ? X86_VENDOR_INTEL : X86_VENDOR_AMD;
	boot_cpu_data.x86 = family;
	boot_cpu_data.x86_model = model;
}

static u64 __init host_xfeatures(void)
{
	u32 low, high;

	if (!lo_cpu_has(X86_FEATURE_OSXSAVE))
		return 0;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & LO_XFEATURES;
}

void __init lo_cpu_init(void)
{
	struct cpuid first = cpuid(0), r = cpuid(1);
	unsigned int i;

	identify(first.ebx, r.eax);
	words[X86_FEATURE_FPU / 32] = r.edx;
	words[X86_FEATURE_XSAVE / 32] = r.ecx;
	if (first.eax >= 7) {
		r = cpuid(7);
		words[X86_FEATURE_FSGSBASE / 32] = r.ebx;
		words[X86_FEATURE_VAES / 32] = r.ecx;
	}
	lo_xfeatures = host_xfeatures();
	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if (!cpu_has_xfeatures(needs[i].xfeatures, NULL))
			words[needs[i].feature / 32] &= ~(1U << needs[i].feature % 32);
}

unsigned long lo_cpu_hwcap(void)
{
	return words[X86_FEATURE_FPU / 32];
}

bool lo_cpu_has(unsigned int feature)
{
	return feature / 32 < WORDS && words[feature / 32] >> feature % 32 & 1;
}

bool cpu_has_xfeatures(u64 features, const char **name)
{
	return (lo_xfeatures & features) == features;
}

/* The first entry that fits. Steppings are not compared. */
const struct x86_cpu_id *x86_match_cpu(const struct x86_cpu_id *match)
{
	const struct x86_cpu_id *m;

	for (m = match; m->flags & X86_CPU_ID_FLAG_ENTRY_VALID; m++) {
		if (m->vendor != X86_VENDOR_ANY && m->vendor != boot_cpu_data.x86_vendor)
			continue;
		if (m->family != X86_FAMILY_ANY && m->family != boot_cpu_data.x86)
			continue;
		if (m->model != X86_MODEL_ANY && m->model != boot_cpu_data.x86_model)
			continue;
		if (m->feature != X86_FEATURE_ANY && !lo_cpu_has(m->feature))
			continue;
		return m;
	}
	return NULL;
}
