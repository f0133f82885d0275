/* SPDX-License-Identifier: MIT */
#include "kimage.h"

#include <errno.h>
#include <stdbool.h>

#define STEP    (2ULL << 20)
#define GAP_MAX (32ULL << 20) /* the memory of __init, at most */
#define READS   2000000       /* the whole area in pages of 4 KiB takes four times 262,144 */

int kimage_find(const struct pt *t, gva_t entry, struct krange *ret)
{
	uint64_t reads = READS, start = 0, end = 0;
	gva_t at = { KIMAGE_AREA };
	struct pt_page p;
	int r;

	if (entry.v < KIMAGE_AREA || entry.v >= KIMAGE_AREA_END || pt_walk(t, entry, &p) < 0)
		return -ENOENT;
	while ((r = pt_next(t, at, (gva_t){ KIMAGE_AREA_END }, &reads, &p)) == 1) {
		uint64_t from = p.gva.v < KIMAGE_AREA ? KIMAGE_AREA : p.gva.v;

		if (end && from - end > GAP_MAX) {
			if (entry.v < end)
				break;
			end = 0;
		}
		if (!end)
			start = from;
		end = p.gva.v + p.size;
		at.v = end;
	}
	if (r < 0)
		return r;
	if (end > KIMAGE_AREA_END)
		end = KIMAGE_AREA_END;
	start &= ~(STEP - 1);
	if (entry.v < start || entry.v >= end)
		return -ENOENT;
	if (end - start > KIMAGE_SIZE_MAX)
		return -E2BIG;
	*ret = (struct krange){ { start }, { end } };
	return 0;
}

const void *kimage_at(const struct kimage *k, gva_t gva, size_t len)
{
	uint64_t off = gva.v - k->base.v; /* wraps to a huge value below base */

	if (off > k->size || len > k->size - off)
		return NULL;
	return k->data + off;
}

static bool release_char(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

int kimage_release(const struct kimage *k, char ret[KRELEASE_MAX])
{
	static const char word[] = "Linux version ";
	const size_t n = sizeof(word) - 1;
	const uint8_t *p = k->data, *end = k->data + k->size;

	while ((p = memmem(p, (size_t)(end - p), word, n))) {
		size_t len = 0;

		p += n;
		while (p + len < end && len < KRELEASE_MAX && release_char(p[len]))
			len++;
		/* linux_proc_banner and messages have a format there */
		if (len < 3 || len == KRELEASE_MAX || p[0] < '0' || p[0] > '9' || p + len == end ||
		    p[len] != ' ')
			continue;
		memcpy(ret, p, len);
		ret[len] = '\0';
		return 0;
	}
	return -ENOENT;
}
