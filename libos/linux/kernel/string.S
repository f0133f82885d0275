/* SPDX-License-Identifier: GPL-2.0-only */
/* string.S - memcpy, memmove, memset with general registers. */
/*
 * Theory of operation
 *
 * What is short takes moves that overlap; up to some hundred bytes, a loop; then the string
 * instructions are the fastest way without vector registers. A store that is less than 64 bytes
 * behind a load, both taken modulo 4096, makes "rep movsb" up to 30 times slower on AMD's Zen 3: that
 * is left to the loop.
 *
 * What is long is read before it is written: if it is RAM that this host process hasn't seen yet, a
 * read makes the host take its neighbours along, a write doesn't.
 *
 * With vector registers 4 KiB take 40 instead of 50 ns. But they are the program's, and to
 * learn that their upper halves are unused and may be left so takes 15 (kernel/fpu.c).
 */
#include <linux/linkage.h>

#define LOOP_MAX 512

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
	cmp	$LOOP_MAX, %rdx
	jbe	.Lloop
	movb	(%rdi), %r8b
	mov	%edi, %ecx
	sub	%esi, %ecx
	dec	%ecx
	and	$0xfff, %ecx
	cmp	$63, %ecx
	jb	.Lloop
	mov	%rdx, %rcx
	rep	movsb
	ret
.Lloop:
	mov	(%rsi), %r8
	mov	8(%rsi), %r9
	mov	16(%rsi), %r10
	mov	24(%rsi), %r11
	mov	%r8, (%rdi)
	mov	%r9, 8(%rdi)
	mov	%r10, 16(%rdi)
	mov	%r11, 24(%rdi)
	add	$32, %rsi
	add	$32, %rdi
	sub	$32, %rdx
	cmp	$32, %rdx
	ja	.Lloop
	mov	-32(%rsi, %rdx), %r8
	mov	-24(%rsi, %rdx), %r9
	mov	-16(%rsi, %rdx), %r10
	mov	-8(%rsi, %rdx), %r11
	mov	%r8, -32(%rdi, %rdx)
	mov	%r9, -24(%rdi, %rdx)
	mov	%r10, -16(%rdi, %rdx)
	mov	%r11, -8(%rdi, %rdx)
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
	mov	%rax, %rcx
	neg	%rcx
	cmp	%rdx, %rax
	jb	.Lbackwards		/* the end of `from` would be overwritten before it is read */
	cmp	%rdx, %rcx
	jae	memcpy
	mov	%rdi, %rax
	mov	%rdx, %rcx
	shr	$3, %rcx
	jz	.Lforwards_rest
.Lforwards:
	mov	(%rsi), %r8
	mov	%r8, (%rdi)
	add	$8, %rsi
	add	$8, %rdi
	dec	%rcx
	jnz	.Lforwards
.Lforwards_rest:
	mov	%edx, %ecx
	and	$7, %ecx
	rep	movsb
	ret

.Lbackwards:
	mov	%rdi, %rax
	sub	$8, %rdx
	jb	.Lbackwards_rest
.Lbackwards_loop:
	mov	(%rsi, %rdx), %r8
	mov	%r8, (%rdi, %rdx)
	sub	$8, %rdx
	jae	.Lbackwards_loop
.Lbackwards_rest:
	add	$8, %rdx
	jz	.Lmoved
.Lbackwards_bytes:
	movzbl	-1(%rsi, %rdx), %r8d
	mov	%r8b, -1(%rdi, %rdx)
	dec	%rdx
	jnz	.Lbackwards_bytes
.Lmoved:
	ret
SYM_FUNC_END(memmove)

SYM_FUNC_START(memset)
	mov	%rdi, %r9
	cmp	$LOOP_MAX, %rdx
	ja	.Lset_string
	movzbl	%sil, %eax
	mov	$0x0101010101010101, %rcx
	imul	%rcx, %rax
	cmp	$16, %rdx
	jb	.Lset_under16
.Lset_loop:
	mov	%rax, (%rdi)
	mov	%rax, 8(%rdi)
	add	$16, %rdi
	sub	$16, %rdx
	cmp	$16, %rdx
	jae	.Lset_loop
	mov	%rax, -16(%rdi, %rdx)
	mov	%rax, -8(%rdi, %rdx)
	mov	%r9, %rax
	ret
.Lset_under16:
	cmp	$8, %edx
	jb	.Lset_under8
	mov	%rax, (%rdi)
	mov	%rax, -8(%rdi, %rdx)
	mov	%r9, %rax
	ret
.Lset_under8:
	test	%edx, %edx
	jz	.Lset_none
.Lset_bytes:
	mov	%al, -1(%rdi, %rdx)
	dec	%edx
	jnz	.Lset_bytes
.Lset_none:
	mov	%r9, %rax
	ret
.Lset_string:
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
