/* SPDX-License-Identifier: MIT */
/*
 * btf.h - the types of a guest kernel, from the description that it has of itself (Documentation/bpf/btf.rst).
 *
 * Theory of operation
 *
 * btf_locate() finds the description in a kernel image, btf_count() says how
 * many types it has, btf_open() checks all of them once and notes where each
 * begins, in memory of the caller. From then on ids are checked against the
 * count, chains of typedefs and nested structures against limits: a type that
 * contains itself ends with -EPROTO.
 *
 * No I/O, no allocation.
 */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

#include "kimage.h"

#define BTF_TYPES_MAX (1U << 20)  /* 60,000 to 160,000 are seen */
#define BTF_BYTES_MAX (64U << 20) /* of types, and of strings; some MiB are seen */

struct btf {
	const uint8_t *types, *strings; /* borrowed; the strings end with a NUL */
	size_t types_size, strings_size;
	uint32_t *index; /* of the caller: where type N begins */
	uint32_t count;  /* ids are 1 .. count - 1 */
};

struct btf_member {
	uint32_t type;
	uint64_t bit;  /* from the beginning of the outermost structure */
	uint32_t bits; /* 0 if it is no bit field */
};

/* Return: 0 and what is found; -ENOENT. */
int btf_locate(const struct kimage *k, const uint8_t **ret, size_t *ret_size) _must_check_;

/* Return: 0; -EPROTO the header or a type is damaged, or of a kind that is not known. */
int btf_count(const uint8_t *data, size_t size, uint32_t *ret) _must_check_;
/* @index has room for @count, which btf_count() gave. */
int btf_open(struct btf *b, const uint8_t *data, size_t size, uint32_t *index, uint32_t count)
	_must_check_;

/* The structure or union of that name. Return: 0; -ENOENT. */
int btf_find(const struct btf *b, const char *name, uint32_t *ret) _must_check_;

/*
 * btf_member() - A member by a dotted path, "desc_ring.head_id"; those of anonymous members count as own ones.
 *
 * Return: 0; -ENOENT; -EPROTO.
 */
int btf_member(const struct btf *b, uint32_t type, const char *path, struct btf_member *ret)
	_must_check_;

/* Bytes of a value of @type. Return: 0; -EPROTO, also for what has no size. */
int btf_size(const struct btf *b, uint32_t type, uint64_t *ret) _must_check_;

/* What an array of @type has. Return: 0; -ENOENT it is none. */
int btf_array(const struct btf *b, uint32_t type, uint32_t *ret_element, uint32_t *ret_n)
	_must_check_;

#endif
