/* SPDX-License-Identifier: MIT */
/*
 * gview.h - a guest's memory as its own kernel addresses it: page tables over an accessor to what is physical.
 *
 * No I/O of its own, no allocation. Nothing is kept between two reads: the guest may change its tables.
 */
#ifndef MEM_GVIEW_H
#define MEM_GVIEW_H

#include <stddef.h>
#include <sys/types.h>

#include "pt.h"

/* Copy @len bytes from guest-physical @gpa. Return: 0; -errno, also if only a part is there. */
typedef int gphys_read_fn(void *arg, gpa_t gpa, void *dst, size_t len);

struct gview {
	struct pt pt;
	gphys_read_fn *read;
	void *arg;
};

/* Must not move while it is used. As pt_init(). */
int gview_init(struct gview *v, const struct pt_regs_cr *cr, gphys_read_fn *read, void *arg)
	_must_check_;

/*
 * gview_init_kernel() - As a kernel sees it that may isolate its page tables from those of user mode.
 *
 * A processor in user mode then has the other tables in CR3, in which little of the kernel is. @entry, the
 * entry of system calls, is in both: if it is the same with that bit of CR3 cleared, those tables are taken.
 */
int gview_init_kernel(struct gview *v, const struct pt_regs_cr *cr, gva_t entry,
		      gphys_read_fn *read, void *arg) _must_check_;

/* Copy out of the guest; what pt_walk() or the accessor gave if any of it is not there. */
int gview_read(const struct gview *v, gva_t gva, void *dst, size_t len) _must_check_;
/* As long as it can be read: how much was copied from @gva on. */
size_t gview_read_some(const struct gview *v, gva_t gva, void *dst, size_t len);

#endif
