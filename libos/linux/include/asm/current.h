/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_CURRENT_H
#define LO_ASM_CURRENT_H

#include <asm/vcpu.h>

#define get_current() (lo_vcpu()->task)
#define current       get_current()

#endif
