/* SPDX-License-Identifier: MIT */
/*
 * side_place.h - where in a guest's memory there is room: physical addresses that nothing has, entries of page
 * tables that nothing is in.
 *
 * No I/O of its own, no allocation.
 */
#ifndef SIDELOAD_SIDE_PLACE_H
#define SIDELOAD_SIDE_PLACE_H

#include "kimage.h"

#define SIDE_ENTRIES_MAX 23 /* of 2 MiB each: code, state, program, disk, doorbell */
#define SIDE_TAKEN_MAX   512

/* Both ends are taken. */
struct side_taken {
	uint64_t start, end;
};

/*
 * side_place_physical() - The highest multiple of 2 MiB with @size bytes that are below @below and not @taken.
 *
 * Return: 0; -ENOSPC.
 */
int side_place_physical(const struct side_taken *taken, size_t n, uint64_t below, uint64_t size,
			gpa_t *ret) _must_check_;

struct side_entries {
	gva_t at;                    /* what the first one maps */
	gpa_t gpa[SIDE_ENTRIES_MAX]; /* where they are */
	size_t n;
};

/*
 * side_place_virtual() - @n entries of level 2 in a row that are zero, behind the kernel's image and with its rights of way.
 *
 * What is between the image and them stays unmapped. Return: 0; -ENOSPC; -EPROTO, or what the accessor gave.
 */
int side_place_virtual(const struct pt *t, struct krange image, size_t n, struct side_entries *ret)
	_must_check_;

#endif
