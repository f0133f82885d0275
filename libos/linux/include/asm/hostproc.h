/* SPDX-License-Identifier: GPL-2.0-only */
/* hostproc.h - the host processes that hold the address spaces */
#ifndef LO_ASM_HOSTPROC_H
#define LO_ASM_HOSTPROC_H

#include <linux/types.h>

struct mm_struct;

#define LO_HOSTPROCS 1024
#define LO_ANY_CPU   (-1)

/* One per mm that runs. Index 0 is the zygote, 1 the first process of all, the launcher's child. */
struct lo_hostproc {
	int turn; /* futex: 1 gives the vCPU to this process, see kernel/hostproc.c */
	int pid;
	int cpu;                       /* of the host that it is bound to, or LO_ANY_CPU */
	struct mm_struct *mm;          /* whose mappings it has, NULL: free */
	bool stale;                    /* it missed a flush: all is flushed before it runs */
	bool loaded;                   /* it has user mappings */
	bool crowded;                  /* more than mm/mappings.c knows */
	bool newborn;                  /* `mm` is that of a fork that hasn't run yet */
	short parent;                  /* which one had the mm that was forked */
	unsigned char learns;          /* so many of its faults are of interest, see mm/hatch.c */
	unsigned char generation;      /* 1..127, of its mappings: see asm/pgtable.h */
	unsigned long vmalloc_flushes; /* how many of these it has seen */
};

/* At LO_HOSTCPU: the only memory of the kernel that each host process has to itself. */
struct lo_hostcpu {
	long index;
	unsigned long stack; /* a stack to sleep and fork on, not seen by the other processes */
};
#define lo_hostcpu() ((volatile struct lo_hostcpu *)LO_HOSTCPU)

extern struct lo_hostproc lo_hostprocs[LO_HOSTPROCS];

/* Before the kernel proper; `stack` is the private stack of the first process. */
void lo_hostproc_init(unsigned long stack);
/* Moves the vCPU to the host process of `mm`, with interrupts off; init_mm runs in any. */
void lo_hostproc_switch(struct mm_struct *mm);
/* A fork, before its program runs for the first time; mm/hatch.c. May sleep. */
void lo_hatch(void);
/* `mm` is no more; its host process is free for the next one. */
void lo_hostproc_put(struct mm_struct *mm);
/* The host process that has the vCPU may run on any processor again; interrupts are off. */
void lo_hostproc_unbind(void);
/* It has run for a tick. */
void lo_hostproc_tick(void);
/* Ends every host process; the first one's exit status is `status`. Never returns. */
void lo_hostproc_end(int status) __attribute__((noreturn));

#endif
