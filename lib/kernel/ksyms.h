/* SPDX-License-Identifier: MIT */
/*
 * ksyms.h - the symbols of a guest kernel, from wherever it says them.
 *
 * Theory of operation
 *
 * A kernel with CONFIG_KALLSYMS_ALL has all of them in one place. In one without it, that place has the functions
 * alone, and what else is asked for comes, in this order,
 *
 *	from what it exports to its modules		(ksymtab.h)
 *	from what it says to readers of its dumps	(kcoreinfo.h)
 *	from the code of functions that use it		(kcode.h)
 *
 * The last is believed if several functions agree, or if what is there can be nothing else; a variable of which that
 * can't be said is not there.
 *
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KSYMS_H
#define KERNEL_KSYMS_H

#include "kallsyms.h"
#include "kcoreinfo.h"
#include "ksymtab.h"

struct ksyms {
	const struct kimage *image; /* borrowed, as is the next */
	const struct gview *view;
	char release[KRELEASE_MAX];
	struct kallsyms all;     /* count 0: it has none */
	struct ksymtab exported; /* count 0: none, or not needed */
	bool whole;              /* variables are in @all */
	gva_t note;              /* of vmcoreinfo_note, if it was found by code */
	char *info;              /* of the caller, KCOREINFO_MAX */
	size_t info_size;        /* 0: none, or not needed */
};

/* @v reads the guest, for its code; @info has room for KCOREINFO_MAX. None of them may move. Return: 0; -ENOENT it says nothing; -E2BIG as kallsyms_find(). */
int ksyms_open(struct ksyms *s, const struct kimage *k, const struct gview *v, char *info)
	_must_check_;

/* As kallsyms_lookup(). */
size_t ksyms_lookup(const struct ksyms *s, struct ksym_want *want, size_t n);

/* Read VMCOREINFO, which is not needed where @whole. Return: 0, also if it is there already; -ENOENT. */
int ksyms_read_info(struct ksyms *s) _must_check_;

/* How many there are, of either kind. */
uint32_t ksyms_count(const struct ksyms *s);

/* The number of a line "KEY=NUMBER" of VMCOREINFO, where KEY is @kind "(" @name ")", in @base. Return: 0; -ENOENT. */
int ksyms_info(const struct ksyms *s, const char *kind, const char *name, int base, uint64_t *ret)
	_must_check_;

#endif
