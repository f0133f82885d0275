/* SPDX-License-Identifier: MIT */
/* sites.h - programs in memory, not to be run, and their system call sites. */
#ifndef TESTS_SITES_H
#define TESTS_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "patch.h"

/* An executable segment of a program, which lies where it would run. */
struct sites_segment {
	const uint8_t *bytes;
	size_t size;
	uint64_t addr;
};

struct sites_image {
	void *map; /* all of it, readable, writable and executable; data has its place as well */
	size_t size;
	struct sites_segment seg[4];
	size_t n;
};

/*
 * sites_load() - Maps an ELF program: an executable at its own address, others at @base.
 *
 * Return: 0 or -errno; -ENOEXEC if it is not an x86-64 program.
 */
int sites_load(const char *path, uint64_t base, struct sites_image *ret);
void sites_unload(struct sites_image *image);

/* The next syscall instruction at or behind *off that decoding comes by. false: there is none. */
bool sites_next(const struct sites_segment *seg, size_t *off);

/*
 * sites_plan() - patch_plan() as a kernel would use it: with little code, and with all if that does not do.
 */
enum patch_result sites_plan(const struct sites_segment *seg, size_t off, unsigned int skip,
			     struct patch_plan *ret_plan);

#endif
