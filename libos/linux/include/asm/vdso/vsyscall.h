/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_VDSO_VSYSCALL_H
#define LO_ASM_VDSO_VSYSCALL_H

#ifndef __ASSEMBLY__
#include <asm/vdso.h>
#include <linux/timekeeper_internal.h>
#include <vdso/datapage.h>

static __always_inline struct vdso_data *lo_get_vdso_data(void)
{
	return lo_vdso_data;
}
#define __arch_get_k_vdso_data lo_get_vdso_data

#include <asm-generic/vdso/vsyscall.h>
#endif

#endif
