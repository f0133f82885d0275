/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_BITOPS_H
#define LO_ASM_BITOPS_H

#define CONFIG_X86_64   1
#define CONFIG_X86_CMOV 1
#include "../../../x86/include/asm/bitops.h"
#undef CONFIG_X86_CMOV
#undef CONFIG_X86_64

#endif
