/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_ARCH_HWEIGHT_H
#define LO_ASM_ARCH_HWEIGHT_H

#include <asm-generic/bitops/arch_hweight.h>

#endif
