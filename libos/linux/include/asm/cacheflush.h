/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_CACHEFLUSH_H
#define LO_ASM_CACHEFLUSH_H

#include <asm/patch.h>

/* What a debugger does to a page of a program, found by its address. */
#define copy_from_user_page(vma, page, addr, to, from, size) \
	lo_patch_read(vma, addr, to, from, size)
#define copy_to_user_page(vma, page, addr, to, from, size) lo_patch_write(vma, addr, to, from, size)

#include <asm-generic/cacheflush.h>

#endif
