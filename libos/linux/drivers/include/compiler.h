/* SPDX-License-Identifier: GPL-2.0-only */
/* compiler.h - what lib/base/compiler.h has, beside the kernel's own */
#ifndef LO_COMPILER_H
#define LO_COMPILER_H

#include <linux/compiler.h>
#include <linux/kernel.h>

#define _must_check_ __must_check

#endif
