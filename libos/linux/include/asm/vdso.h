/* SPDX-License-Identifier: GPL-2.0-only */
/* vdso.h - the shared object that answers programs about time; vdso/image.c */
#ifndef LO_ASM_VDSO_H
#define LO_ASM_VDSO_H

#ifndef __ASSEMBLY__
struct mm_struct;
struct vdso_data;

/* Written by the timekeeping code, read by programs, one page before the object's first. */
extern struct vdso_data *lo_vdso_data;

/* Before the first clock runs. */
void lo_vdso_init(void);
/* Maps it into a program that starts; `mm` is locked. */
int lo_vdso_map(struct mm_struct *mm);
#endif

#endif
