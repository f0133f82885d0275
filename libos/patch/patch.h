/* SPDX-License-Identifier: MIT */
/*
 * patch.h - makes a jump of a system call site; bytes in, bytes out.
 *
 * Theory of operation
 *
 * A site is a syscall instruction that has trapped: two bytes before the ip of the trap. patch_plan() picks a window of whole
 * instructions around it, patch_place() an address for a trampoline within reach, patch_emit() writes
 * the trampoline, and the first five bytes of the window become "jmp rel32" to it. The trampoline has
 * the window's instructions, with the system call replaced by
 *
 *	lea after(%rip), %rcx		what SYSCALL leaves in rcx: the address of the next instruction
 *	mov %rcx, %r11			or lea tail(%rip), %r11 if instructions behind the call were moved too
 *	jmp *slot			the kernel's entry
 *
 * So there is no stack in it: the red zone stays, and vfork() and clone() work as they are. The entry
 *  - Should save rcx as the program's ip, and goes back to r11 when nothing else is to be done;
 *  - May go back to rcx by any way, with any registers, at any time: that is always right, if slower;
 *  - May restart a call by ip - 2, as Linux does for the instruction.
 * SYSCALL spoils rcx and r11 anyway; all other registers and the flags come as the program had them, and
 * r11 alone goes back with something else (not the flags) in it.
 *
 * Why no other path into the window can break: every instruction of the program that begins behind the
 * jump's first byte either has its bytes still (it begins at five or more), or begins with a byte that
 * traps: a trampoline's address is chosen so that its distance has such bytes there (patch_is_trap()).
 * The trap handler calls patch_ip_resume() and goes on in the trampoline. That holds for jumps that no
 * decoder can find, for threads that were preempted in the window, for signal frames and for restarts.
 * What has to be proved is where instructions begin, see plan.c.
 *
 * For the three forms of windows see enum patch_form. docs/decisions/system-call-patching.md has the
 * reasons and figures.
 *
 * Writing the jump: patch_steps() gives the stores and where all processors have to synchronise.
 *
 * Trampolines take an area of 16 MiB of address space, of little memory, best 96 to 128 MiB behind the code:
 * there every plan finds a place.
 *
 * What the caller Should do:
 *  - Hand over the program's own bytes: where a site was patched before, those of its plan's old[], with
 *    lo and hi set so that no two windows overlap.
 *  - Keep plan and trampoline address of each site. Show the program no other ip than what
 *    patch_ip_original() gives: in signal frames, to ptrace, in core dumps, to rseq.
 *  - Drop a site, and its trampoline when no thread is in it, when its mapping goes or is written to.
 * What it Mustn't: patch code that is mapped writable or shared, or the same site twice.
 *
 * Pure functions, freestanding; no allocation, no state. About 1.5 KiB of stack.
 */
#ifndef PATCH_PATCH_H
#define PATCH_PATCH_H

#include "insn.h"

#define PATCH_JUMP_LEN   5
#define PATCH_INSNS_MAX  16 /* entries of the map below */
#define PATCH_WINDOW_MAX 64
#define PATCH_TRAMP_MAX  96
#define PATCH_STEPS_MAX  11
#define PATCH_NR_UNKNOWN (-1)

enum patch_form {
	PATCH_BEFORE, /* the jump lies in one instruction before the call: nothing in it has to trap */
	PATCH_ACROSS, /* over several instructions, the syscall the last of them at most */
	PATCH_AFTER, /* instructions behind the syscall were moved too: the way back goes through the tail */
	PATCH_FORMS,
};

enum patch_result {
	PATCH_OK,
	PATCH_NOT_SYSCALL, /* not the bytes of the instruction, or outside of what was given */
	PATCH_SIGRETURN,   /* debuggers and unwinders know a signal frame by these bytes */
	PATCH_NO_WINDOW,   /* neighbours can't be moved, or the window would leave its bounds */
	PATCH_JUMP_IN,     /* something jumps into the middle of an instruction in each window */
	PATCH_UNPROVED, /* where instructions begin could not be proved: more code may help, or a start */
	PATCH_RESULTS,
};

struct patch_code {
	const uint8_t *bytes; /* borrowed; a private copy */
	size_t size; /* 1 KiB on either side of the site; all of the mapping if that is PATCH_UNPROVED */
	uint64_t addr;    /* of bytes[0], in the program */
	size_t lo, hi;    /* offsets between which bytes may be changed */
	bool starts_insn; /* bytes[0] begins an instruction: the start of a function is known */
	int nr;           /* rax at the trap: the call's number, or PATCH_NR_UNKNOWN */
};

/* Should be kept as long as the site is patched. */
struct patch_plan {
	uint64_t addr;                 /* of the window */
	uint64_t tramp_min, tramp_max; /* where a trampoline may begin, so that all distances fit */
	uint8_t form;                  /* enum patch_form */
	uint8_t len;                   /* of the window */
	uint8_t sys;                   /* offset of the syscall instruction */
	uint8_t traps;                 /* bit i: byte i of the jump has to trap */
	uint8_t tramp_len;
	uint8_t n; /* instructions: old[orig[i]...] went to tramp[moved[i]...] */
	uint8_t orig[PATCH_INSNS_MAX];
	uint8_t moved[PATCH_INSNS_MAX];
	uint8_t old[PATCH_WINDOW_MAX];
};

/* One store of @len bytes at plan->addr + @off. */
struct patch_step {
	uint8_t off;
	uint8_t len;
	bool sync; /* afterwards every processor that runs the program must execute a serialising instruction */
	uint8_t bytes[PATCH_JUMP_LEN];
};

/*
 * patch_plan() - How to patch the syscall instruction at offset @sys.
 *
 * There may be several ways: the best with @skip 0, the next with 1, ..., for when no trampoline can be
 * placed. @ret_plan is written on PATCH_OK only.
 */
enum patch_result patch_plan(const struct patch_code *code, size_t sys, unsigned int skip,
			     struct patch_plan *ret_plan);

/*
 * patch_place() - The first address in [from, end) at which the plan's trampoline may begin.
 *
 * Return: false if there is none. The caller goes on with from = *ret_addr + 1 if that place is taken.
 */
bool patch_place(const struct patch_plan *plan, uint64_t from, uint64_t end, uint64_t *ret_addr);

/*
 * patch_emit() - plan->tramp_len bytes of trampoline for @addr, and the jump to it.
 *
 * @slot is the address of 8 bytes that hold the entry's address: below 2 GiB, or within 2 GiB of @addr.
 *
 * Return: false if @addr does not fit the plan or @slot can't be reached.
 */
bool patch_emit(const struct patch_plan *plan, uint64_t addr, uint64_t slot,
		uint8_t tramp[PATCH_TRAMP_MAX], uint8_t jump[PATCH_JUMP_LEN]);

/*
 * patch_steps() - The stores that make the first bytes of the window @to, in order.
 *
 * @to is the jump, or plan->old to take it back. At any time in between, every instruction of the
 * program in the window is whole or begins with INT3, whose handler asks patch_ip_resume().
 *
 * Return: how many of @ret_steps.
 */
size_t patch_steps(const struct patch_plan *plan, const uint8_t to[PATCH_JUMP_LEN],
		   struct patch_step ret_steps[PATCH_STEPS_MAX]);

/* The five bytes lie in one naturally aligned quadword: one store of 8 bytes changes them at once. */
static inline bool patch_is_one_store(const struct patch_plan *plan)
{
	return (plan->addr & 7) + PATCH_JUMP_LEN <= 8;
}

/*
 * patch_ip_original() - Which instruction of the program an @ip in the trampoline at @tramp stands for.
 *
 * An ip at or behind the lea stands for the syscall instruction, until the kernel has come back from it.
 *
 * Return: false if @ip is not in this trampoline.
 */
bool patch_ip_original(const struct patch_plan *plan, uint64_t tramp, uint64_t ip,
		       uint64_t *ret_ip);

/*
 * patch_ip_resume() - Where to go on after a trap at @ip in the window.
 *
 * INT3 leaves ip one byte behind itself: that one is taken off by the caller.
 *
 * Return: false if @ip is no instruction of the window: the trap is the program's own.
 */
bool patch_ip_resume(const struct patch_plan *plan, uint64_t tramp, uint64_t ip, uint64_t *ret_ip);

/* One byte that faults at once in 64-bit mode, whatever follows: INT3 and opcodes without meaning. */
bool patch_is_trap(uint8_t byte);

/* For counters and messages: "jump into the window". */
const char *patch_result_name(enum patch_result result);
const char *patch_form_name(enum patch_form form);

#endif
