/* SPDX-License-Identifier: MIT */
#include "kcode.h"

#include "insn.h"
#include "kimage.h"

#define GS_PREFIX 0x65

bool kcode_has(const struct kcode_refs *r, uint64_t to)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->to[i] == to)
			return true;
	return false;
}

static uint64_t extended(const uint8_t *p)
{
	return (uint64_t)(int64_t)(int32_t)kload32(p);
}

void kcode_scan(const uint8_t *code, size_t size, gva_t at, uint64_t least, uint64_t end,
		struct kcode_refs *ret)
{
	/* 4 bytes at the end, or with an immediate of 1 or 4 behind them */
	static const size_t behind[] = { 4, 5, 8 };
	struct patch_insn insn;
	size_t off = 0, len;

	ret->n = 0;
	while (off < size && (len = patch_decode(code + off, size - off, &insn))) {
		const uint8_t *p = code + off;
		uint64_t found[ARRAY_SIZE(behind) + 1];
		size_t n = 0;

		off += len;
		if (insn.rel_len || *p == GS_PREFIX)
			continue;
		if (insn.rip_off)
			found[n++] = at.v + off + extended(p + insn.rip_off);
		for (size_t i = 0; i < ARRAY_SIZE(behind); i++)
			if (len > behind[i] && len - behind[i] != insn.rip_off)
				found[n++] = extended(p + len - behind[i]);
		for (size_t i = 0; i < n && ret->n < KCODE_REFS_MAX; i++)
			if (found[i] >= least && found[i] < end && !kcode_has(ret, found[i]))
				ret->to[ret->n++] = found[i];
	}
}

int kcode_read(const struct gview *v, gva_t from, gva_t to, uint64_t least, uint64_t end,
	       struct kcode_refs *ret)
{
	uint8_t code[KCODE_BYTES_MAX];
	uint64_t size = to.v > from.v ? to.v - from.v : 0;
	int r;

	ret->n = 0;
	if (size > sizeof(code))
		size = sizeof(code);
	r = gview_read(v, from, code, (size_t)size);
	if (!r)
		kcode_scan(code, (size_t)size, from, least, end, ret);
	return r;
}
