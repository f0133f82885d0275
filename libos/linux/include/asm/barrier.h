/* SPDX-License-Identifier: GPL-2.0-only */
/* barrier.h - x86 keeps all orders but store before load */
#ifndef LO_ASM_BARRIER_H
#define LO_ASM_BARRIER_H

#define mb()  asm volatile("lock; addl $0,-4(%%rsp)" ::: "memory", "cc")
#define rmb() barrier()
#define wmb() barrier()

#define dma_rmb() barrier()
#define dma_wmb() barrier()

#define __smp_mb()  mb()
#define __smp_rmb() barrier()
#define __smp_wmb() barrier()

/* Atomic read-modify-write instructions are barriers. */
#define __smp_mb__before_atomic() barrier()
#define __smp_mb__after_atomic()  barrier()

#include <asm-generic/barrier.h>

#endif
