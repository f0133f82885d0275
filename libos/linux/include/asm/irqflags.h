/* SPDX-License-Identifier: GPL-2.0-only */
/* irqflags.h - interrupts are signals of the host; off means: not now, later */
#ifndef LO_ASM_IRQFLAGS_H
#define LO_ASM_IRQFLAGS_H

#include <asm/vcpu.h>

#define ARCH_IRQ_DISABLED 0
#define ARCH_IRQ_ENABLED  1

/* Takes what came while interrupts were off; they are on now. */
void lo_irq_replay(void);

static inline unsigned long arch_local_save_flags(void)
{
	return READ_ONCE(lo_vcpu()->irqs_on);
}
#define arch_local_save_flags arch_local_save_flags

static inline void arch_local_irq_restore(unsigned long flags)
{
	barrier();
	WRITE_ONCE(lo_vcpu()->irqs_on, flags);
	barrier();
	if (flags && unlikely(READ_ONCE(lo_vcpu()->irq_pending)))
		lo_irq_replay();
}
#define arch_local_irq_restore arch_local_irq_restore

#include <asm-generic/irqflags.h>

#endif
