// SPDX-License-Identifier: GPL-2.0-only
/* mmap.c - where a mapping goes: Linux's own choice, but for MAP_32BIT. */
#include <asm/linux_versions.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/security.h>

/* As on x86: the second gigabyte, where code of the small model reaches it. */
#define LOW_START 0x40000000UL
#define LOW_END   0x80000000UL

static unsigned long get_low(unsigned long addr, unsigned long len)
{
	struct vm_unmapped_area_info info = {
		.length = len,
		.low_limit = LOW_START,
		.high_limit = LOW_END,
	};

	if (len > LOW_END)
		return -ENOMEM;
	addr = PAGE_ALIGN(addr);
	if (addr >= mmap_min_addr && addr <= LOW_END - len &&
	    !find_vma_intersection(current->mm, addr, addr + len))
		return addr;
	return vm_unmapped_area(&info);
}

unsigned long arch_get_unmapped_area(struct file *file, unsigned long addr, unsigned long len,
				     unsigned long pgoff, unsigned long flags LO_VM_FLAGS_PARAM)
{
	if ((flags & (MAP_32BIT | MAP_FIXED)) == MAP_32BIT)
		return get_low(addr, len);
	return generic_get_unmapped_area(file, addr, len, pgoff, flags LO_VM_FLAGS_ARG);
}

unsigned long arch_get_unmapped_area_topdown(struct file *file, unsigned long addr,
					     unsigned long len, unsigned long pgoff,
					     unsigned long flags LO_VM_FLAGS_PARAM)
{
	if ((flags & (MAP_32BIT | MAP_FIXED)) == MAP_32BIT)
		return get_low(addr, len);
	return generic_get_unmapped_area_topdown(file, addr, len, pgoff, flags LO_VM_FLAGS_ARG);
}
