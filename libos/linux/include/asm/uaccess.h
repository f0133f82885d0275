/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uaccess.h - the program's memory is reached through its page tables, never through its mappings
 */
#ifndef LO_ASM_UACCESS_H
#define LO_ASM_UACCESS_H

#include <asm/processor.h>

#define TASK_SIZE_MAX TASK_SIZE
#include <asm-generic/access_ok.h>

/* What could not be copied or cleared, in bytes. May sleep, unless page faults are off. */
unsigned long raw_copy_from_user(void *to, const void __user *from, unsigned long size);
unsigned long raw_copy_to_user(void __user *to, const void *from, unsigned long size);
unsigned long __clear_user(void __user *to, unsigned long size);
#define __clear_user __clear_user

/* The kernel's address of a word of the program, NULL: not accessible. Good until mm changes. */
void *lo_user_word(const void __user *addr, bool write);

/* Whether the kernel may touch this address of its own. */
bool lo_kernel_addr_ok(const void *addr);

#define __get_kernel_nofault(to, from, type, label) \
	do {                                        \
		if (!lo_kernel_addr_ok(from))       \
			goto label;                 \
		*(type *)(to) = *(type *)(from);    \
	} while (0)
#define __put_kernel_nofault(to, from, type, label) \
	do {                                        \
		if (!lo_kernel_addr_ok(to))         \
			goto label;                 \
		*(type *)(to) = *(type *)(from);    \
	} while (0)

#include <asm-generic/uaccess.h>

#endif
