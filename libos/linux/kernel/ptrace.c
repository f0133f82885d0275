// SPDX-License-Identifier: GPL-2.0-only
/* ptrace.c - the registers of a program for debuggers and core files, as on x86-64. */
#include <asm/debugreg.h>
#include <asm/elf.h>
#include <asm/fpu.h>
#include <asm/patch.h>
#include <asm/ptrace.h>
#include <linux/elf.h>
#include <linux/elfcore.h>
#include <linux/init.h>
#include <linux/ptrace.h>
#include <linux/regset.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#define FLAG_TRAP 0x100UL
/* Bytes that XSAVE leaves to software; debuggers look there for what the rest has. */
#define XSTATE_XCR0 464
/* Where states end that begin with the legacy area and the header. */
#define XSTATE_SSE_SIZE  576
#define XSTATE_AVX_SIZE  832
#define XFEATURES_AVX    0x04
#define XFEATURES_AVX512 0xe0
/* What a debugger may set: arithmetic, trap, direction, nested task, alignment check. */
#define FLAGS_OF_DEBUGGER 0x54dd5UL
/* offsetof(struct user, u_debugreg): eight of them */
#define USER_DEBUGREG 848
#define DEBUGREGS     8

/* struct user_regs_struct of x86-64: pt_regs, then these. */
enum {
	USER_FS_BASE = sizeof(struct pt_regs) / sizeof(long),
	USER_GS_BASE,
	USER_DS,
	USER_ES,
	USER_FS,
	USER_GS,
	USER_REGS,
};

static unsigned long get_reg(struct task_struct *task, unsigned int idx)
{
	if (idx < USER_FS_BASE) {
		unsigned long value = ((unsigned long *)task_pt_regs(task))[idx];

		if (idx == offsetof(struct pt_regs, flags) / sizeof(long) &&
		    test_tsk_thread_flag(task, TIF_FORCED_TF))
			value &= ~FLAG_TRAP;
		return value;
	}
	lo_fpu_save(task);
	if (idx == USER_FS_BASE)
		return task->thread.fs;
	return idx == USER_GS_BASE ? task->thread.gs : 0;
}

/* A debugger that sets the trap flag makes it the program's; one that does not, leaves its own step alone. */
static unsigned long debugger_flags(struct task_struct *task, unsigned long flags,
				    unsigned long value)
{
	if (value & FLAG_TRAP)
		clear_tsk_thread_flag(task, TIF_FORCED_TF);
	else if (test_tsk_thread_flag(task, TIF_FORCED_TF))
		value |= FLAG_TRAP;
	return (flags & ~FLAGS_OF_DEBUGGER) | (value & FLAGS_OF_DEBUGGER);
}

static int set_reg(struct task_struct *task, unsigned int idx, unsigned long value)
{
	struct pt_regs *regs = task_pt_regs(task);
	unsigned long *reg = (unsigned long *)regs + idx;

	if (idx == USER_FS_BASE || idx == USER_GS_BASE) {
		if (value >= TASK_SIZE)
			return -EIO;
		lo_fpu_save(task);
		lo_fpu_disown(task);
		*(idx == USER_FS_BASE ? &task->thread.fs : &task->thread.gs) = value;
		return 0;
	}
	if (idx > USER_FS_BASE || reg == &regs->cs || reg == &regs->ss)
		return 0; /* segments are what they are */
	if (reg == &regs->flags)
		value = debugger_flags(task, regs->flags, value);
	*reg = value;
	return 0;
}

static int gpr_get(struct task_struct *task, const struct user_regset *regset, struct membuf to)
{
	unsigned int i;

	for (i = 0; i < USER_REGS; i++)
		membuf_store(&to, get_reg(task, i));
	return 0;
}

static int gpr_set(struct task_struct *task, const struct user_regset *regset, unsigned int pos,
		   unsigned int size, const void *kbuf, const void __user *ubuf)
{
	unsigned long values[USER_REGS];
	unsigned int i;
	int r;

	for (i = 0; i < USER_REGS; i++)
		values[i] = get_reg(task, i);
	r = user_regset_copyin(&pos, &size, &kbuf, &ubuf, values, 0, sizeof(values));
	for (i = 0; !r && i < USER_REGS; i++)
		r = set_reg(task, i, values[i]);
	return r;
}

static int xstate_get(struct task_struct *task, const struct user_regset *regset, struct membuf to)
{
	lo_fpu_save(task);
	*(u64 *)(task->thread.xstate + XSTATE_XCR0) = lo_xfeatures;
	return membuf_write(&to, task->thread.xstate, regset->n * regset->size);
}

static int xstate_set(struct task_struct *task, const struct user_regset *regset, unsigned int pos,
		      unsigned int size, const void *kbuf, const void __user *ubuf)
{
	int r;

	lo_fpu_save(task);
	lo_fpu_disown(task);
	r = user_regset_copyin(&pos, &size, &kbuf, &ubuf, task->thread.xstate, 0,
			       regset->n * regset->size);
	lo_xstate_sanitise(task->thread.xstate);
	return r;
}

enum {
	REGSET_GENERAL,
	REGSET_FP,
	REGSET_XSTATE,
};

static struct user_regset regsets[] __ro_after_init = {
	[REGSET_GENERAL] = { .core_note_type = NT_PRSTATUS,
			     .n = USER_REGS,
			     .size = sizeof(long),
			     .align = sizeof(long),
			     .regset_get = gpr_get,
			     .set = gpr_set },
	[REGSET_FP] = { .core_note_type = NT_PRFPREG,
			.n = 512 / sizeof(long),
			.size = sizeof(long),
			.align = sizeof(long),
			.regset_get = xstate_get,
			.set = xstate_set },
	[REGSET_XSTATE] = { .core_note_type = NT_X86_XSTATE,
			    .n = LO_XSTATE_SIZE / sizeof(long),
			    .size = sizeof(long),
			    .align = sizeof(long),
			    .regset_get = xstate_get,
			    .set = xstate_set },
};

static const struct user_regset_view view = {
	.name = "x86_64",
	.e_machine = EM_X86_64,
	.regsets = regsets,
	.n = ARRAY_SIZE(regsets),
};

/* Debuggers expect as many bytes as this processor's states take. */
static int __init regsets_init(void)
{
	unsigned int size = XSTATE_SSE_SIZE;

	if (lo_xfeatures & XFEATURES_AVX)
		size = XSTATE_AVX_SIZE;
	if (lo_xfeatures & XFEATURES_AVX512)
		size = LO_XSTATE_SIZE;
	regsets[REGSET_XSTATE].n = size / sizeof(long);
	return 0;
}
early_initcall(regsets_init);

const struct user_regset_view *task_user_regset_view(struct task_struct *task)
{
	return &view;
}

static bool is_debugreg(unsigned long addr)
{
	return addr >= USER_DEBUGREG && addr < USER_DEBUGREG + DEBUGREGS * sizeof(long);
}

static int peek_user(struct task_struct *task, unsigned long addr, unsigned long __user *to)
{
	if (addr & (sizeof(long) - 1))
		return -EIO;
	if (is_debugreg(addr))
		return put_user(lo_debugreg_get(task, (addr - USER_DEBUGREG) / sizeof(long)), to);
	return put_user(addr / sizeof(long) < USER_REGS ? get_reg(task, addr / sizeof(long)) : 0,
			to);
}

static int poke_user(struct task_struct *task, unsigned long addr, unsigned long value)
{
	if (addr & (sizeof(long) - 1))
		return -EIO;
	if (is_debugreg(addr))
		return lo_debugreg_set(task, (addr - USER_DEBUGREG) / sizeof(long), value);
	if (addr / sizeof(long) >= USER_REGS)
		return -EIO;
	return set_reg(task, addr / sizeof(long), value);
}

long arch_ptrace(struct task_struct *task, long request, unsigned long addr, unsigned long data)
{
	void __user *user = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKUSR:
		return peek_user(task, addr, user);
	case PTRACE_POKEUSR:
		return poke_user(task, addr, data);
	case PTRACE_GETREGS:
		return copy_regset_to_user(task, &view, REGSET_GENERAL, 0, USER_REGS * sizeof(long),
					   user);
	case PTRACE_SETREGS:
		return copy_regset_from_user(task, &view, REGSET_GENERAL, 0,
					     USER_REGS * sizeof(long), user);
	case PTRACE_GETFPREGS:
		return copy_regset_to_user(task, &view, REGSET_FP, 0, 512, user);
	case PTRACE_SETFPREGS:
		return copy_regset_from_user(task, &view, REGSET_FP, 0, 512, user);
	}
	return ptrace_request(task, request, addr, data);
}

/*
 * The trap flag does the rest, but for a system call: the step ends with the call, and so before the
 * first instruction behind it. The flag is not shown to anyone, nor does it get into signal frames.
 */
void user_enable_single_step(struct task_struct *task)
{
	struct pt_regs *regs = task_pt_regs(task);
	struct mm_struct *mm = get_task_mm(task);

	/* One instruction of the program each, and none of a trampoline. */
	if (mm) {
		lo_patch_stop(mm);
		mmput(mm);
	}
	set_tsk_thread_flag(task, TIF_SINGLESTEP);
	set_task_syscall_work(task, SYSCALL_EXIT_TRAP);
	if (!(regs->flags & FLAG_TRAP))
		set_tsk_thread_flag(task, TIF_FORCED_TF);
	regs->flags |= FLAG_TRAP;
	lo_debugreg_resume(task);
}

void user_disable_single_step(struct task_struct *task)
{
	clear_tsk_thread_flag(task, TIF_SINGLESTEP);
	clear_task_syscall_work(task, SYSCALL_EXIT_TRAP);
	if (test_and_clear_tsk_thread_flag(task, TIF_FORCED_TF))
		task_pt_regs(task)->flags &= ~FLAG_TRAP;
	if (task != current)
		lo_debugreg_resume(task);
}

void ptrace_disable(struct task_struct *task)
{
	task->thread.debug.control = 0;
	user_disable_single_step(task);
}

/* These are called while a core file is written, the first before it has read any code. */
Elf_Half elf_core_extra_phdrs(struct coredump_params *params)
{
	lo_patch_stop(current->mm);
	return 0;
}

int elf_core_write_extra_phdrs(struct coredump_params *params, loff_t offset)
{
	return 1;
}

int elf_core_write_extra_data(struct coredump_params *params)
{
	return 1;
}

size_t elf_core_extra_data_size(struct coredump_params *params)
{
	return 0;
}
