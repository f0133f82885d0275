/* SPDX-License-Identifier: MIT */
#include "kallsyms.h"

#include <errno.h>

bool kallsyms_name(const struct kimage *k, size_t *off, size_t end, struct kallsyms_tokens *ret)
{
	size_t at = *off, n;

	if (at >= end)
		return false;
	n = k->data[at++];
	if (n & 0x80) {
		if (at >= end)
			return false;
		n = (n & 0x7f) | (size_t)k->data[at++] << 7;
	}
	if (!n || n > end - at)
		return false;
	*ret = (struct kallsyms_tokens){ k->data + at, n };
	*off = at + n;
	return true;
}

gva_t kallsyms_address(const struct kallsyms *s, uint32_t idx)
{
	size_t at = s->offsets + (size_t)idx * 4;
	uint32_t raw = kload32(s->image->data + at);
	int64_t off = (int32_t)raw;

	switch (s->kind) {
	case KALLSYMS_SIGNED:
		return (gva_t){ off >= 0 ? (uint64_t)off : s->base - 1 - (uint64_t)off };
	case KALLSYMS_OFFSETS:
		return (gva_t){ s->base + raw };
	default:
		return (gva_t){ s->image->base.v + at + (uint64_t)off };
	}
}

/* The string of a token: kallsyms_find() saw that it ends before the index begins. */
static const char *token(const struct kallsyms *s, uint8_t t)
{
	const uint8_t *d = s->image->data;

	return (const char *)d + s->token_table + kload16(d + s->token_index + (size_t)t * 2);
}

int kallsyms_next(const struct kallsyms *s, struct kallsyms_iter *i, struct ksym *ret)
{
	size_t off = s->names + i->off, len = 0;
	struct kallsyms_tokens t;
	bool first = true;

	if (i->idx >= s->count)
		return 0;
	if (!kallsyms_name(s->image, &off, s->names_end, &t))
		return -EPROTO;
	for (size_t k = 0; k < t.n; k++)
		for (const char *c = token(s, t.p[k]); *c; c++) {
			if (first)
				ret->type = *c;
			else if (len < sizeof(ret->name) - 1)
				ret->name[len++] = *c;
			first = false;
		}
	if (first)
		return -EPROTO;
	ret->name[len] = '\0';
	ret->addr = kallsyms_address(s, i->idx);
	i->idx++;
	i->off = off - s->names;
	return 1;
}

/*
 * Most names are none of those that are looked for, and need not be put together to see that: their length and
 * their last token are enough.
 */
struct sieve {
	uint8_t length[256], last[256]; /* of the tokens: their lengths and last characters */
	uint64_t wanted[KSYM_NAME_MAX + 1][4]; /* by length: which last characters */
};

static void sieve_init(const struct kallsyms *s, const struct ksym_want *want, size_t n,
		       struct sieve *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned int t = 0; t < 256; t++) {
		const char *c = token(s, (uint8_t)t);
		size_t len = strnlen(c, UINT8_MAX);

		ret->length[t] = (uint8_t)len;
		ret->last[t] = len ? (uint8_t)c[len - 1] : 0;
	}
	for (size_t k = 0; k < n; k++) {
		size_t len = strnlen(want[k].name, KSYM_NAME_MAX);
		uint8_t last = len ? (uint8_t)want[k].name[len - 1] : 0;

		ret->wanted[len][last >> 6] |= 1ULL << (last & 63);
	}
}

/* Can a name of these tokens, the first character of which is its type, be one that is looked for? */
static bool passes(const struct sieve *f, struct kallsyms_tokens t)
{
	size_t len = 0;
	uint8_t last;

	for (size_t k = 0; k < t.n; k++)
		len += f->length[t.p[k]];
	last = f->last[t.p[t.n - 1]];
	return len && len - 1 < KSYM_NAME_MAX && f->wanted[len - 1][last >> 6] >> (last & 63) & 1;
}

static size_t take(const struct ksym *sym, struct ksym_want *want, size_t n)
{
	size_t found = 0;

	for (size_t k = 0; k < n; k++)
		if (!want[k].addr.v && sym->addr.v && !strcmp(want[k].name, sym->name)) {
			want[k].addr = sym->addr;
			found++;
		}
	return found;
}

size_t kallsyms_lookup(const struct kallsyms *s, struct ksym_want *want, size_t n)
{
	struct kallsyms_iter i = { 0 };
	struct kallsyms_tokens t;
	struct sieve sieve;
	struct ksym sym;
	size_t found = 0;

	for (size_t k = 0; k < n; k++)
		want[k].addr.v = 0;
	sieve_init(s, want, n, &sieve);
	while (found < n && i.idx < s->count) {
		size_t off = s->names + i.off;

		if (!kallsyms_name(s->image, &off, s->names_end, &t))
			break;
		if (passes(&sieve, t)) {
			if (kallsyms_next(s, &i, &sym) != 1)
				break;
			found += take(&sym, want, n);
		} else {
			i.idx++;
			i.off = off - s->names;
		}
	}
	return found;
}

gva_t kallsyms_behind(const struct kallsyms *s, gva_t addr)
{
	uint32_t least = 0, most = s->count;

	/* kallsyms_find() saw that they ascend */
	while (least < most) {
		uint32_t middle = least + (most - least) / 2;

		if (kallsyms_address(s, middle).v > addr.v)
			most = middle;
		else
			least = middle + 1;
	}
	return least < s->count ? kallsyms_address(s, least) : (gva_t){ 0 };
}
