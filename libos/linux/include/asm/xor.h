/* SPDX-License-Identifier: GPL-2.0-only */
/* xor.h - sums of RAID: none is computed here, but dm-integrity links them, and would have them raced at each start */
#include <asm-generic/xor.h>

#define XOR_SELECT_TEMPLATE(wanted) ((wanted) ?: &xor_block_32regs)
