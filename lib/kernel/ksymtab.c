/* SPDX-License-Identifier: MIT */
#include "ksymtab.h"

#include <errno.h>
#include <stdbool.h>

#define NAME_MAX_LEN 512
#define ENTRIES_MIN  1000 /* 9,000 to 14,000 are seen */
#define ENTRIES_MAX  (1U << 17)
#define ANCHOR       "kfree"
#define ANCHORS_MAX  64 /* places where the anchor's name stands; 1 to 8 are seen */
#define PLACES_MAX \
	(1ULL << 28) /* looked at for an entry that has the anchor; an image of 60 MiB has 2^24 */
#define WORK_MAX (1ULL << 22) /* entries looked at, all in all; 14,000 for each that has it */

struct search {
	const struct kimage *k;
	uint64_t places, work; /* that may be looked at yet */
};

/* The name behind @gva: an identifier that ends. */
static const char *name_at(const struct kimage *k, gva_t gva)
{
	const char *s = kimage_at(k, gva, 1);
	size_t room, n = 0;

	if (!s)
		return NULL;
	room = (size_t)((const char *)k->data + k->size - s);
	while (n < room && n < NAME_MAX_LEN && s[n] > ' ' && s[n] < 0x7f)
		n++;
	return n && n < room && !s[n] ? s : NULL;
}

static bool entry(const struct kimage *k, size_t off, unsigned int stride, const char **ret_name,
		  gva_t *ret)
{
	const uint8_t *p = k->data + off;
	uint64_t at = k->base.v + off;
	gva_t name;

	if (off > k->size || stride > k->size - off)
		return false;
	if (stride == 16) {
		ret->v = kload64(p);
		name.v = kload64(p + 8);
	} else {
		ret->v = at + (uint64_t)(int64_t)(int32_t)kload32(p);
		name.v = at + 4 + (uint64_t)(int64_t)(int32_t)kload32(p + 4);
	}
	*ret_name = name_at(k, name);
	return *ret_name != NULL;
}

static bool next_entry(struct search *s, size_t off, unsigned int stride)
{
	const char *name;
	gva_t v;

	if (!s->work)
		return false;
	s->work--;
	return entry(s->k, off, stride, &name, &v);
}

/* Whole entries in both directions from the one at @off. */
static void extend(struct search *s, size_t off, unsigned int stride, struct ksymtab *ret)
{
	size_t end = off;

	*ret = (struct ksymtab){ .image = s->k, .stride = stride };
	while (ret->count < ENTRIES_MAX && next_entry(s, end, stride)) {
		end += stride;
		ret->count++;
	}
	while (ret->count < ENTRIES_MAX && off >= stride && next_entry(s, off - stride, stride)) {
		off -= stride;
		ret->count++;
	}
	ret->start = off;
}

static int find_entry(struct search *s, gva_t name, struct ksymtab *ret)
{
	static const unsigned int strides[] = { 12, 8, 16 };
	const struct kimage *k = s->k;

	for (size_t off = 0; off + 16 <= k->size; off += 4) {
		const uint8_t *p = k->data + off;
		uint64_t at = k->base.v + off + 4;

		if (!s->places--)
			return -E2BIG;
		if (at + (uint64_t)(int64_t)(int32_t)kload32(p + 4) != name.v &&
		    kload64(p + 8) != name.v)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(strides); i++) {
			extend(s, off, strides[i], ret);
			if (!s->work)
				return -E2BIG;
			if (ret->count >= ENTRIES_MIN)
				return 0;
		}
	}
	return -ENOENT;
}

int ksymtab_find(const struct kimage *k, struct ksymtab *ret)
{
	/* not its beginning: a linker lets the ends of longer names stand for shorter ones */
	static const char word[] = ANCHOR;
	const uint8_t *p = k->data, *end = k->data + k->size;
	struct search s = { k, PLACES_MAX, WORK_MAX };

	for (unsigned int i = 0; i < ANCHORS_MAX; i++) {
		int r;

		p = memmem(p, (size_t)(end - p), word, sizeof(word));
		if (!p)
			break;
		r = find_entry(&s, (gva_t){ k->base.v + (uint64_t)(p - k->data) }, ret);
		if (r != -ENOENT)
			return r;
		p++;
	}
	return -ENOENT;
}

int ksymtab_at(const struct ksymtab *t, size_t idx, const char **ret_name, gva_t *ret)
{
	const char *name;
	gva_t v;

	if (idx >= t->count || !entry(t->image, t->start + idx * t->stride, t->stride, &name, &v))
		return -EPROTO;
	*ret_name = name;
	*ret = v;
	return 0;
}

int ksymtab_lookup(const struct ksymtab *t, const char *name, gva_t *ret)
{
	const char *n;
	gva_t v;

	for (size_t i = 0; i < t->count; i++)
		if (!ksymtab_at(t, i, &n, &v) && !strcmp(n, name)) {
			*ret = v;
			return 0;
		}
	return -ENOENT;
}
