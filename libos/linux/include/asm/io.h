/* SPDX-License-Identifier: GPL-2.0-only */
/* io.h - there is no device memory */
#ifndef LO_ASM_IO_H
#define LO_ASM_IO_H

#include <asm/page.h>
#include <linux/types.h>

#define ioremap ioremap
static inline void __iomem *ioremap(phys_addr_t addr, size_t size)
{
	return NULL;
}
#define ioremap_prot ioremap_prot
static inline void __iomem *ioremap_prot(phys_addr_t addr, size_t size, unsigned long prot)
{
	return NULL;
}
#define iounmap iounmap
static inline void iounmap(volatile void __iomem *addr)
{
}

#include <asm-generic/io.h>

#endif
