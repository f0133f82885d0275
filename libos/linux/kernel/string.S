/* SPDX-License-Identifier: GPL-2.0-only */
/* string.S - memcpy, memmove, memset for processors with fast string instructions. */
/*
 * Theory of operation
 *
 * "rep movsb" is the fastest way without vector registers from a few hundred bytes on; it
 * costs some 30 cycles to start, so what is short takes overlapping moves of registers.
 *
 * What is long is read before it is written: if it is RAM that this host process hasn't seen yet, a
 * read makes the host take its neighbours along, a write doesn't.
 */
#include <linux/linkage.h>

	.text
SYM_FUNC_START(memcpy)
	mov	%rdi, %rax
	cmp	$16, %rdx
	jb	.Lunder16
	cmp	$32, %rdx
	ja	.Lover32
	mov	(%rsi), %r8
	mov	8(%rsi), %r9
	mov	-16(%rsi, %rdx), %r10
	mov	-8(%rsi, %rdx), %r11
	mov	%r8, (%rdi)
	mov	%r9, 8(%rdi)
	mov	%r10, -16(%rdi, %rdx)
	mov	%r11, -8(%rdi, %rdx)
	ret
.Lover32:
	movb	(%rdi), %r8b
	mov	%rdx, %rcx
	rep	movsb
	ret
.Lunder16:
	cmp	$8, %edx
	jb	.Lunder8
	mov	(%rsi), %r8
	mov	-8(%rsi, %rdx), %r9
	mov	%r8, (%rdi)
	mov	%r9, -8(%rdi, %rdx)
	ret
.Lunder8:
	cmp	$4, %edx
	jb	.Lunder4
	mov	(%rsi), %r8d
	mov	-4(%rsi, %rdx), %r9d
	mov	%r8d, (%rdi)
	mov	%r9d, -4(%rdi, %rdx)
	ret
.Lunder4:
	test	%edx, %edx
	jz	.Lnone
	movzbl	(%rsi), %r8d
	mov	%r8b, (%rdi)
	cmp	$2, %edx
	jb	.Lnone
	movzwl	-2(%rsi, %rdx), %r9d
	mov	%r9w, -2(%rdi, %rdx)
.Lnone:
	ret
SYM_FUNC_END(memcpy)

SYM_FUNC_START(memmove)
	mov	%rdi, %rax
	sub	%rsi, %rax
	cmp	%rdx, %rax
	jae	memcpy			/* the end of `from` isn't overwritten before it is read */
	mov	%rdi, %rax
	lea	-1(%rsi, %rdx), %rsi
	lea	-1(%rdi, %rdx), %rdi
	mov	%rdx, %rcx
	std
	rep	movsb
	cld
	ret
SYM_FUNC_END(memmove)

SYM_FUNC_START(memset)
	mov	%rdi, %r9
	mov	%esi, %eax
	mov	%rdx, %rcx
	cmp	$4096, %rdx
	jb	.Lset
	movb	(%rdi), %r8b
.Lset:
	rep	stosb
	mov	%r9, %rax
	ret
SYM_FUNC_END(memset)

	.section .note.GNU-stack, "", @progbits
