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

size_t kallsyms_lookup(const struct kallsyms *s, struct ksym_want *want, size_t n)
{
	struct kallsyms_iter i = { 0 };
	struct ksym sym;
	size_t found = 0;

	for (size_t k = 0; k < n; k++)
		want[k].addr.v = 0;
	while (found < n && kallsyms_next(s, &i, &sym) == 1)
		for (size_t k = 0; k < n; k++)
			if (!want[k].addr.v && sym.addr.v && !strcmp(want[k].name, sym.name)) {
				want[k].addr = sym.addr;
				found++;
			}
	return found;
}
