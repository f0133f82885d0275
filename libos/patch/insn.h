/* SPDX-License-Identifier: MIT */
/*
 * insn.h - lengths of x86-64 instructions, and the little more that moving one needs.
 *
 * Theory of operation
 *
 * A table per opcode map says what follows an opcode: a ModRM byte, an immediate, a distance. That is
 * all that a length depends on, besides prefixes. The tables know the maps of legacy, VEX, EVEX and XOP
 * encodings; they do not know each instruction in them, so bytes that no processor executes may have a
 * length here. Where processors disagree (an operand-size prefix before a near branch) there is none.
 *
 * Freestanding: runs inside Linux as well as in tests.
 */
#ifndef PATCH_INSN_H
#define PATCH_INSN_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define PATCH_INSN_MAX 15 /* bytes; Intel SDM volume 2, 2.3.11 */

/* Where the processor goes on after an instruction. */
enum patch_flow {
	PATCH_FLOW_NEXT,
	PATCH_FLOW_JCC,     /* to the target or on, by the flags */
	PATCH_FLOW_LOOP,    /* the same, by rcx; there is only a short form */
	PATCH_FLOW_JMP,     /* to the target */
	PATCH_FLOW_CALL,    /* leaves its own address on the stack */
	PATCH_FLOW_RET,     /* and jumps through registers or memory: nowhere that bytes tell */
	PATCH_FLOW_SYSCALL, /* 0F 05 */
	PATCH_FLOW_STOP,    /* nowhere: breakpoints, UD2, HLT, ways out of a kernel */
	PATCH_FLOW_OTHER, /* on, but may not be moved: calls through memory, interrupts, transactions */
};

struct patch_insn {
	uint8_t len;
	uint8_t flow;    /* enum patch_flow */
	uint8_t rel_len; /* 1 or 4: the last bytes are a distance to a branch target; else 0 */
	uint8_t rip_off; /* where a distance of 4 bytes to an operand in memory lies; else 0 */
	bool nop;        /* does nothing: what aligns code */
	bool rip_32;     /* RIP-relative with 32-bit addresses: cannot be moved */
};

/*
 * patch_decode() - The instruction at the beginning of @code, of which @size bytes are there.
 *
 * Return: its length; 0 if it is none, if it is cut off or if processors disagree about it.
 */
size_t patch_decode(const uint8_t *code, size_t size, struct patch_insn *ret);

/* A branch's distance, which the last bytes of @insn hold. */
int32_t patch_insn_rel(const uint8_t *code, const struct patch_insn *insn);

static inline int32_t patch_get_le32(const uint8_t *p)
{
	return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			 (uint32_t)p[3] << 24);
}

#endif
