/* SPDX-License-Identifier: MIT */
/*
 * lo_panic.h - what the library OS says about its end to the descriptor of its argument panicfd=FD.
 *
 * One message. Then it waits, everything as it is, until a byte or the end of file comes: who has started it
 * may read its memory meanwhile.
 */
#ifndef LIBOS_PANIC_H
#define LIBOS_PANIC_H

#include <linux/types.h>

#define LO_PANIC_TEXT 256
/* Registers in the order of a core file's (struct user_regs_struct, sys/user.h). */
#define LO_PANIC_REGS   27
#define LO_PANIC_RANGES 4

struct lo_panic {
	__u32 pid; /* the host process that it happened in */
	__u32 pad;
	__u64 reg[LO_PANIC_REGS];
	struct {
		__u64 start, end;
	} range[LO_PANIC_RANGES]; /* addresses of the kernel, in that process; unused ones are empty */
	char text[LO_PANIC_TEXT]; /* with a NUL */
};

#endif
