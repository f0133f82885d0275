/* SPDX-License-Identifier: GPL-2.0-only */
/* stdint.h - for files of lib/; the kernel has the types, not all the macros */
#ifndef LO_STDINT_H
#define LO_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#define UINT16_MAX  U16_MAX
#define UINT32_MAX  U32_MAX
#define UINT64_MAX  U64_MAX
#define UINT64_C(v) v##ULL

#endif
