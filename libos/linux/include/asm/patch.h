/* SPDX-License-Identifier: GPL-2.0-only */
/* patch.h - system call sites of programs that jump instead of trapping; kernel/patch.c */
#ifndef LO_ASM_PATCH_H
#define LO_ASM_PATCH_H

#include <asm/ptrace.h>
#include <linux/types.h>

struct mm_struct;
struct task_struct;
struct vm_area_struct;
struct lo_patches;

/* Address space for trampolines: the most that there may be of it, in one mm. */
#define LO_PATCH_AREA  0x1000000UL
#define LO_PATCH_AREAS 8

/* What an mm has of it. */
struct lo_patch_context {
	struct lo_patches *patches;         /* NULL: no site yet */
	unsigned long area[LO_PATCH_AREAS]; /* where trampolines are, 0: none */
	unsigned long dropped;              /* how often a site was taken back */
	u64 id;                             /* of the mm, of all that ever were */
	atomic_t hold;                      /* no site is patched while this isn't 0 */
	bool off;                           /* nor ever in this mm: a debugger steps through it */
};

/* The program was in a trampoline: its ip is to be seen by nobody. */
static inline bool lo_patch_is_trampoline(const struct lo_patch_context *context, unsigned long ip)
{
	unsigned int i;

	for (i = 0; i < LO_PATCH_AREAS && context->area[i]; i++)
		if (ip - context->area[i] < LO_PATCH_AREA)
			return true;
	return false;
}

/* All of these may sleep. */

/* regs->ip in a trampoline becomes that of the program's own instruction. */
void lo_patch_original_ip(struct pt_regs *regs);
/* A system call trapped: makes its site a jump, if it can be and pays. */
void lo_patch(const struct pt_regs *regs);
/*
 * The instruction at `ip` traps since its site is patched. Returns where in a trampoline it goes on,
 * which is good until someone sleeps; 0: the trap is the program's own.
 */
unsigned long lo_patch_resume(unsigned long ip);
/* The program fetched from `addr`, where nothing is mapped: true if it has been mended. */
bool lo_patch_lost(unsigned long addr);
/* All sites have the program's own bytes, for good: it is looked at instruction by instruction. */
void lo_patch_stop(struct mm_struct *mm);

/* The program is about to change a range: it has its own bytes from now on to lo_patch_end(). */
void lo_patch_begin(unsigned long start, unsigned long size);
void lo_patch_end(void);

/* Fork: `mm` has what `from` has. Both are locked. */
int lo_patch_copy(struct mm_struct *from, struct mm_struct *mm);
void lo_patch_init(struct mm_struct *mm);
void lo_patch_free(struct mm_struct *mm);

/* For debuggers: what they read is what the program had, what they write is in its code. */
void lo_patch_read(struct vm_area_struct *vma, unsigned long addr, void *to, const void *from,
		   unsigned long size);
void lo_patch_write(struct vm_area_struct *vma, unsigned long addr, void *to, const void *from,
		    unsigned long size);

#endif
