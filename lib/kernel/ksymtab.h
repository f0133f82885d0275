/* SPDX-License-Identifier: MIT */
/*
 * ksymtab.h - the symbols that a kernel exports to its modules: what there is where kallsyms is not.
 *
 * Theory of operation
 *
 * __ksymtab and __ksymtab_gpl are arrays of entries with the place of a value
 * and of a name: 12 or 8 bytes, relative to the members' own places
 * (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS, with a namespace to 6.x), or pointers,
 * 16 bytes. ksymtab_find() looks for the name "kfree", which every kernel
 * exports, for an entry that has it, and goes from there to both ends.
 *
 * No I/O, no allocation.
 */
#ifndef KERNEL_KSYMTAB_H
#define KERNEL_KSYMTAB_H

#include "kimage.h"

struct ksymtab {
	const struct kimage *image; /* borrowed */
	size_t start, count;
	unsigned int stride; /* 8, 12 or 16 */
};

/* Return: 0; -ENOENT; -E2BIG more work than any kernel makes. */
int ksymtab_find(const struct kimage *k, struct ksymtab *ret) _must_check_;

/* Symbol @idx < count; the name is in the image and NUL-terminated. Return: 0; -EPROTO. */
int ksymtab_at(const struct ksymtab *t, size_t idx, const char **ret_name, gva_t *ret) _must_check_;

/* Return: 0; -ENOENT. */
int ksymtab_lookup(const struct ksymtab *t, const char *name, gva_t *ret) _must_check_;

#endif
