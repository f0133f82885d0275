/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kallsyms.h"

#define TOKENS       256
#define INDEX_SIZE   (TOKENS * 2)
#define TOKEN_MAX    128 /* what one token stands for; 20 to 40 characters are seen */
#define COUNT_MIN    1000
#define COUNT_MAX    (1U << 20)  /* 200,000 are seen */
#define NAMES_MAX    (32U << 20) /* of names, markers and sequence numbers; 4 MiB are seen */
#define PER_MARKER   256
#define NAMES_BUDGET (1U << 25)    /* names looked at, all in all; 500,000 are seen */
#define INDEXES_MAX  64            /* things that look like a token_index; 1 to 3 are seen */
#define OUTSIDE_MAX  (64ULL << 20) /* a symbol outside of the image: given back, or no constant */

struct search {
	const struct kimage *k;
	uint64_t budget;
	uint32_t least, most; /* what num_syms can be */
};

static bool ascends(const uint8_t *index)
{
	uint16_t last = kload16(index);

	if (last)
		return false;
	for (size_t i = 1; i < TOKENS; i++) {
		uint16_t v = kload16(index + i * 2);

		if (v <= last || v - last > TOKEN_MAX)
			return false;
		last = v;
	}
	return true;
}

/* Does each token of a table at @table end where the next one begins, and the last before @index? */
static bool tokens_fit(const struct kimage *k, size_t table, size_t index)
{
	const uint8_t *x = k->data + index;
	size_t last = table + kload16(x + INDEX_SIZE - 2);

	for (size_t i = 1; i < TOKENS; i++)
		if (k->data[table + kload16(x + i * 2) - 1])
			return false;
	return last < index && memchr(k->data + last, 0, index - last);
}

/* The table stands before its index. */
static bool find_table(const struct kimage *k, size_t index, size_t *ret)
{
	size_t least = kload16(k->data + index + INDEX_SIZE - 2) + 1U;

	for (size_t back = kalign(least, 4); back <= least + TOKEN_MAX; back += 4) {
		if (back >= index)
			return false;
		if (tokens_fit(k, index - back, index)) {
			*ret = index - back;
			return true;
		}
	}
	return false;
}

/* Walk @s->count names from @s->names on; if @markers is not 0, compare with those. Sets names_end. */
static int walk_names(struct search *f, struct kallsyms *s, size_t markers)
{
	size_t off = s->names;
	struct kallsyms_tokens t;

	for (uint32_t i = 0; i < s->count; i++) {
		if (!f->budget--)
			return -E2BIG;
		if (markers && i % PER_MARKER == 0 &&
		    kload32(f->k->data + markers + (size_t)i / PER_MARKER * 4) != off - s->names)
			return -ENOENT;
		if (!kallsyms_name(f->k, &off, s->token_table, &t))
			return -ENOENT;
	}
	s->names_end = off;
	return 0;
}

/* Is there a num_syms at @at that everything up to the token table fits to? */
static int try_count(struct search *f, size_t at, struct kallsyms *s)
{
	const uint8_t *d = f->k->data;
	size_t markers, end;
	int r;

	s->count = kload32(d + at);
	s->names = at + s->align;
	if (s->count < f->least || s->count > f->most || (s->align == 8 && kload32(d + at + 4)))
		return -ENOENT;
	r = walk_names(f, s, 0);
	if (r < 0)
		return r;
	markers = kalign(s->names_end, s->align);
	end = kalign(markers + ((size_t)s->count + PER_MARKER - 1) / PER_MARKER * 4, s->align);
	/* 6.2, and those to which it was brought, have seqs_of_names between the two */
	if (end != s->token_table && kalign(end + (size_t)s->count * 3, s->align) != s->token_table)
		return -ENOENT;
	return walk_names(f, s, markers);
}

/* Do the addresses ascend, and lie in the image or a little around it? */
static bool plausible(const struct kallsyms *s)
{
	uint64_t start = s->image->base.v - OUTSIDE_MAX, room = s->image->size + 2 * OUTSIDE_MAX,
		 last = 0;
	size_t inside = 0;

	if (s->offsets > s->image->size || (size_t)s->count * 4 > s->image->size - s->offsets)
		return false;
	for (uint32_t i = 0; i < s->count; i++) {
		gva_t a = kallsyms_address(s, i);

		if (a.v < last)
			return false;
		last = a.v;
		inside += a.v - start < room;
		/* absolute ones, such as those of per-processor data, come first */
		if (a.v - start >= room && (s->kind != KALLSYMS_SIGNED || a.v >= KIMAGE_AREA))
			return false;
	}
	return inside > s->count / 2;
}

static bool try_addresses(struct kallsyms *s, enum kallsyms_addresses kind, size_t offsets,
			  size_t base)
{
	const struct kimage *k = s->image;

	if (kind != KALLSYMS_PLACES) {
		if (base > k->size || k->size - base < 8)
			return false;
		s->base = kload64(k->data + base);
	}
	s->kind = kind;
	s->offsets = offsets;
	return plausible(s);
}

static int find_addresses(struct kallsyms *s)
{
	size_t after = kalign(s->token_index + INDEX_SIZE, s->align),
	       size = kalign((size_t)s->count * 4, 8);
	size_t base =
		s->names - 16; /* relative_base is before num_syms, the names are 8 behind that */

	if (s->align == 8 && s->names >= 16 && base >= size &&
	    (try_addresses(s, KALLSYMS_SIGNED, base - size, base) ||
	     try_addresses(s, KALLSYMS_OFFSETS, base - size, base)))
		return 0;
	base = kalign(after + (size_t)s->count * 4, 8);
	if (try_addresses(s, KALLSYMS_SIGNED, after, base) ||
	    try_addresses(s, KALLSYMS_OFFSETS, after, base) ||
	    try_addresses(s, KALLSYMS_PLACES, after, 0))
		return 0;
	return -ENOENT;
}

/* The arrays before the token table, each at a multiple of @s->align. */
static int try_align(struct search *f, struct kallsyms *s)
{
	size_t lowest = s->token_table > NAMES_MAX ? s->token_table - NAMES_MAX : 0;

	for (size_t at = s->token_table; at >= lowest + s->align; at -= s->align) {
		int r = try_count(f, at - s->align, s);

		if (r == -ENOENT)
			continue;
		return r < 0 ? r : find_addresses(s);
	}
	return -ENOENT;
}

/*
 * Where arrays are at multiples of 4, one number in a thousand could be a num_syms. But there the markers
 * end at the token table; how many there are tells it but for 256.
 */
static bool narrow(struct search *f, size_t token_table)
{
	const uint8_t *d = f->k->data;
	size_t at = token_table, n = 0;

	while (at >= 8 && n < COUNT_MAX / PER_MARKER && kload32(d + at - 4) > kload32(d + at - 8)) {
		at -= 4;
		n++;
	}
	if (at < 4 || kload32(d + at - 4) || !n)
		return false;
	f->least = (uint32_t)n * PER_MARKER + 1;
	f->most = f->least + PER_MARKER - 1;
	return f->least >= COUNT_MIN;
}

/* The arrays around a token_index that is one. */
static int try_index(struct search *f, size_t index, struct kallsyms *s)
{
	int r;

	*s = (struct kallsyms){ .image = f->k, .token_index = index, .align = 8 };
	if (!find_table(f->k, index, &s->token_table))
		return -ENOENT;
	f->least = COUNT_MIN;
	f->most = COUNT_MAX;
	r = s->token_table % 8 ? -ENOENT : try_align(f, s);
	if (r != -ENOENT || !narrow(f, s->token_table))
		return r;
	s->align = 4;
	return try_align(f, s);
}

int kallsyms_find(const struct kimage *k, struct kallsyms *ret)
{
	struct search f = { .k = k, .budget = NAMES_BUDGET };
	unsigned int indexes = 0;
	struct kallsyms s;

	for (size_t at = 0; at + INDEX_SIZE <= k->size; at += 4) {
		int r;

		if (kload16(k->data + at) || !ascends(k->data + at))
			continue;
		if (++indexes > INDEXES_MAX)
			return -E2BIG;
		r = try_index(&f, at, &s);
		if (r == -ENOENT)
			continue;
		if (!r)
			*ret = s;
		return r;
	}
	return -ENOENT;
}
