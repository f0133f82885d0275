/* SPDX-License-Identifier: GPL-2.0-only */
/* fpu.h - vector registers, FS and GS */
#ifndef LO_ASM_FPU_H
#define LO_ASM_FPU_H

#include <linux/types.h>

struct task_struct;

/* Checks the processor; returns NULL, or what is missing. */
const char *lo_fpu_init(void);
/* The features that programs have, as in XCR0. */
extern u64 lo_xfeatures;
/* The vector state of `task` is the initial one; FS and GS stay. */
void lo_xstate_reset(struct task_struct *task);
/* The same, with FS and GS at 0: `task` starts a program. */
void lo_fpu_reset(struct task_struct *task);
/* Makes task->thread hold the state; what is in the registers stays valid. */
void lo_fpu_save(struct task_struct *task);
/* task->thread holds the state from now on: the registers are out of date. */
void lo_fpu_disown(struct task_struct *task);
/* Saves whatever is in the registers: the next to run may do so in another host process. */
void lo_fpu_park(void);
/* Puts the state of `task` into the registers. */
void lo_fpu_load(struct task_struct *task);
/* Makes a state that came from the program one that the processor will take. */
void lo_xstate_sanitise(void *xstate);
/* Into the registers, from a signal frame of the host. */
void lo_xstate_restore(const void *xstate);

#endif
