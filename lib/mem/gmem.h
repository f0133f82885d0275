/* SPDX-License-Identifier: MIT */
/*
 * gmem.h - the only way to memory that a guest owns.
 *
 * Theory of operation
 *
 * gmem_at() turns a guest-physical address into a pointer, for a range that it
 * has checked against the region table. Everything behind the pointer may
 * change at any moment, so: copy a value once, into a local of ours, then check
 * the copy and use the copy. gmem_copy() is that copy; gmem_read() and
 * gmem_write() find the place first.
 *
 * No I/O, no allocation.
 */
#ifndef MEM_GMEM_H
#define MEM_GMEM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "compiler.h"

struct gmem_region {
	gpa_t base;
	uint64_t size;
	uint8_t *hva;
};

/* Regions must not overlap, and base + size must not wrap. */
struct gmem {
	const struct gmem_region *region;
	size_t nregions;
};

/*
 * gmem_at() - Resolve [@gpa, @gpa + @len) to a pointer.
 *
 * Return: how many of the @len bytes lie contiguously at *@ret_p (at least 1),
 *	   0 if @gpa is not mapped or @len is 0.
 */
size_t gmem_at(const struct gmem *g, gpa_t gpa, size_t len, void **ret_p) _must_check_;

/* Copy out of (into) guest memory; -EFAULT unless the whole range is mapped. */
int gmem_read(const struct gmem *g, gpa_t gpa, void *dst, size_t len) _must_check_;
int gmem_write(const struct gmem *g, gpa_t gpa, const void *src, size_t len) _must_check_;

/*
 * Copy what somebody else may be changing. The barrier keeps the compiler from
 * reading @src a second time in place of the copy.
 */
static inline void gmem_copy(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
	__asm__ volatile("" : : "r"(dst) : "memory");
}

#endif
