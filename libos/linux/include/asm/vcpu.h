/* SPDX-License-Identifier: GPL-2.0-only */
/* vcpu.h - what belongs to a virtual processor */
#ifndef LO_ASM_VCPU_H
#define LO_ASM_VCPU_H

#include <linux/types.h>

struct task_struct;
struct mm_struct;

#define LO_FLUSHES 8

/* Host mappings that must be gone before the program runs on, see mm/tlb.c. */
struct lo_flush_queue {
	unsigned int count;
	struct {
		unsigned long start, end;
	} range[LO_FLUSHES];
};

#define LO_REACHED 16
#define LO_NOBODY  ((struct mm_struct *)-1L) /* not even who has no mm */

/* Pages of a program that the kernel may use without a walk of its page table, see mm/uaccess.c. */
struct lo_reached {
	struct mm_struct *mm; /* whose they are */
	struct {
		unsigned long page[2]; /* to read, to write; -1: none */
		void *va;
	} entry[LO_REACHED];
};

/*
 * There is one for now. Whatever a second one must have of its own is in here, in Linux's
 * per-CPU variables, or at LO_HOSTCPU; docs/decisions/library-os-vcpus.md says how they are found.
 */
struct lo_vcpu {
	struct task_struct *task;      /* current */
	unsigned long kernel_sp;       /* top of its stack, where kernel/entry.S builds pt_regs */
	unsigned long user_sp;         /* of a program that is just calling, see kernel/entry.S */
	unsigned long irqs_on;         /* interrupts: a flag, since they are signals of the host */
	unsigned long irq_pending;     /* one came while they were off */
	struct task_struct *fpu_owner; /* whose vector registers and FS, GS are in the processor */
	struct mm_struct *mm;          /* whose host process this runs in */
	int hostproc;                  /* index of that process */
	unsigned long handover_sp;     /* kernel stack on its way to another host process */
	struct lo_flush_queue flushes;
	struct lo_reached reached;
};

extern struct lo_vcpu lo_vcpus[];

static inline struct lo_vcpu *lo_vcpu(void)
{
	return &lo_vcpus[0];
}

#endif
