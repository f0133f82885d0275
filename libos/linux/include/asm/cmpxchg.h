/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_CMPXCHG_H
#define LO_ASM_CMPXCHG_H

#define CONFIG_X86_64 1
#include "../../../x86/include/asm/cmpxchg.h"
#undef CONFIG_X86_64

#endif
