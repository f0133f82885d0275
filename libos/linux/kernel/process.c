// SPDX-License-Identifier: GPL-2.0-only
/* process.c - tasks: how they begin, switch and are looked at. */
#include <asm/fpu.h>
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <asm/switch_to.h>
#include <asm/trap.h>
#include <linux/entry-common.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>

#define BACKTRACE_DEPTH 20

/* What __lo_switch() pops, in its order. */
struct switch_frame {
	unsigned long r15, r14, r13, r12, bx, bp;
	void *ret;
	void *end_of_backtrace;
};

struct task_struct *__lo_switch(struct task_struct *prev, struct task_struct *next);
void lo_thread_start(void);

/* Vector registers, FS and GS stay as they are: see kernel/fpu.c. */
struct task_struct *__switch_to(struct task_struct *prev, struct task_struct *next)
{
	if (unlikely(*end_of_stack(prev) != STACK_END_MAGIC))
		panic("the kernel stack of %s[%d] has overflown", prev->comm, prev->pid);
	lo_vcpu()->task = next;
	lo_vcpu()->kernel_sp = (unsigned long)(task_pt_regs(next) + 1);
	return __lo_switch(prev, next);
}

__visible void lo_thread_begin(struct task_struct *prev, int (*fn)(void *), void *arg)
{
	schedule_tail(prev);
	if (fn)
		fn(arg); /* returns only if it has started a program */
	else
		lo_hatch();
	syscall_exit_to_user_mode(current_pt_regs());
	lo_leave(current_pt_regs());
}

int copy_thread(struct task_struct *task, const struct kernel_clone_args *args)
{
	struct pt_regs *regs = task_pt_regs(task);
	struct switch_frame *frame = (void *)((unsigned long)regs & ~15UL) - sizeof(*frame);

	*frame = (struct switch_frame){
		.bx = (unsigned long)args->fn,
		.r12 = (unsigned long)args->fn_arg,
		.ret = lo_thread_start,
	};
	task->thread.sp = (unsigned long)frame;
	if (args->fn) {
		memset(regs, 0, sizeof(*regs));
		task->thread.debug = (struct lo_debugreg){};
		lo_fpu_reset(task);
		return 0;
	}
	*regs = *current_pt_regs();
	regs->ax = 0;
	if (args->stack)
		regs->sp = args->stack;
	lo_fpu_save(current);
	task->thread = current->thread;
	task->thread.sp = (unsigned long)frame;
	task->thread.debug = (struct lo_debugreg){}; /* a debugger sets them for each thread */
	if (args->flags & CLONE_SETTLS)
		task->thread.fs = args->tls;
	return 0;
}

void start_thread(struct pt_regs *regs, unsigned long ip, unsigned long sp)
{
	*regs = (struct pt_regs){
		.ip = ip,
		.sp = sp,
		.cs = LO_USER_CS,
		.ss = LO_USER_SS,
		.flags = LO_USER_FLAGS,
		.orig_ax = -1,
	};
}

void flush_thread(void)
{
	lo_fpu_reset(current);
	current->thread.debug = (struct lo_debugreg){};
	if (!test_thread_flag(TIF_SINGLESTEP))
		clear_thread_flag(TIF_FORCED_TF);
}

void show_regs(struct pt_regs *regs)
{
	show_regs_print_info(KERN_EMERG);
	pr_emerg("ip %016lx sp %016lx flags %08lx orig_ax %ld\n", regs->ip, regs->sp, regs->flags,
		 regs->orig_ax);
	pr_emerg("ax %016lx bx %016lx cx %016lx dx %016lx\n", regs->ax, regs->bx, regs->cx,
		 regs->dx);
	pr_emerg("si %016lx di %016lx bp %016lx r8 %016lx\n", regs->si, regs->di, regs->bp,
		 regs->r8);
}

/* Frame pointers, as long as they point into RAM and upwards. */
void show_stack(struct task_struct *task, unsigned long *sp, const char *level)
{
	unsigned long *frame = __builtin_frame_address(0);
	int depth;

	if (task && task != current)
		frame = (unsigned long *)((struct switch_frame *)task->thread.sp)->bp;
	printk("%sCall trace:\n", level);
	for (depth = 0; depth < BACKTRACE_DEPTH && lo_kernel_addr_ok(frame) && frame[1]; depth++) {
		unsigned long *up = (unsigned long *)frame[0];

		printk("%s  %pS\n", level, (void *)frame[1]);
		if (up <= frame)
			break;
		frame = up;
	}
}

unsigned long __get_wchan(struct task_struct *task)
{
	return 0;
}

static void *cpuinfo_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? NULL : (void *)1;
}

static void *cpuinfo_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return NULL;
}

static void cpuinfo_stop(struct seq_file *m, void *v)
{
}

static int cpuinfo_show(struct seq_file *m, void *v)
{
	seq_puts(m, "processor\t: 0\nvendor_id\t: library OS\nmodel name\t: one vCPU\n\n");
	return 0;
}

const struct seq_operations cpuinfo_op = {
	.start = cpuinfo_start,
	.next = cpuinfo_next,
	.stop = cpuinfo_stop,
	.show = cpuinfo_show,
};
