/* SPDX-License-Identifier: MIT */
/* A guest kernel's tables, made here in each of the layouts that kernels have, and broken in all the ways we could think of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kallsyms.h"
#include "ksymtab.h"

#define BASE  0xffffffff9a000000ULL
#define SIZE  (1U << 18)
#define COUNT 1300 /* more than one marker, and no multiple of 256 */

enum layout {
	OLD,    /* 5.10: addresses before the names */
	SEQS,   /* 6.2: sequence numbers between markers and tokens */
	NEW,    /* 6.4: addresses behind the tokens */
	FLAT,   /* 6.15: none of them absolute */
	PLACES, /* 7.x: relative to their own places, arrays at multiples of 4 */
	LAYOUTS
};

struct made {
	uint8_t *d;
	size_t off;
	unsigned int align;
	size_t num, names, markers, table, index, offsets, base; /* where they are */
};

static void put(struct made *m, const void *p, size_t n)
{
	assert_true(m->off + n <= SIZE);
	memcpy(m->d + m->off, p, n);
	m->off += n;
}

static void put32(struct made *m, uint32_t v)
{
	put(m, &v, 4);
}

static void label(struct made *m, unsigned int align)
{
	m->off = kalign(m->off, align);
}

static void name_of(uint32_t i, char buf[32])
{
	(void)snprintf(buf, 32, "%c%s%u", i % 2 ? 't' : 'D', i % 7 ? "sym_" : "a_longer_name_", i);
}

static uint64_t address_of(enum layout l, uint32_t i)
{
	/* absolute ones come first */
	return l < FLAT && i < 10 ? i * 64 : BASE + i * 16;
}

static void put_offsets(struct made *m, enum layout l)
{
	uint64_t base = BASE;

	label(m, m->align);
	m->offsets = m->off;
	for (uint32_t i = 0; i < COUNT; i++) {
		uint64_t a = address_of(l, i);

		if (l == PLACES)
			put32(m, (uint32_t)(a - (BASE + m->off)));
		else if (l == FLAT)
			put32(m, (uint32_t)(a - BASE));
		else
			put32(m, a < BASE ? (uint32_t)a : (uint32_t)(BASE - 1 - a));
	}
	if (l == PLACES)
		return;
	label(m, 8);
	m->base = m->off;
	put(m, &base, 8);
}

static void put_names(struct made *m)
{
	uint32_t marker[COUNT / 256 + 1];

	label(m, m->align);
	m->num = m->off;
	put32(m, COUNT);
	label(m, m->align);
	m->names = m->off;
	for (uint32_t i = 0; i < COUNT; i++) {
		char name[32];
		uint8_t len;

		name_of(i, name);
		len = (uint8_t)strlen(name);
		if (i % 256 == 0)
			marker[i / 256] = (uint32_t)(m->off - m->names);
		put(m, &len, 1);
		put(m, name, len);
	}
	label(m, m->align);
	m->markers = m->off;
	put(m, marker, sizeof(marker));
}

/* Token N is the character N. */
static void put_tokens(struct made *m)
{
	label(m, m->align);
	m->table = m->off;
	for (int i = 0; i < 256; i++)
		put(m, (uint8_t[]){ i ? (uint8_t)i : '?', 0 }, 2);
	label(m, m->align);
	m->index = m->off;
	for (int i = 0; i < 256; i++)
		put(m, (uint8_t[]){ (uint8_t)(i * 2), (uint8_t)(i * 2 >> 8) }, 2);
}

static struct kimage make(enum layout l, struct made *m)
{
	*m = (struct made){ .d = calloc(1, SIZE),
			    .off = l == PLACES ? 4100 : 4096,
			    .align = l == PLACES ? 4 : 8 };
	assert_non_null(m->d);
	memset(m->d, 0xcc, m->off);
	if (l <= SEQS)
		put_offsets(m, l);
	put_names(m);
	if (l == SEQS) {
		label(m, 8);
		m->off += 3 * COUNT;
	}
	put_tokens(m);
	if (l > SEQS)
		put_offsets(m, l);
	return (struct kimage){ m->d, SIZE, { BASE } };
}

static void test_layouts(void **state)
{
	(void)state;
	for (enum layout l = 0; l < LAYOUTS; l++) {
		struct made m;
		struct kimage k = make(l, &m);
		struct kallsyms_iter i = { 0 };
		struct ksym_want want[] = { { "sym_9", { 0 } },
					    { "a_longer_name_1295", { 0 } },
					    { "none", { 1 } } };
		struct kallsyms s;
		struct ksym sym;

		assert_int_equal(kallsyms_find(&k, &s), 0);
		assert_int_equal(s.count, COUNT);
		for (uint32_t n = 0; n < COUNT; n++) {
			char name[32];

			name_of(n, name);
			assert_int_equal(kallsyms_next(&s, &i, &sym), 1);
			assert_int_equal(sym.type, name[0]);
			assert_string_equal(sym.name, name + 1);
			assert_int_equal(sym.addr.v, address_of(l, n));
		}
		assert_int_equal(kallsyms_next(&s, &i, &sym), 0);
		assert_int_equal(kallsyms_lookup(&s, want, 3), 2);
		assert_int_equal(want[0].addr.v, address_of(l, 9));
		assert_int_equal(want[1].addr.v, address_of(l, 1295));
		assert_int_equal(want[2].addr.v, 0);
		free(m.d);
	}
}

/* What a hostile guest would write, and where. */
static void test_bad_tables(void **state)
{
	struct made at;
	struct kimage k = make(NEW, &at);
	const struct {
		const char *what;
		size_t off;
		uint32_t v;
	} bad[] = {
		{ "names that never end", at.num, 1U << 20 },
		{ "more symbols than there are", at.num, COUNT + 1 },
		{ "fewer", at.num, COUNT - 1 },
		{ "none", at.num, 0 },
		{ "an empty name", at.names, 0 },
		{ "a name of 16,383 bytes", at.names, 0xffff },
		{ "markers that lie", at.markers + 4, 1 },
		{ "a token that has no end", at.table + 510, 0x41414141 },
		{ "a token beyond the table", at.index + 510, 0xffff },
		{ "tokens out of order", at.index + 8, 0 },
		{ "addresses out of order", at.offsets + 800, 0x7fffffff },
		{ "a base elsewhere", at.base + 4, 0 },
	};
	struct kallsyms s;

	(void)state;
	free(at.d);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		k = make(NEW, &at);
		assert_int_equal(kallsyms_find(&k, &s), 0);
		memcpy(at.d + bad[i].off, &bad[i].v, 4);
		if (kallsyms_find(&k, &s) != -ENOENT)
			fail_msg("took %s", bad[i].what);
		free(at.d);
	}
}

/* The image ends anywhere: nothing is read beyond it, and no half table is taken. */
static void test_cut_off(void **state)
{
	(void)state;
	for (enum layout l = 0; l < LAYOUTS; l++) {
		struct made m;
		struct kimage k = make(l, &m);
		struct kallsyms s;

		if (l == FLAT) { /* the same bytes pass for PLACES without a base */
			free(m.d);
			continue;
		}
		for (size_t size = m.off - 1; size > 4096; size -= size > m.index ? 1 : 997) {
			uint8_t *copy = malloc(size); /* for ASan to guard its end */

			assert_non_null(copy);
			memcpy(copy, m.d, size);
			k = (struct kimage){ copy, size, { BASE } };
			assert_int_equal(kallsyms_find(&k, &s), -ENOENT);
			free(copy);
		}
		free(m.d);
	}
}

/* Nothing but lengths that lead from one to the next, and numbers that could be a num_syms. */
static void test_work_is_limited(void **state)
{
	const size_t size = 24 << 20;
	uint8_t *d = malloc(size);
	struct kimage k = { d, size, { BASE } };
	struct made m = { .d = d + size - 8192, .align = 8 };
	uint64_t num = 1 << 20;
	struct kallsyms s;

	(void)state;
	assert_non_null(d);
	memset(d, 1, size);
	for (size_t i = 0; i < size - 8192; i += 64)
		memcpy(d + i, &num, 8);
	for (size_t i = 0; i < size - 8192; i += 64)
		d[i + 8] = 63; /* to the next one's name */
	put_tokens(&m);
	assert_int_equal(kallsyms_find(&k, &s), -E2BIG);
	free(d);
}

static void put_export(uint8_t *d, unsigned int stride, size_t off, size_t name, uint64_t v)
{
	uint64_t at = BASE + off, name_at = BASE + name;
	int32_t rel[2] = { (int32_t)(v - at), (int32_t)(name_at - at - 4) };

	if (stride == 16) {
		memcpy(d + off, &v, 8);
		memcpy(d + off + 8, &name_at, 8);
	} else
		memcpy(d + off, rel, 8);
}

static void test_ksymtab(void **state)
{
	static const unsigned int strides[] = { 12, 8, 16 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
		uint8_t *d = calloc(1, SIZE);
		struct kimage k = { d, SIZE, { BASE } };
		size_t names = 1 << 17, start = 1 << 14;
		struct ksymtab t;
		gva_t v;

		assert_non_null(d);
		for (size_t i = 0; i < 1200; i++) {
			/* one has the end of another's name */
			(void)snprintf((char *)d + names + i * 32, 32,
				       i == 700 ? "xkfree" : "exported_%zu", i);
			put_export(d, strides[s], start + i * strides[s],
				   names + i * 32 + (i == 700), BASE + i * 16);
		}
		assert_int_equal(ksymtab_find(&k, &t), 0);
		assert_int_equal(t.count, 1200);
		assert_int_equal(t.stride, strides[s]);
		assert_int_equal(ksymtab_lookup(&t, "exported_0", &v), 0);
		assert_int_equal(v.v, BASE);
		assert_int_equal(ksymtab_lookup(&t, "exported_1199", &v), 0);
		assert_int_equal(v.v, BASE + 1199 * 16);
		assert_int_equal(ksymtab_lookup(&t, "exported_1200", &v), -ENOENT);
		/* too few of them are none */
		memset(d + start + 900 * strides[s], 0, strides[s]);
		assert_int_equal(ksymtab_find(&k, &t), -ENOENT);
		free(d);
	}
}

/* Tables that are all too short, whose every entry has the name that is looked for: each could be the one. */
static void test_ksymtab_work_is_limited(void **state)
{
	const size_t size = 8 << 20, row = 990 * 8;
	uint8_t *d = calloc(1, size);
	struct kimage k = { d, size, { BASE } };
	struct ksymtab t;

	(void)state;
	assert_non_null(d);
	for (size_t i = 0; i < 8; i++)
		strcpy((char *)d + 16 * i, "kfree");
	for (size_t off = 4096; off + row + 8 < size; off += row + 8)
		for (size_t i = 0; i < row; i += 8)
			put_export(d, 8, off + i, 0, BASE + 1024);
	assert_int_equal(ksymtab_find(&k, &t), -E2BIG);
	/* no entry at all, and as many names as there can be: every place is looked at for each */
	memset(d, 0, size);
	for (size_t i = 0; i < 64; i++)
		strcpy((char *)d + 16 * i, "kfree");
	k.size = size;
	assert_int_equal(ksymtab_find(&k, &t), -ENOENT);
	free(d);
}

/* One of the entries, or what they point at, is none: too few are left. */
static void test_bad_ksymtab(void **state)
{
	static const struct {
		const char *what;
		size_t off; /* of the image */
		const char *bytes;
		size_t n;
	} table[] = {
		{ "an entry without a name", (1 << 14) + 600 * 12 + 4, "\0\0\0\0", 4 },
		{ "a name outside", (1 << 14) + 600 * 12 + 4, "\xff\xff\xff\x7f", 4 },
		{ "a name before the image", (1 << 14) + 600 * 12 + 4, "\0\0\0\x80", 4 },
		{ "an empty name", (1 << 17) + 600 * 32, "\0", 1 },
		{ "a name with a blank", (1 << 17) + 600 * 32, " ", 1 },
		{ "no kfree", (1 << 17) + 700 * 32, "ykfrei", 6 },
		{ "a kfree that goes on", (1 << 17) + 700 * 32 + 6, "_", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint8_t *d = calloc(1, SIZE);
		struct kimage k = { d, SIZE, { BASE } };
		struct ksymtab t;

		assert_non_null(d);
		for (size_t n = 0; n < 1200; n++) {
			(void)snprintf((char *)d + (1 << 17) + n * 32, 32,
				       n == 700 ? "xkfree" : "exported_%zu", n);
			put_export(d, 12, (1 << 14) + n * 12, (1 << 17) + n * 32 + (n == 700),
				   BASE + n * 16);
		}
		assert_int_equal(ksymtab_find(&k, &t), 0);
		memcpy(d + table[i].off, table[i].bytes, table[i].n);
		if (ksymtab_find(&k, &t) != -ENOENT)
			fail_msg("took %s", table[i].what);
		assert_int_equal(ksymtab_at(&t, SIZE_MAX, NULL, NULL), -EPROTO);
		free(d);
	}
}

static void test_release(void **state)
{
	static const struct {
		const char *text, *want;
	} table[] = {
		{ "Linux version 6.1.0-50-cloud-amd64 (debian)", "6.1.0-50-cloud-amd64" },
		{ "Linux version %s Linux version 5.10 x", "5.10" },
		{ "Linux version 6.1.0", NULL }, /* no end */
		{ "Linux version  6.1", NULL },
		{ "Linux version 6.1\x1b[2J (", NULL },
		{ "Linux versio", NULL },
		{ "", NULL },
	};
	char release[KRELEASE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kimage k = { (const uint8_t *)table[i].text,
				    strlen(table[i].text),
				    { BASE } };
		int r = kimage_release(&k, release);

		assert_int_equal(r, table[i].want ? 0 : -ENOENT);
		if (!r)
			assert_string_equal(release, table[i].want);
	}
}

static void test_at(void **state)
{
	uint8_t d[16];
	struct kimage k = { d, sizeof(d), { BASE } };

	(void)state;
	assert_ptr_equal(kimage_at(&k, (gva_t){ BASE }, 16), d);
	assert_ptr_equal(kimage_at(&k, (gva_t){ BASE + 15 }, 1), d + 15);
	assert_null(kimage_at(&k, (gva_t){ BASE + 15 }, 2));
	assert_null(kimage_at(&k, (gva_t){ BASE - 1 }, 1));
	assert_null(kimage_at(&k, (gva_t){ BASE + 17 }, 0));
	assert_null(kimage_at(&k, (gva_t){ BASE + 1 }, SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),     cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_cut_off),     cmocka_unit_test(test_work_is_limited),
		cmocka_unit_test(test_ksymtab),     cmocka_unit_test(test_ksymtab_work_is_limited),
		cmocka_unit_test(test_bad_ksymtab), cmocka_unit_test(test_release),
		cmocka_unit_test(test_at),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
