/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.S - where stacks change: start, traps, system calls, tasks, host processes. */
/*
 * Theory of operation
 *
 * The kernel has the privilege of the program, so "entering" it is a jump:
 *
 *	_start		from the host's loader
 *	lo_enter	from the handler of a host signal, whose frame is left behind: no sigreturn
 *	lo_call_entry	from a patched system call site, by a jump through a trampoline
 *
 * and leaving it is IRETQ, which works at any privilege, sets all registers at once and needs no
 * stack of the program. A patched site may lose rcx and r11, as by SYSCALL, so it gets a plain jump
 * back, unless the way through the kernel has changed more than that.
 *
 *	__lo_switch	from one task's kernel stack to another's
 *	lo_handover	the same kernel stack goes on in another host process
 *
 * Signals may arrive at any instruction: they run on the stack of LO_HOSTCPU, and those
 * that find the kernel running return here.
 */
#include <asm/asm-offsets.h>
#include <asm/map.h>
#include <linux/linkage.h>

#define THREAD_SIZE_ASM 16384

#define VCPU(field) lo_vcpus + field
#define USER_CS 0x33
#define USER_SS 0x2b
#define USER_FLAGS 0x202
/* Not for the kernel: single steps, direction, alignment checks. */
#define FLAGS_CLEAR 0x40500
/* What the short way back can set, besides what is always on: arithmetic. */
#define FLAGS_PLAIN (0x8d5 | USER_FLAGS)

.macro PUSH_CALLEE_SAVED
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

.macro POP_CALLEE_SAVED
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
.endm

/* All that stands in struct pt_regs below orig_ax. */
.macro POP_REGS
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

/* From ecx, whose bits are among FLAGS_PLAIN; eax and ecx are lost. What follows may change none. */
.macro LOAD_FLAGS
	mov	%ecx, %eax
	shr	$11, %ecx
	and	$1, %ecx
	add	$0x7f, %cl		/* the overflow flag */
	mov	%al, %ah
	sahf				/* the others */
.endm

/* A quick call's stack: struct pt_regs above this; 24 words in all, so it is aligned. */
#define QUICK_DROPPED 8
#define QUICK_TAIL    16
#define QUICK_REGS    24

	.section .head.text, "ax"
/*
 * The host's stack holds argc, argv, envp, auxv; the image isn't shared yet, so use that stack
 * first.
 */
SYM_CODE_START(_start)
	xorl	%ebp, %ebp
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	lo_share_image
	mov	%rbx, %rdi
	mov	$init_stack + THREAD_SIZE_ASM - 256, %rsp
	call	lo_main
	ud2
SYM_CODE_END(_start)

	.text
/* (regs): the signal stack ends here, the kernel stack begins below `regs`. */
SYM_CODE_START(lo_enter)
	mov	%rdi, %rsp
	and	$-16, %rsp
	xorl	%ebp, %ebp
	call	lo_trap_user
	ud2
SYM_CODE_END(lo_enter)

/* (regs): to the program, with all registers. */
SYM_CODE_START(lo_leave)
	mov	%rdi, %rsp
	POP_REGS
	add	$8, %rsp
SYM_INNER_LABEL(lo_leave_iret, SYM_L_GLOBAL)
	iretq
SYM_CODE_END(lo_leave)

/*
 * A patched site: rax is the number, rcx the program's ip, r11 where to go on if nothing else has to
 * be done; nothing is on its stack. Flags are kept, as SYSCALL does.
 *
 * Most calls are quick (lo_quick_calls): nobody looks at rbx, rbp and r12 to r15 of the program in
 * them, and C code keeps these. So they are stored only if there turns out to be work before the
 * program goes on, and the arguments, which are where C expects them but for one, stay there. What
 * do_syscall() and lo_syscall_direct() do is done here, and left to them if it isn't next to nothing.
 */
SYM_CODE_START(lo_call_entry)
	mov	%rsp, VCPU(VCPU_USER_SP)
	mov	VCPU(VCPU_KERNEL_SP), %rsp
	push	$USER_SS
	push	VCPU(VCPU_USER_SP)
	pushfq
	push	$USER_CS
	push	%rcx
	push	%rax
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	$-38			/* ax until there is a result: -ENOSYS, as on x86 */
	push	%r8
	push	%r9
	push	%r10
	push	PT_FLAGS - PT_R10(%rsp)	/* r11, as SYSCALL leaves it */
	cmp	$NR_SYSCALLS, %rax
	jae	.Lfull
	cmpb	$0, lo_quick_calls(%rax)
	je	.Lfull
	testl	$~FLAGS_PLAIN, PT_FLAGS - PT_R11(%rsp)
	jnz	.Lfull
	mov	lo_stats + STATS_DIRECT, %rcx
	inc	%rcx
	test	$CLOCK_MASK, %cl
	jz	.Lfull
	mov	%rcx, lo_stats + STATS_DIRECT
	mov	VCPU(VCPU_TASK), %rcx
	testl	$WORK_ENTER, TASK_SYSCALL_WORK(%rcx)
	jnz	.Lfull
	mov	TASK_MM(%rcx), %rcx
	sub	$QUICK_REGS + PT_R11, %rsp
	mov	%r11, QUICK_TAIL(%rsp)
	mov	MM_DROPPED(%rcx), %rcx
	mov	%rcx, QUICK_DROPPED(%rsp)
	mov	%r10, %rcx
	movq	$1, VCPU(VCPU_IRQS_ON)
	cmpl	$0, VCPU(VCPU_IRQ_PENDING)
	jne	.Linterrupt
.Lquick:
	call	*sys_call_table(, %rax, 8)
	mov	%rax, QUICK_REGS + PT_AX(%rsp)
	mov	VCPU(VCPU_TASK), %rcx
	testl	$WORK_EXIT, TASK_SYSCALL_WORK(%rcx)
	jnz	.Lfinish
	movq	$0, VCPU(VCPU_IRQS_ON)
	testl	$WORK_USER, TASK_FLAGS(%rcx)
	jnz	.Lfinish
	cmpl	$0, VCPU(VCPU_FLUSHES)
	jne	.Lfinish
	cmp	VCPU(VCPU_FPU_OWNER), %rcx
	jne	.Lfinish
	mov	TASK_MM(%rcx), %rcx
	mov	QUICK_DROPPED(%rsp), %rdx
	cmp	MM_DROPPED(%rcx), %rdx
	jne	.Lfinish
	mov	QUICK_TAIL(%rsp), %r11
	mov	QUICK_REGS + PT_FLAGS(%rsp), %ecx
	LOAD_FLAGS
	lea	QUICK_REGS + PT_R10(%rsp), %rsp
.Lgo_on:
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	mov	PT_SP - PT_ORIG_AX(%rsp), %rsp
	jmp	*%r11

/* There is something to do before the program goes on: with all registers, those that C kept too. */
.Lfinish:
	lea	QUICK_REGS(%rsp), %rdi
	mov	%r15, PT_R15(%rdi)
	mov	%r14, PT_R14(%rdi)
	mov	%r13, PT_R13(%rdi)
	mov	%r12, PT_R12(%rdi)
	mov	%rbp, PT_RBP(%rdi)
	mov	%rbx, PT_RBX(%rdi)
	mov	QUICK_TAIL(%rsp), %rsi
	mov	QUICK_DROPPED(%rsp), %rdx
	xorl	%ebp, %ebp
	call	lo_syscall_finish
	lea	QUICK_REGS(%rsp), %rsp
	jmp	.Lreturn

.Linterrupt:
	movq	$0, VCPU(VCPU_IRQS_ON)
	add	$QUICK_REGS + PT_R11, %rsp
	mov	QUICK_TAIL - QUICK_REGS - PT_R11(%rsp), %r11
.Lfull:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	testl	$FLAGS_CLEAR, PT_FLAGS(%rsp)
	jnz	.Lclear_flags
.Lcall:
	mov	%rsp, %rdi
	mov	%r11, %rsi
	xorl	%ebp, %ebp
	push	%rbp			/* 22 words: aligned */
	call	lo_syscall_direct
	pop	%rdi
.Lreturn:
	mov	PT_FLAGS(%rsp), %ecx
	test	%rax, %rax		/* where to go on */
	jz	.Lleave
	test	$~FLAGS_PLAIN, %ecx
	jnz	.Lleave
	mov	%rax, %r11
	LOAD_FLAGS
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r10			/* not r11 */
	jmp	.Lgo_on

.Lleave:
	mov	%rsp, %rdi
	jmp	lo_leave

.Lclear_flags:
	push	$USER_FLAGS
	popfq
	jmp	.Lcall
SYM_CODE_END(lo_call_entry)

	.section .rodata
SYM_DATA(lo_call_slot, .quad lo_call_entry)
	.text

/* (prev, next): returns prev, on the stack of next. */
SYM_FUNC_START(__lo_switch)
	PUSH_CALLEE_SAVED
	mov	%rsp, THREAD_SP(%rdi)
	mov	THREAD_SP(%rsi), %rsp
	POP_CALLEE_SAVED
	mov	%rdi, %rax
	ret
SYM_FUNC_END(__lo_switch)

/* The first switch to a task "returns" here; copy_thread() has laid out rbx and r12. */
SYM_CODE_START(lo_thread_start)
	mov	%rax, %rdi
	mov	%rbx, %rsi
	mov	%r12, %rdx
	call	lo_thread_begin
	ud2
SYM_CODE_END(lo_thread_start)

/* (to): returns in host process `to`. Here, the private stack waits for the vCPU to come back. */
SYM_FUNC_START(lo_handover)
	PUSH_CALLEE_SAVED
	mov	%rsp, VCPU(VCPU_HANDOVER_SP)
	mov	LO_HOSTCPU + HOSTCPU_STACK, %rsp
	call	lo_hostproc_sleep
SYM_INNER_LABEL(lo_handover_resume, SYM_L_GLOBAL)
	mov	VCPU(VCPU_HANDOVER_SP), %rsp
	POP_CALLEE_SAVED
	ret
SYM_FUNC_END(lo_handover)

	.section .note.GNU-stack, "", @progbits
