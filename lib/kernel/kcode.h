/* SPDX-License-Identifier: MIT */
/*
 * kcode.h - what a function of a guest kernel refers to, by its code.
 *
 * Theory of operation
 *
 * A kernel without CONFIG_KALLSYMS_ALL says where its functions are, not where its variables are. The code of those
 * that use a variable has its address: relative to the next instruction, or as 4 bytes that are sign-extended. (What is
 * addressed by GS is a processor's own data, and read there and then: it is left out.) All numbers that could be either are
 * taken, which are more than are addresses: whoever asks compares functions with each other and looks at what is there.
 *
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KCODE_H
#define KERNEL_KCODE_H

#include <stdbool.h>

#include "gview.h"

#define KCODE_BYTES_MAX 4096 /* of a function */
#define KCODE_REFS_MAX  256

struct kcode_refs {
	uint64_t to[KCODE_REFS_MAX]; /* in the order of the code, each once */
	size_t n;
};

/* What lies within [@least, @end) of what the code of [@from, @to) refers to. Return: 0, also if nothing does; what a read gave. */
int kcode_read(const struct gview *v, gva_t from, gva_t to, uint64_t least, uint64_t end,
	       struct kcode_refs *ret) _must_check_;

/* The same of @size bytes of code that stand at @at. */
void kcode_scan(const uint8_t *code, size_t size, gva_t at, uint64_t least, uint64_t end,
		struct kcode_refs *ret);

bool kcode_has(const struct kcode_refs *r, uint64_t to);

#endif
