/* SPDX-License-Identifier: MIT */
/* Page tables: control bits and an address, then the guest's memory, in which every table is the fuzzer's. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "pt.h"

#define READS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ram {
	const uint8_t *data;
	size_t size;
};

static int read_ram(void *arg, gpa_t gpa, uint64_t *ret)
{
	const struct ram *m = arg;

	assert(gpa.v % 8 == 0);
	if (gpa.v >= m->size || m->size - gpa.v < 8)
		return -EIO;
	memcpy(ret, m->data + gpa.v, 8);
	return 0;
}

static void check(const struct pt *t, gva_t gva)
{
	struct pt_page p;
	gpa_t gpa;

	if (pt_walk(t, gva, &p) < 0) {
		assert(pt_translate(t, gva, &gpa) < 0);
		return;
	}
	assert(p.size == 1ULL << 12 || p.size == 1ULL << 21 || p.size == 1ULL << 30);
	assert(gva.v - p.gva.v < p.size && !(p.gpa.v % p.size) && !(p.gpa.v >> 52));
	assert(!pt_translate(t, gva, &gpa) && gpa.v - p.gpa.v == gva.v - p.gva.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt_regs_cr cr = { 1ULL << 31, 0, 1 << 5, 1 << 10 };
	struct ram m = { data + 17, size < 17 ? 0 : size - 17 };
	uint64_t v[2], reads = READS;
	struct pt_page p;
	struct pt t;
	int r;

	if (size < 17)
		return 0;
	memcpy(v, data + 1, sizeof(v));
	cr.cr3 = v[0];
	cr.cr4 |= data[0] & 1 ? 1 << 12 : 0;
	if (pt_init(&t, &cr, read_ram, &m) < 0)
		return 0;
	check(&t, (gva_t){ v[1] });
	for (gva_t at = { v[1] }; (r = pt_next(&t, at, (gva_t){ UINT64_MAX }, &reads, &p)) == 1;) {
		assert(p.gva.v + (p.size - 1) >= at.v && reads < READS);
		check(&t, p.gva);
		at.v = p.gva.v + p.size;
		if (!at.v)
			break;
	}
	assert(r == 1 || r == 0 || r == -E2BIG);
	return 0;
}
