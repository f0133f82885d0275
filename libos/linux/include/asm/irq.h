/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_IRQ_H
#define LO_ASM_IRQ_H

#define NR_IRQS 64

#include <asm-generic/irq.h>

#endif
