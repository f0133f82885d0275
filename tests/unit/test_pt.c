/* SPDX-License-Identifier: MIT */
/* Page tables of a guest: sizes, rights, both depths, and tables that no kernel would make. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compiler.h"
#include "pt.h"

#define P  1ULL
#define W  2ULL
#define U  4ULL
#define PS 0x80ULL
#define NX (1ULL << 63)

/* Tables at guest-physical 0, 4096, ...; what lies behind them can't be read. */
struct ram {
	uint64_t table[4][512];
	unsigned int reads;
};

static int read_ram(void *arg, gpa_t gpa, uint64_t *ret)
{
	struct ram *m = arg;

	m->reads++;
	assert_int_equal(gpa.v % 8, 0);
	if (gpa.v >= sizeof(m->table))
		return -EIO;
	*ret = m->table[gpa.v / 4096][gpa.v % 4096 / 8];
	return 0;
}

static struct pt tables(struct ram *m, bool la57)
{
	struct pt_regs_cr cr = { 1ULL << 31, 0x18, 1ULL << 5 | (la57 ? 1ULL << 12 : 0),
				 1ULL << 10 };
	struct pt t;

	memset(m, 0, sizeof(*m));
	assert_int_equal(pt_init(&t, &cr, read_ram, m), 0);
	assert_int_equal(t.root.v, 0); /* the low bits of CR3 are no address */
	return t;
}

static void test_sizes(void **state)
{
	struct pt_page p;
	struct ram m;
	struct pt t = tables(&m, false);
	gpa_t at;

	(void)state;
	m.table[0][511] = 0x1000 | P | W | U;
	m.table[1][510] = 0x2000 | P | W;
	m.table[1][511] = 0x4000000000 | P | PS | NX;
	m.table[2][8] = 0x3000 | P;
	m.table[2][9] = 0x7fe00000 | P | W | PS | 0x1000; /* the memory type's bit */
	m.table[3][511] = 0x123456000 | P | W | NX;

	assert_int_equal(pt_walk(&t, (gva_t){ 0xffffffff811ff123 }, &p), 0);
	assert_int_equal(p.size, 4096);
	assert_int_equal(p.gpa.v, 0x123456000);
	assert_int_equal(p.gva.v, 0xffffffff811ff000);
	assert_false(p.write || p.user || p.exec);
	assert_int_equal(pt_translate(&t, (gva_t){ 0xffffffff811ff123 }, &at), 0);
	assert_int_equal(at.v, 0x123456123);

	assert_int_equal(pt_walk(&t, (gva_t){ 0xffffffff81312345 }, &p), 0);
	assert_int_equal(p.size, 2 << 20);
	assert_int_equal(p.gpa.v, 0x7fe00000);
	assert_true(p.write && p.exec);
	assert_int_equal(pt_translate(&t, (gva_t){ 0xffffffffffffffff }, &at), 0);
	assert_int_equal(at.v, 0x403fffffff);
	assert_int_equal(pt_walk(&t, (gva_t){ 0xffffffff81000000 }, &p), -EFAULT);
	assert_int_equal(pt_walk(&t, (gva_t){ 0 }, &p), -EFAULT);
}

static void test_five_levels(void **state)
{
	struct ram m;
	struct pt t = tables(&m, true);
	struct pt_page p;

	(void)state;
	assert_int_equal(t.levels, 5);
	m.table[0][511] = 0x1000 | P;
	m.table[1][511] = 0x2000 | P;
	m.table[2][510] = 0x40000000 | P | PS;
	assert_int_equal(pt_walk(&t, (gva_t){ 0xffffffff80000000 }, &p), 0);
	assert_int_equal(p.gpa.v, 0x40000000);
	assert_int_equal(p.size, 1 << 30);
	assert_int_equal(pt_walk(&t, (gva_t){ 0x7f00000000000000 }, &p),
			 -EFAULT); /* not canonical */
}

static void test_bad(void **state)
{
	static const struct {
		gva_t gva;
		int want;
	} bad[] = {
		{ { 0x0000000000000000 }, -EPROTO }, /* a large page of 512 GiB */
		{ { 0x0000008000000000 }, -EIO },    /* a table outside of memory */
		{ { 0x0000800000000000 }, -EFAULT }, /* not canonical: first, last */
		{ { 0xffff7fffffffffff }, -EFAULT },
	};
	struct ram m;
	struct pt t = tables(&m, false);
	struct pt_page p;

	(void)state;
	m.table[0][0] = P | PS;
	m.table[0][1] = 0x8000 | P;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pt_walk(&t, bad[i].gva, &p), bad[i].want);
	/* a root that is its own table at every level ends after four reads */
	m.table[0][0] = P;
	m.reads = 0;
	assert_int_equal(pt_walk(&t, (gva_t){ 0 }, &p), 0);
	assert_int_equal(p.gpa.v, 0);
	assert_int_equal(m.reads, 4);
}

static void test_no_paging(void **state)
{
	static const struct pt_regs_cr bad[] = {
		{ 0 },
		{ .cr0 = 1, .cr4 = 1 << 5, .efer = 1 << 10 },
		{ .cr0 = 1ULL << 31, .efer = 1 << 10 },
		{ .cr0 = 1ULL << 31, .cr4 = 1 << 5, .efer = 1 << 8 },
	};
	struct pt t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pt_init(&t, &bad[i], read_ram, NULL), -ENOTSUP);
}

static void test_next(void **state)
{
	uint64_t reads = 10000;
	struct pt_page p;
	struct ram m;
	struct pt t = tables(&m, false);

	(void)state;
	m.table[0][511] = 0x1000 | P;
	m.table[1][510] = 0x2000 | P;
	m.table[2][3] = 0x200000 | P | PS;
	m.table[2][5] = 0x3000 | P;
	m.table[3][7] = 0x400000 | P;
	/* from below the hole in the middle */
	assert_int_equal(pt_next(&t, (gva_t){ 0x7fff00000000 }, (gva_t){ UINT64_MAX }, &reads, &p),
			 1);
	assert_int_equal(p.gva.v, 0xffffffff80600000);
	assert_int_equal(
		pt_next(&t, (gva_t){ p.gva.v + p.size }, (gva_t){ UINT64_MAX }, &reads, &p), 1);
	assert_int_equal(p.gva.v, 0xffffffff80a07000);
	assert_int_equal(p.size, 4096);
	assert_int_equal(
		pt_next(&t, (gva_t){ p.gva.v + p.size }, (gva_t){ 0xffffffffc0000000 }, &reads, &p),
		0);
	assert_int_equal(
		pt_next(&t, (gva_t){ p.gva.v + p.size }, (gva_t){ UINT64_MAX }, &reads, &p), 0);
	/* one past */
	assert_int_equal(pt_next(&t, (gva_t){ 0xffffffff80000000 }, (gva_t){ 0xffffffff80600000 },
				 &reads, &p),
			 0);
	assert_int_equal(pt_next(&t, (gva_t){ 0xffffffff80000000 }, (gva_t){ 0xffffffff80600001 },
				 &reads, &p),
			 1);
	reads = 5;
	assert_int_equal(
		pt_next(&t, (gva_t){ 0xffffffff80000000 }, (gva_t){ UINT64_MAX }, &reads, &p),
		-E2BIG);
	assert_int_equal(reads, 0);
}

/* Entries of each level, also those that are not present; what is above must be tables. */
static void test_entry(void **state)
{
	const gva_t gva = { 0xffffffff81312345 };
	uint64_t entry = 7;
	struct ram m;
	struct pt t = tables(&m, false);
	gpa_t at = { 7 };

	(void)state;
	assert_int_equal(pt_entry(&t, gva, 4, &at, &entry), 0);
	assert_int_equal(at.v, 511 * 8);
	assert_int_equal(entry, 0);
	assert_int_equal(pt_entry(&t, gva, 3, &at, &entry), -EFAULT);
	m.table[0][511] = 0x1000 | P;
	m.table[1][510] = 0x2000 | P;
	assert_int_equal(pt_entry(&t, gva, 2, &at, &entry), 0);
	assert_int_equal(at.v, 0x2000 + 9 * 8);
	assert_int_equal(entry, 0);
	m.table[2][9] = pt_make_large((gpa_t){ 0x7fe00000 }, true, false);
	assert_int_equal(pt_entry(&t, gva, 2, &at, &entry), 0);
	assert_int_equal(entry, 0x7fe00000 | P | W | PS | 0x60 | NX);
	assert_int_equal(pt_make_large((gpa_t){ 0x7fe00000 }, false, true),
			 0x7fe00000 | P | PS | 0x60);
	/* below a page there is no table */
	assert_int_equal(pt_entry(&t, gva, 1, &at, &entry), -EFAULT);
	m.table[2][9] = 0x3000 | P;
	m.table[3][274] = 5;
	assert_int_equal(pt_entry(&t, (gva_t){ 0xffffffff81312345 }, 1, &at, &entry), 0);
	assert_int_equal(at.v, 0x3000 + 274 * 8);
	assert_int_equal(entry, 5);
	m.table[0][511] |= PS;
	assert_int_equal(pt_entry(&t, gva, 2, &at, &entry), -EPROTO);
	m.table[0][511] = 0x900000 | P;
	assert_int_equal(pt_entry(&t, gva, 2, &at, &entry), -EIO);
	assert_int_equal(pt_entry(&t, (gva_t){ 0x8000000000000000 }, 4, &at, &entry), -EFAULT);
}

/* The tables that a processor had have become something else: its kernel's own are found without them. */
static void test_take(void **state)
{
	const gva_t entry = { 0xffffffff81312080 }, own = { 0xffffffff81201000 };
	const gpa_t entry_at = { 0x112080 };
	struct ram m;
	struct pt t = tables(&m, false);
	gpa_t at;

	(void)state;
	memset(m.table[0], 0xff, sizeof(m.table[0]));
	m.table[1][511] = 0x2000 | P;
	m.table[2][510] = 0x3000 | P;
	m.table[3][9] = 0x0 | P | PS; /* 0xffffffff81200000 is at 0 */
	assert_int_equal(pt_take(&t, own, entry, entry_at), 0);
	assert_int_equal(t.root.v, 0x1000);
	assert_int_equal(pt_translate(&t, entry, &at), 0);
	assert_int_equal(at.v, entry_at.v);
	/* nothing is taken that does not lead to both */
	t.root.v = 0;
	assert_int_equal(pt_take(&t, (gva_t){ own.v + 0x1000 }, entry, entry_at), -ENOENT);
	assert_int_equal(pt_take(&t, (gva_t){ own.v + 8 }, entry, entry_at), -ENOENT);
	assert_int_equal(pt_take(&t, own, entry, (gpa_t){ entry_at.v + 0x2000 }), -ENOENT);
	assert_int_equal(pt_take(&t, (gva_t){ own.v + 0x40000000 }, entry, entry_at), -ENOENT);
	assert_int_equal(t.root.v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_five_levels),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_no_paging),
		cmocka_unit_test(test_next),  cmocka_unit_test(test_entry),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests_name("pt", tests, NULL, NULL);
}
