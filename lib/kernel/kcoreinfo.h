/* SPDX-License-Identifier: MIT */
/*
 * kcoreinfo.h - what a guest kernel says to those who read its dumps (Documentation/admin-guide/kdump/vmcoreinfo.rst).
 *
 * It has that as the note of an ELF core (vmcoreinfo_note) and as its text (vmcoreinfo_data), from its start on.
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KCOREINFO_H
#define KERNEL_KCOREINFO_H

#include "gview.h"

#define KCOREINFO_MAX 16384 /* 4096 are seen */

/* Addresses of the symbols; 0: not there. The first is of a pointer to the note, the second of one to the text. */
struct kcoreinfo_symbols {
	gva_t note, data, size;
};

/*
 * kcoreinfo_read() - Copy the text, lines of KEY=VALUE, as the guest has it: anything after the first line.
 *
 * Return: 0; -ENOENT the kernel has none; -EPROTO it is not what it should be; what a read gave.
 */
int kcoreinfo_read(const struct gview *v, const struct kcoreinfo_symbols *s,
		   char ret[KCOREINFO_MAX], size_t *ret_size) _must_check_;

#endif
