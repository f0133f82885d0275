/* SPDX-License-Identifier: GPL-2.0-only */
/* endian.h - for files of lib/; without sparse's types, for lib/ has its own */
#ifndef LO_ENDIAN_H
#define LO_ENDIAN_H

#include <asm/byteorder.h>

#define le16toh(v) __le16_to_cpu((__force __le16)(v))
#define le32toh(v) __le32_to_cpu((__force __le32)(v))
#define le64toh(v) __le64_to_cpu((__force __le64)(v))
#define htole16(v) ((__force __u16)__cpu_to_le16(v))
#define htole32(v) ((__force __u32)__cpu_to_le32(v))
#define htole64(v) ((__force __u64)__cpu_to_le64(v))

#endif
