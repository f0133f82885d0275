// SPDX-License-Identifier: GPL-2.0-only
/* fpu.c - vector registers, FS and GS: they stay in the processor until someone else needs them. */
/*
 * Theory of operation
 *
 * The kernel uses none of them, so a program's values stay in the registers while the kernel, its
 * threads and the idle loop run. vcpu->fpu_owner says whose they are. They move
 *
 *	lo_fpu_load	when another task's program is about to run (lo_prepare_user)
 *	lo_fpu_park	when the vCPU goes to another host process, which has registers of its own
 *	lo_fpu_save	when someone looks at them: fork, a signal frame, a debugger
 *
 * and lo_fpu_disown() makes the memory of the task the truth, after it was changed. States are in
 * XSAVE's standard layout, as in signal frames, without what comes after AVX-512: protection keys
 * and tiles are not offered to programs.
 *
 * XSAVE and XRSTOR take 140 ns together. Mostly, all but the SSE registers are in their initial
 * state (library functions end with VZEROUPPER), as the processor tells; then these are moved by
 * hand, in a tenth of that.
 */
#include <asm/fpu.h>
#include <asm/lo.h>
#include <asm/vcpu.h>
#include <linux/sched.h>
#include <linux/string.h>

#define XSTATE_MXCSR       24
#define XSTATE_MXCSR_MASK  28
#define XSTATE_X87         32
#define XSTATE_XMM         160
#define XSTATE_HEADER      512
#define XSTATE_HEADER_SIZE 64
#define FEATURE_X87        1
#define FEATURE_SSE        2
#define INITIAL_FCW        0x37f
#define INITIAL_MXCSR      0x1f80

unsigned long lo_hwcap;
u64 lo_xfeatures;
static u32 mxcsr_mask;
static bool knows_in_use; /* the processor tells which features aren't in their initial state */

static void cpuid(u32 leaf, u32 subleaf, u32 ret[4])
{
	asm volatile("cpuid"
		     : "=a"(ret[0]), "=b"(ret[1]), "=c"(ret[2]), "=d"(ret[3])
		     : "a"(leaf), "c"(subleaf));
}

/* Not XSAVEOPT: who looks at the bytes wants those of an initial state, too. */
static void xsave(void *to)
{
	asm volatile("xsave64 (%0)" ::"r"(to), "a"((u32)lo_xfeatures), "d"(0) : "memory");
}

static bool only_sse_in_use(void)
{
	u32 low, high;

	if (!knows_in_use)
		return false;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
	return !((low & (u32)lo_xfeatures) & ~FEATURE_SSE);
}

static u64 *features_of(const void *xstate)
{
	return (u64 *)(xstate + XSTATE_HEADER);
}

/* The 16 registers stand from byte 160 on. */
static void save_sse(void *to)
{
	asm volatile("movaps %%xmm0, 160(%0); movaps %%xmm1, 176(%0)\n\t"
		     "movaps %%xmm2, 192(%0); movaps %%xmm3, 208(%0)\n\t"
		     "movaps %%xmm4, 224(%0); movaps %%xmm5, 240(%0)\n\t"
		     "movaps %%xmm6, 256(%0); movaps %%xmm7, 272(%0)\n\t"
		     "movaps %%xmm8, 288(%0); movaps %%xmm9, 304(%0)\n\t"
		     "movaps %%xmm10, 320(%0); movaps %%xmm11, 336(%0)\n\t"
		     "movaps %%xmm12, 352(%0); movaps %%xmm13, 368(%0)\n\t"
		     "movaps %%xmm14, 384(%0); movaps %%xmm15, 400(%0)\n\t"
		     "stmxcsr 24(%0)" ::"r"(to)
		     : "memory");
	*features_of(to) = FEATURE_SSE;
}

static void restore_sse(const void *from)
{
	asm volatile("movaps 160(%0), %%xmm0; movaps 176(%0), %%xmm1\n\t"
		     "movaps 192(%0), %%xmm2; movaps 208(%0), %%xmm3\n\t"
		     "movaps 224(%0), %%xmm4; movaps 240(%0), %%xmm5\n\t"
		     "movaps 256(%0), %%xmm6; movaps 272(%0), %%xmm7\n\t"
		     "movaps 288(%0), %%xmm8; movaps 304(%0), %%xmm9\n\t"
		     "movaps 320(%0), %%xmm10; movaps 336(%0), %%xmm11\n\t"
		     "movaps 352(%0), %%xmm12; movaps 368(%0), %%xmm13\n\t"
		     "movaps 384(%0), %%xmm14; movaps 400(%0), %%xmm15\n\t"
		     "ldmxcsr 24(%0)" ::"r"(from)
		     : "memory");
}

void lo_xstate_restore(const void *from)
{
	if (*features_of(from) == FEATURE_SSE && only_sse_in_use()) {
		restore_sse(from);
		return;
	}
	asm volatile("xrstor64 (%0)" ::"r"(from), "a"((u32)lo_xfeatures), "d"(0) : "memory");
}

/* By hand only over a state that has the bytes of an initial one everywhere else. */
static void save(struct thread_struct *thread)
{
	if (!(*features_of(thread->xstate) & ~(u64)FEATURE_SSE) && only_sse_in_use())
		save_sse(thread->xstate);
	else
		xsave(thread->xstate);
	asm volatile("rdfsbase %0" : "=r"(thread->fs));
	asm volatile("rdgsbase %0" : "=r"(thread->gs));
}

static void initial_x87(void *xstate)
{
	memset(xstate, 0, XSTATE_MXCSR);
	memset(xstate + XSTATE_X87, 0, XSTATE_XMM - XSTATE_X87);
	*(u16 *)xstate = INITIAL_FCW;
}

static void initial(void *xstate)
{
	memset(xstate, 0, LO_XSTATE_SIZE);
	initial_x87(xstate);
	/* XRSTOR takes it from memory even if SSE is in its initial state. */
	*(u32 *)(xstate + XSTATE_MXCSR) = INITIAL_MXCSR;
}

void lo_fpu_save(struct task_struct *task)
{
	if (lo_vcpu()->fpu_owner == task)
		save(&task->thread);
}

void lo_fpu_disown(struct task_struct *task)
{
	if (lo_vcpu()->fpu_owner == task)
		lo_vcpu()->fpu_owner = NULL;
}

void lo_fpu_park(void)
{
	struct task_struct *owner = lo_vcpu()->fpu_owner;

	if (owner)
		save(&owner->thread);
	lo_vcpu()->fpu_owner = NULL;
}

void lo_fpu_load(struct task_struct *task)
{
	struct task_struct *owner = lo_vcpu()->fpu_owner;

	lo_fpu_park();
	lo_xstate_restore(task->thread.xstate);
	if (!owner || owner->thread.fs != task->thread.fs)
		asm volatile("wrfsbase %0" ::"r"(task->thread.fs));
	if (!owner || owner->thread.gs != task->thread.gs)
		asm volatile("wrgsbase %0" ::"r"(task->thread.gs));
	lo_vcpu()->fpu_owner = task;
}

void lo_xstate_reset(struct task_struct *task)
{
	lo_fpu_save(task); /* for FS and GS */
	lo_fpu_disown(task);
	initial(task->thread.xstate);
}

void lo_fpu_reset(struct task_struct *task)
{
	lo_fpu_disown(task);
	initial(task->thread.xstate);
	task->thread.fs = 0;
	task->thread.gs = 0;
}

void lo_xstate_sanitise(void *xstate)
{
	u64 *header = xstate + XSTATE_HEADER;

	/*
	 * XRSTOR faults on unknown features, on any other bit in its header, on reserved MXCSR
	 * bits.
	 */
	header[0] &= lo_xfeatures;
	memset(header + 1, 0, XSTATE_HEADER_SIZE - sizeof(*header));
	*(u32 *)(xstate + XSTATE_MXCSR) &= mxcsr_mask;
	/* What is in its initial state shall have the bytes of that, see save(). */
	if (!(header[0] & FEATURE_X87))
		initial_x87(xstate);
	if (!(header[0] & ~(u64)(FEATURE_X87 | FEATURE_SSE)))
		memset(header + XSTATE_HEADER_SIZE / sizeof(*header), 0,
		       LO_XSTATE_SIZE - XSTATE_HEADER - XSTATE_HEADER_SIZE);
}

void arch_release_task_struct(struct task_struct *task)
{
	lo_fpu_disown(task);
}

const char *lo_fpu_init(void)
{
	static unsigned char fxsave[512] __aligned(16);
	const u32 has_xsave = 1 << 26, os_has_xsave = 1 << 27, has_fsgsbase = 1,
		  has_xgetbv1 = 1 << 2;
	u32 r[4], xcr0, high;

	cpuid(1, 0, r);
	lo_hwcap = r[3];
	if (!(r[2] & has_xsave) || !(r[2] & os_has_xsave))
		return "the processor has no XSAVE";
	cpuid(7, 0, r);
	if (!(r[1] & has_fsgsbase))
		return "the processor has no FSGSBASE";
	asm volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
	lo_xfeatures = xcr0 & LO_XFEATURES;
	cpuid(0xd, 1, r);
	knows_in_use = r[0] & has_xgetbv1;
	asm volatile("fxsave64 %0" : "=m"(fxsave));
	mxcsr_mask = *(u32 *)(fxsave + XSTATE_MXCSR_MASK) ?: 0xffbf;
	return NULL;
}
