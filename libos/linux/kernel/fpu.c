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
 */
#include <asm/fpu.h>
#include <asm/lo.h>
#include <asm/vcpu.h>
#include <linux/sched.h>
#include <linux/string.h>

#define XSTATE_MXCSR       24
#define XSTATE_MXCSR_MASK  28
#define XSTATE_HEADER      512
#define XSTATE_HEADER_SIZE 64
#define INITIAL_FCW        0x37f
#define INITIAL_MXCSR      0x1f80

unsigned long lo_hwcap;
u64 lo_xfeatures;
static u32 mxcsr_mask;

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

void lo_xstate_restore(const void *from)
{
	asm volatile("xrstor64 (%0)" ::"r"(from), "a"((u32)lo_xfeatures), "d"(0) : "memory");
}

static void save(struct thread_struct *thread)
{
	xsave(thread->xstate);
	asm volatile("rdfsbase %0" : "=r"(thread->fs));
	asm volatile("rdgsbase %0" : "=r"(thread->gs));
}

static void initial(void *xstate)
{
	memset(xstate, 0, LO_XSTATE_SIZE);
	*(u16 *)xstate = INITIAL_FCW;
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
	lo_fpu_park();
	lo_xstate_restore(task->thread.xstate);
	asm volatile("wrfsbase %0" ::"r"(task->thread.fs));
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
}

void arch_release_task_struct(struct task_struct *task)
{
	lo_fpu_disown(task);
}

const char *lo_fpu_init(void)
{
	static unsigned char fxsave[512] __aligned(16);
	const u32 has_xsave = 1 << 26, os_has_xsave = 1 << 27, has_fsgsbase = 1;
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
	asm volatile("fxsave64 %0" : "=m"(fxsave));
	mxcsr_mask = *(u32 *)(fxsave + XSTATE_MXCSR_MASK) ?: 0xffbf;
	return NULL;
}
