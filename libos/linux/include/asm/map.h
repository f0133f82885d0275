/* SPDX-License-Identifier: GPL-2.0-only */
/* map.h - the one address space that program, kernel and host share */
#ifndef LO_ASM_MAP_H
#define LO_ASM_MAP_H

/*
 * Theory of operation
 *
 * Everything lives in the lower half of one host address space. A host process has the same
 * map for each mm; only the user ranges differ.
 *
 *	0x0000_0000_1000	user: programs linked to a fixed address and their heap
 *	0x0000_6000_0000	the kernel image, below 2 GiB: code model "small", and short jumps of
 *				trampolines reach it
 *	     .._6800_0000	its top: memory that is private to a host process (LO_HOSTCPU)
 *	0x0000_6800_0000	user: trampolines of programs below; position-independent programs,
 *				mmap, stack
 *	0x7000_0000_0000	all of RAM, one memfd: the direct map
 *	0x7800_0000_0000	vmalloc: filled on a fault from swapper_pg_dir, as x86-32 once did
 *	0x7900_0000_0000	windows: memory that is shared with back ends of devices, drivers/vhost.c
 *	above			the host's own: stack, vDSO
 *
 * The user ranges hold nothing but what mm/tlb.c has put there.
 */
#define LO_USER_MIN    0x1000
#define LO_IMAGE       0x60000000
#define LO_IMAGE_END   0x68000000
#define LO_USER_END    0x700000000000
#define LO_RAM         0x700000000000
#define LO_VMALLOC     0x780000000000
#define LO_VMALLOC_END 0x788000000000
#define LO_WINDOWS     0x790000000000

/*
 * Private to each host process: who it is, above the stack for its host signals. With several
 * vCPUs there is one such block for each thread of a host process, below this one.
 */
#define LO_HOSTCPU      (LO_IMAGE_END - 0x1000)
#define LO_SIGNAL_STACK 0x10000

#endif
