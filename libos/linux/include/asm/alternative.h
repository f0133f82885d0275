/* SPDX-License-Identifier: GPL-2.0-only */
/* alternative.h - what x86's atomics and bit operations need of theirs */
#ifndef LO_ASM_ALTERNATIVE_H
#define LO_ASM_ALTERNATIVE_H

#ifdef __ASSEMBLY__
#define LOCK_PREFIX
#else
#include <asm/asm.h>

/* One vCPU: an instruction is whole for signals of the host without the prefix. */
#ifdef CONFIG_SMP
#define LOCK_PREFIX "lock; "
#else
#define LOCK_PREFIX ""
#endif
#define LOCK_PREFIX_HERE LOCK_PREFIX
#endif

#endif
