/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_ENTRY_COMMON_H
#define LO_ASM_ENTRY_COMMON_H

#include <asm/trap.h>

#define arch_exit_to_user_mode_prepare arch_exit_to_user_mode_prepare
static inline void arch_exit_to_user_mode_prepare(struct pt_regs *regs, unsigned long work)
{
	lo_prepare_user();
}

static inline bool on_thread_stack(void)
{
	return true;
}

#endif
