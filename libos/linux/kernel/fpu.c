// SPDX-License-Identifier: GPL-2.0-only
/* fpu.c - vector registers, FS and GS: they stay in the processor until someone else needs them. */
/*
 * Theory of operation
 *
 * The kernel as it is compiled uses none of them, so a program's values stay in the registers while
 * the kernel, its threads and the idle loop run. vcpu->fpu_owner says whose they are. They move
 *
 *	lo_fpu_load	when a program is about to run whose values are not there (lo_prepare_user)
 *	lo_fpu_park	when the vCPU goes to another host process, which has registers of its own, and
 *			when the kernel wants them for itself
 *	lo_fpu_save	when someone looks at them: fork, a signal frame, a debugger
 *
 * and lo_fpu_disown() makes the memory of the task the truth, before it is changed. States are in
 * XSAVE's standard layout, as in signal frames, without what comes after AVX-512: protection keys
 * and tiles are not offered to programs.
 *
 * XSAVE and XRSTOR take 140 ns together. Mostly, all but the SSE registers are in their initial
 * state (library functions end with VZEROUPPER), as the processor tells; then these are moved by
 * hand, in a tenth of that.
 *
 * Ciphers and sums use them between kernel_fpu_begin() and kernel_fpu_end(). The first one on a way
 * through the kernel parks the program's values; nothing is put back before the program runs again.
 * Interrupts may do that too, so at any instant outside of such a section:
 *
 *	- the registers hold the owner's values. The host starts handlers with initial ones, so a tick
 *	  that finds the kernel running loads those of its signal frame before it goes on
 *	- parking twice is the same as once: who changes the memory of a task disowns it before
 *
 * Within a section, the registers are the kernel's: irq_fpu_usable() is false, for a tick that was
 * put off runs without a frame that would bring them back.
 */
#include <asm/cpufeature.h>
#include <asm/fpu.h>
#include <asm/fpu/api.h>
#include <asm/lo.h>
#include <asm/vcpu.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
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
static u32 mxcsr_mask;
static bool knows_in_use; /* the processor tells which features aren't in their initial state */
static DEFINE_PER_CPU(bool, kernel_uses); /* is between kernel_fpu_begin() and kernel_fpu_end() */

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

static void restore(const void *from, bool only_sse)
{
	if (*features_of(from) == FEATURE_SSE && (only_sse || only_sse_in_use())) {
		restore_sse(from);
		return;
	}
	asm volatile("xrstor64 (%0)" ::"r"(from), "a"((u32)lo_xfeatures), "d"(0) : "memory");
}

void lo_xstate_restore(const void *from)
{
	restore(from, false);
}

/*
 * By hand only over a state that has the bytes of an initial one everywhere else. Returns whether the
 * registers are known to be in their initial state but for those of SSE: asking takes 15 ns.
 */
static bool save(struct thread_struct *thread)
{
	bool by_hand = !(*features_of(thread->xstate) & ~(u64)FEATURE_SSE) && only_sse_in_use();

	if (by_hand)
		save_sse(thread->xstate);
	else
		xsave(thread->xstate);
	asm volatile("rdfsbase %0" : "=r"(thread->fs));
	asm volatile("rdgsbase %0" : "=r"(thread->gs));
	return by_hand;
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

	restore(task->thread.xstate, owner && save(&owner->thread));
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

const char *__init lo_fpu_init(void)
{
	static unsigned char fxsave[512] __aligned(16) __initdata;
	const u32 has_xgetbv1 = 1 << 2;
	u32 eax = 0xd, ecx = 1, ebx, edx;

	lo_cpu_init();
	lo_hwcap = lo_cpu_hwcap();
	if (!lo_cpu_has(X86_FEATURE_OSXSAVE))
		return "the processor has no XSAVE";
	if (!lo_cpu_has(X86_FEATURE_FSGSBASE))
		return "the processor has no FSGSBASE";
	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	knows_in_use = eax & has_xgetbv1;
	asm volatile("fxsave64 %0" : "=m"(fxsave));
	mxcsr_mask = *(u32 *)(fxsave + XSTATE_MXCSR_MASK) ?: 0xffbf;
	return NULL;
}

/* --- the kernel's own use --- */

bool irq_fpu_usable(void)
{
	return !this_cpu_read(kernel_uses);
}

void kernel_fpu_begin(void)
{
	u32 mxcsr = INITIAL_MXCSR;

	preempt_disable();
	WARN_ON_ONCE(this_cpu_read(kernel_uses));
	this_cpu_write(kernel_uses, true);
	lo_fpu_park();
	asm volatile("ldmxcsr %0" ::"m"(mxcsr));
}

void kernel_fpu_end(void)
{
	this_cpu_write(kernel_uses, false);
	preempt_enable();
}
