/* SPDX-License-Identifier: MIT */
/*
 * elfcore.h - the head of an ELF64 core of an x86-64 machine's physical memory: all that stands before the memory.
 *
 * Theory of operation
 *
 * The layout is that of QEMU's dump-guest-memory and of /proc/vmcore, which
 * crash(8), drgn and gdb read:
 *
 *	ELF header
 *	program headers: PT_NOTE; PT_LOAD of the kernel's image; PT_LOAD of each memory
 *	notes: NT_PRSTATUS of each processor; QEMU's state of each; VMCOREINFO
 *	memory, from a multiple of a page on
 *
 * The PT_LOAD of the image has no bytes of its own: it says where in one of the
 * memories the image is, for readers that have addresses of symbols only.
 * p_align is 0, as QEMU has it: crash tells a dump by that.
 *
 * elfcore_plan() says how long the head is and where in the file each memory
 * goes; elfcore_write() makes the head. No I/O, no allocation.
 */
#ifndef ELF_ELFCORE_H
#define ELF_ELFCORE_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define ELFCORE_PAGE      4096ULL
#define ELFCORE_LOADS_MAX 1024
#define ELFCORE_CPUS_MAX  1024
#define ELFCORE_INFO_MAX  65536

/* As struct QEMUCPUSegment. @flags: bits 8 to 23 of the second word of a descriptor. */
struct elfcore_segment {
	uint32_t selector, limit, flags, pad;
	uint64_t base;
};

/* As struct QEMUCPUState, version 1. */
struct elfcore_cpu {
	uint32_t version, size; /* filled in */
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
	struct elfcore_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
	uint64_t cr[5];
	uint64_t kernel_gs_base;
};

struct elfcore_load {
	uint64_t vaddr, paddr, size;
	uint64_t off; /* in the file; elfcore_plan() says it */
};

struct elfcore {
	struct elfcore_cpu *cpu;
	size_t ncpu;
	const void *vmcoreinfo; /* NULL: there is none */
	size_t vmcoreinfo_size;
	struct elfcore_load *load; /* by ascending physical address */
	size_t nload;
	struct elfcore_load image; /* size 0: there is none */

	size_t head_size;
	uint64_t file_size;
};

/*
 * elfcore_plan() - Where everything goes: @off of the loads and of the image, @head_size, @file_size.
 *
 * Return: 0; -EINVAL what cannot be in a core: no memory, memories that overlap, do not ascend, wrap or are not of
 *	   whole pages, an image that is not within one of them; -E2BIG more than the limits here, or than a file can have.
 */
int elfcore_plan(struct elfcore *c) _must_check_;

/* Fill the @head_size bytes at @ret, as planned. */
void elfcore_write(const struct elfcore *c, void *ret);

#endif
