/* SPDX-License-Identifier: MIT */
/*
 * kallsyms.h - every symbol of a guest kernel, from the tables that it has for its own messages.
 *
 * Theory of operation
 *
 * scripts/kallsyms.c of Linux writes these arrays, each at a multiple of 8, or
 * of 4 since 7.x:
 *
 *	num_syms	u32
 *	names		per symbol a length (one byte, or two since 6.1: the first has bit 7) and as many tokens
 *	markers		u32: where each 256th name begins
 *	token_table	256 strings: what a token stands for; the first character of a name is its type
 *	token_index	u16: where each of them begins
 *	seqs_of_names	3 bytes each, in the order of names (6.2; not read)
 *
 * and the addresses, of which each kernel has one kind:
 *
 *	offsets, relative_base		before num_syms (to 6.3)
 *	offsets, relative_base		behind token_index (6.4)
 *	offsets				behind token_index, each relative to its own place (7.x)
 *
 * kallsyms_find() looks for a token_index, from there back for a num_syms whose
 * names and markers fit each other and end where the token table begins, and
 * takes the kind of addresses that ascends within the image. All of it is
 * proven before it is used, with a limit on the work; kallsyms_next() then
 * only reads. A hostile guest can have wrong symbols, and gets wrong answers.
 *
 * No I/O, no allocation.
 */
#ifndef KERNEL_KALLSYMS_H
#define KERNEL_KALLSYMS_H

#include <stdbool.h>

#include "kimage.h"

#define KSYM_NAME_MAX 512 /* KSYM_NAME_LEN of Linux 6.1; 128 before */

enum kallsyms_addresses {
	KALLSYMS_SIGNED, /* to the base; positive ones are absolute: CONFIG_KALLSYMS_ABSOLUTE_PERCPU */
	KALLSYMS_OFFSETS, /* to the base */
	KALLSYMS_PLACES   /* to their own place */
};

struct kallsyms {
	const struct kimage *image; /* borrowed */
	uint32_t count;
	enum kallsyms_addresses kind;
	unsigned int align;                                         /* of the arrays: 8 or 4 */
	size_t names, names_end, token_table, token_index, offsets; /* in the image */
	uint64_t base;
};

struct ksym {
	gva_t addr;
	char type; /* as nm(1) */
	char name[KSYM_NAME_MAX];
};

/* Starts zeroed. */
struct kallsyms_iter {
	uint32_t idx;
	size_t off; /* into the names */
};

/* Return: 0; -ENOENT no tables; -E2BIG more work than any kernel makes. */
int kallsyms_find(const struct kimage *k, struct kallsyms *ret) _must_check_;

/* The symbols, in the order of addresses. Return: 1 one; 0 the end; -EPROTO. */
int kallsyms_next(const struct kallsyms *s, struct kallsyms_iter *i, struct ksym *ret) _must_check_;

struct ksym_want {
	const char *name;
	gva_t addr; /* 0: not there */
};

/* Look for all of @want in one pass; of several with one name the first is taken. Return: how many were found. */
size_t kallsyms_lookup(const struct kallsyms *s, struct ksym_want *want, size_t n);

/* Where the next symbol behind @addr is; 0 if there is none. */
gva_t kallsyms_behind(const struct kallsyms *s, gva_t addr);

/* What kallsyms_find() and kallsyms_next() both know of the bytes. */
struct kallsyms_tokens {
	const uint8_t *p;
	size_t n;
};
gva_t kallsyms_address(const struct kallsyms *s, uint32_t idx);
/* The name at *@off, which goes on to the next. false: it is empty, or does not end before @end. */
bool kallsyms_name(const struct kimage *k, size_t *off, size_t end, struct kallsyms_tokens *ret);

#endif
