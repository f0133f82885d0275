/* SPDX-License-Identifier: MIT */
/*
 * kimage.h - a copy of a guest kernel's image, as it lies in the guest's address space.
 *
 * Theory of operation
 *
 * kimage_find() tells where the image is: around the entry of its system calls
 * (MSR_LSTAR), which is inside of it whatever a processor does just now.
 * The caller copies that range, or what is constant of it, holes as zeros, and everything else of
 * this library works on the copy. It is the guest's: nothing in it is believed.
 *
 * No I/O, no allocation.
 */
#ifndef KERNEL_KIMAGE_H
#define KERNEL_KIMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "compiler.h"
#include "pt.h"

/* Where Linux maps its image, whatever KASLR chose (Documentation/arch/x86/x86_64/mm.rst). */
#define KIMAGE_AREA     0xffffffff80000000ULL
#define KIMAGE_AREA_END 0xffffffffc0000000ULL
#define KIMAGE_SIZE_MAX (256ULL << 20)

#define KRELEASE_MAX 64

struct kimage {
	const uint8_t *data; /* borrowed */
	size_t size;
	gva_t base; /* of its first byte */
};

struct krange {
	gva_t start, end;
};

/*
 * kimage_find() - The range of the image that @entry is in.
 *
 * Memory that the kernel gave back after its start are holes in it.
 *
 * Return: 0; -ENOENT if @entry is not where Linux has its image, or is not mapped; -E2BIG if it is too large.
 */
int kimage_find(const struct pt *t, gva_t entry, struct krange *ret) _must_check_;

/* @len bytes at @gva, or NULL if any of them is outside. */
const void *kimage_at(const struct kimage *k, gva_t gva, size_t len);

/*
 * kimage_release() - What `uname -r` says in the guest, from the banner.
 *
 * Only printable characters, NUL-terminated. Return: 0; -ENOENT.
 */
int kimage_release(const struct kimage *k, char ret[KRELEASE_MAX]) _must_check_;

static inline uint16_t kload16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t kload32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t kload64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline size_t kalign(size_t v, size_t to)
{
	return (v + to - 1) & ~(to - 1);
}

#endif
