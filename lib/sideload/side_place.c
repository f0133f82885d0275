/* SPDX-License-Identifier: MIT */
#include "side_place.h"

#include <errno.h>

#define LARGE (2ULL << 20)
#define REACH (256ULL << 20) /* how far behind the image */

/* One that has a byte in [@from, @from + @size). */
static const struct side_taken *find_taken(const struct side_taken *taken, size_t n, uint64_t from,
					   uint64_t size)
{
	for (size_t i = 0; i < n; i++)
		if (taken[i].start < from + size && taken[i].end >= from)
			return &taken[i];
	return NULL;
}

int side_place_physical(const struct side_taken *taken, size_t n, uint64_t below, uint64_t size,
			gpa_t *ret)
{
	/* each step ends below one of @taken that was not passed yet */
	for (size_t i = 0; i <= n && size && size <= below; i++) {
		uint64_t at = (below - size) & ~(LARGE - 1);
		const struct side_taken *t = find_taken(taken, n, at, size);

		if (!t) {
			if (!at)
				break;
			ret->v = at;
			return 0;
		}
		below = t->start;
	}
	return -ENOSPC;
}

/* Return: 1 if all are zero; 0 not, and *@ret->n is how many were; -errno. */
static int try_at(const struct pt *t, gva_t at, size_t n, struct side_entries *ret)
{
	ret->at = at;
	for (ret->n = 0; ret->n < n; ret->n++) {
		uint64_t entry = 0;
		int r = pt_entry(t, (gva_t){ at.v + ret->n * LARGE }, 2, &ret->gpa[ret->n], &entry);

		if (r < 0)
			return r;
		if (entry)
			return 0;
	}
	return 1;
}

int side_place_virtual(const struct pt *t, struct krange image, size_t n, struct side_entries *ret)
{
	/* one entry stays free: what runs over the end of the image faults, as before */
	uint64_t at = ((image.end.v + LARGE - 1) & ~(LARGE - 1)) + LARGE, end = at + REACH;

	if (end > KIMAGE_AREA_END)
		end = KIMAGE_AREA_END;
	while (n && n <= SIDE_ENTRIES_MAX && at <= end && n * LARGE <= end - at) {
		int r = try_at(t, (gva_t){ at }, n, ret);

		if (r)
			return r < 0 ? r : 0;
		at += (ret->n + 1) * LARGE;
	}
	return -ENOSPC;
}
