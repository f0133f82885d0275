/* SPDX-License-Identifier: MIT */
#include "gmem.h"

#include <errno.h>

size_t gmem_at(const struct gmem *g, gpa_t gpa, size_t len, void **ret_p)
{
	for (size_t i = 0; i < g->nregions; i++) {
		const struct gmem_region *r = &g->region[i];
		uint64_t off = gpa.v - r->base.v; /* wraps to a huge value below base */

		if (off >= r->size)
			continue;
		*ret_p = r->hva + off;
		return len <= r->size - off ? len : (size_t)(r->size - off);
	}
	return 0;
}

int gmem_read(const struct gmem *g, gpa_t gpa, void *dst, size_t len)
{
	uint8_t *out = dst;
	void *p;

	while (len) {
		size_t n = gmem_at(g, gpa, len, &p);

		if (!n)
			return -EFAULT;
		gmem_copy(out, p, n);
		out += n;
		gpa.v += n;
		len -= n;
	}
	return 0;
}

int gmem_write(const struct gmem *g, gpa_t gpa, const void *src, size_t len)
{
	const uint8_t *in = src;
	void *p;

	while (len) {
		size_t n = gmem_at(g, gpa, len, &p);

		if (!n)
			return -EFAULT;
		gmem_copy(p, in, n);
		in += n;
		gpa.v += n;
		len -= n;
	}
	return 0;
}
