/* SPDX-License-Identifier: GPL-2.0-only */
/* futex.h - operations on a word of the program, atomic for all who map its page */
#ifndef LO_ASM_FUTEX_H
#define LO_ASM_FUTEX_H

#include <linux/futex.h>
#include <linux/uaccess.h>

/* Both are called with page faults off: -EFAULT makes the caller fault the page in and retry. */
int arch_futex_atomic_op_inuser(int op, int arg, int *ret_old, u32 __user *addr);
int futex_atomic_cmpxchg_inatomic(u32 *ret_old, u32 __user *addr, u32 old, u32 new);

#endif
