/* SPDX-License-Identifier: MIT */
/* Types of a guest kernel: members at any depth, and types that contain themselves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "btf.h"

#define TYPE_WORDS 3

struct made {
	uint8_t d[8192];
	size_t size;
	uint32_t index[64];
	struct btf b;
};

/* Names are one character: character N of the strings is at 2 N + 1. */
static const char names[] = "?abcdefgST";

static uint32_t name(char c)
{
	return c ? (uint32_t)(strchr(names, c) - names) * 2 + 1 : 0;
}

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
#define FLAG             (1U << 31)

/* 1 int; 2 struct S; ... as numbered beside. */
static const struct {
	uint32_t w[16];
	unsigned int n;
} good[] = {
	/* 1: int */
	{ { 0, INFO(1, 0), 4, 32 }, 4 },
	/* 2: struct S { int a; struct { union { int b; struct T *c; }; }; T d[3][2]; int e : 3; } */
	{ { 'S', INFO(4, 4) | FLAG, 40, 'a', 1, 0, 0, 3, 64, 'd', 8, 128, 'e', 1, 3U << 24 | 322 },
	  15 },
	/* 3: struct { union 4; } */
	{ { 0, INFO(4, 1), 8, 0, 4, 0 }, 6 },
	/* 4: union { int b; T *c; } */
	{ { 0, INFO(5, 2), 8, 'b', 1, 0, 'c', 5, 0 }, 9 },
	/* 5: T * */
	{ { 0, INFO(2, 0), 7 }, 3 },
	/* 6: struct T { int f; } */
	{ { 'T', INFO(4, 1), 4, 'f', 1, 0 }, 6 },
	/* 7: typedef const T */
	{ { 'g', INFO(8, 0), 10 }, 3 },
	/* 8: [3] of 9; 9: [2] of 7 */
	{ { 0, INFO(3, 0), 0, 9, 1, 3 }, 6 },
	{ { 0, INFO(3, 0), 0, 7, 1, 2 }, 6 },
	/* 10: const 6 */
	{ { 0, INFO(10, 0), 6 }, 3 },
	/* 11: enum, 12: function of one, 13: variable, 14: section, 15: float, 16: enum of 64 bits */
	{ { 0, INFO(6, 1), 4, 0, 1 }, 5 },
	{ { 0, INFO(13, 1), 1, 0, 1 }, 5 },
	{ { 'a', INFO(14, 0), 1, 0 }, 4 },
	{ { 'a', INFO(15, 1), 4, 13, 0, 4 }, 6 },
	{ { 0, INFO(16, 0), 8 }, 3 },
	{ { 0, INFO(19, 1), 8, 0, 1, 1 }, 6 },
};

static void put(struct made *m, uint32_t v)
{
	memcpy(m->d + m->size, &v, 4);
	m->size += 4;
}

static void end(struct made *m)
{
	uint32_t header[] = {
		0x0001eb9f, 24, 0, (uint32_t)m->size - 24, (uint32_t)m->size - 24, 0
	};

	m->d[m->size++] = 0;
	for (const char *c = names; *c; c++) {
		m->d[m->size++] = (uint8_t)*c;
		m->d[m->size++] = 0;
	}
	header[5] = (uint32_t)m->size - 24 - header[4];
	memcpy(m->d, header, sizeof(header));
}

static void make(struct made *m)
{
	memset(m, 0, sizeof(*m));
	m->size = 24;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		for (unsigned int k = 0; k < good[i].n; k++) {
			uint32_t v = good[i].w[k];

			/* a letter stands where a name belongs */
			put(m, v > 64 && v < 128 && strchr(names, (int)v) ? name((char)v) : v);
		}
	end(m);
}

static int open_made(struct made *m)
{
	uint32_t n;
	int r = btf_count(m->d, m->size, &n);

	if (r < 0)
		return r;
	return n > ARRAY_SIZE(m->index) ? -E2BIG : btf_open(&m->b, m->d, m->size, m->index, n);
}

static void test_members(void **state)
{
	static const struct {
		const char *path;
		int want;
		uint64_t bit, size;
	} table[] = {
		{ "a", 0, 0, 4 },   { "b", 0, 64, 4 },  { "c", 0, 64, 8 }, { "d", 0, 128, 24 },
		{ "e", 0, 322, 4 }, { "", 0, 0, 40 },   { "x", -ENOENT },  { "a.b", -ENOENT },
		{ ".a", -ENOENT },  { "c.f", -ENOENT }, { "aa", -ENOENT },
	};
	struct btf_member member;
	uint32_t id, element, n;
	struct made m;
	uint64_t size;

	(void)state;
	make(&m);
	assert_int_equal(open_made(&m), 0);
	assert_int_equal(m.b.count, ARRAY_SIZE(good) + 1);
	assert_int_equal(btf_find(&m.b, "S", &id), 0);
	assert_int_equal(id, 2);
	assert_int_equal(btf_find(&m.b, "g", &id), -ENOENT); /* a typedef is no structure */
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (btf_member(&m.b, 2, table[i].path, &member) != table[i].want)
			fail_msg("'%s'", table[i].path);
		if (table[i].want)
			continue;
		assert_int_equal(member.bit, table[i].bit);
		assert_int_equal(btf_size(&m.b, member.type, &size), 0);
		assert_int_equal(size, table[i].size);
	}
	assert_int_equal(btf_member(&m.b, 2, "e", &member), 0);
	assert_int_equal(member.bits, 3);
	/* through typedef and const */
	assert_int_equal(btf_member(&m.b, 7, "f", &member), 0);
	assert_int_equal(btf_array(&m.b, 8, &element, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(btf_array(&m.b, 1, &element, &n), -ENOENT);
	assert_int_equal(btf_size(&m.b, 12, &size), -EPROTO); /* a function */
	assert_int_equal(btf_size(&m.b, 0, &size), -EPROTO);
	assert_int_equal(btf_size(&m.b, m.b.count, &size), -EPROTO);
}

/* @words are the only types. */
static void make_of(struct made *m, const uint32_t *words, size_t n)
{
	memset(m, 0, sizeof(*m));
	m->size = 24;
	for (size_t i = 0; i < n; i++)
		put(m, words[i]);
	end(m);
}

static void test_loops(void **state)
{
	const uint32_t typedefs[] = { 0, INFO(8, 0), 2, 0, INFO(10, 0), 1 };
	const uint32_t self[] = { name('S'), INFO(4, 1), 8, 0, 1, 0 };
	const uint32_t array[] = { 0, INFO(3, 0), 0, 1, 1, 2 };
	struct btf_member member;
	uint32_t wide[3 + 3 * 40];
	struct made m;
	uint64_t size;

	(void)state;
	make_of(&m, typedefs, ARRAY_SIZE(typedefs));
	assert_int_equal(open_made(&m), 0);
	assert_int_equal(btf_size(&m.b, 1, &size), -EPROTO);
	assert_int_equal(btf_member(&m.b, 1, "a", &member), -EPROTO);
	make_of(&m, self, ARRAY_SIZE(self));
	assert_int_equal(open_made(&m), 0);
	assert_int_equal(btf_member(&m.b, 1, "a", &member), -EPROTO);
	make_of(&m, array, ARRAY_SIZE(array));
	assert_int_equal(open_made(&m), 0);
	assert_int_equal(btf_size(&m.b, 1, &size), -EPROTO);
	/* forty anonymous ones at each of eight depths would be 6.5e12 */
	memcpy(wide, (uint32_t[]){ name('S'), INFO(4, 40), 8 }, 12);
	for (size_t i = 0; i < 40; i++)
		memcpy(wide + 3 + i * 3, (uint32_t[]){ 0, 1, 0 }, 12);
	make_of(&m, wide, ARRAY_SIZE(wide));
	assert_int_equal(open_made(&m), 0);
	assert_int_equal(btf_member(&m.b, 1, "a", &member), -EPROTO);
}

static void test_bad(void **state)
{
	static const struct {
		const char *what;
		size_t off;
		uint32_t v;
	} bad[] = {
		{ "another magic", 0, 0x0001eb9e },
		{ "another version", 0, 0x0002eb9f },
		{ "a header that is too short", 4, 23 },
		{ "a header beyond the end", 4, 0xffffffff },
		{ "types beyond the end", 8, 0xfffffff0 },
		{ "types of a wrapping length", 12, 0xffffffff },
		{ "strings beyond the end", 16, 0xffffffff },
		{ "no strings", 20, 0 },
		{ "a kind that is none", 28, INFO(0, 0) },
		{ "a kind of the future", 28, INFO(31, 0) },
		{ "more members than there are bytes", 44, INFO(4, 0xffff) },
		{ "a name beyond the strings", 24, 0x7fffffff },
	};
	struct made m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make(&m);
		assert_int_equal(open_made(&m), 0);
		memcpy(m.d + bad[i].off, &bad[i].v, 4);
		if (open_made(&m) != -EPROTO)
			fail_msg("took %s", bad[i].what);
	}
	make(&m);
	for (size_t size = 0; size < m.size; size++) {
		uint8_t *copy = malloc(size + 1); /* for ASan to guard its end */
		uint32_t n;

		assert_non_null(copy);
		memcpy(copy, m.d, size);
		assert_int_equal(btf_count(copy, size, &n), -EPROTO);
		free(copy);
	}
	assert_int_equal(btf_open(&m.b, m.d, m.size, m.index, 3), -EPROTO); /* room for too few */
}

/* A kernel of which nothing is true: each string may be the one, and no type has it. */
static void test_many_strings(void **state)
{
	const uint32_t ntypes = 200000, nstrings = 1000000, types = ntypes * TYPE_WORDS * 4,
		       strings = 1 + 2 * nstrings;
	const uint32_t header[] = { 0x0001eb9f, 24, 0, types, types, strings };
	uint8_t *d = calloc(1, 24 + types + strings);
	uint32_t *index = calloc(ntypes + 1, sizeof(*index)), id, last;
	clock_t began = clock();
	struct btf b;

	(void)state;
	assert_non_null(d);
	assert_non_null(index);
	memcpy(d, header, sizeof(header));
	for (uint32_t i = 0; i < ntypes; i++)
		memcpy(d + 24 + i * TYPE_WORDS * 4, (uint32_t[]){ 0, INFO(4, 0), 0 }, 12);
	for (uint32_t i = 0; i < nstrings; i++)
		d[24 + types + 1 + 2 * i] = 'S';
	assert_int_equal(btf_open(&b, d, 24 + types + strings, index, ntypes + 1), 0);
	assert_int_equal(btf_find(&b, "S", &id), -ENOENT);
	/* the last type by the last of the strings */
	last = strings - 2;
	memcpy(d + 24 + types - TYPE_WORDS * 4, &last, 4);
	assert_int_equal(btf_find(&b, "S", &id), 0);
	assert_int_equal(id, ntypes);
	assert_true(clock() - began < 60 * CLOCKS_PER_SEC);
	free(index);
	free(d);
}

/* Each name that is looked for would be looked for in all of it. */
static void test_large(void **state)
{
	const uint32_t most = BTF_BYTES_MAX;
	uint32_t header[] = { 0x0001eb9f, 24, 0, 12, 12, most };
	const uint32_t type[] = { 0, INFO(4, 0), 0 };
	uint8_t *d = calloc(1, 24 + 12 + (size_t)most + 1);
	uint32_t n = 0;

	(void)state;
	assert_non_null(d);
	memcpy(d, header, sizeof(header));
	memcpy(d + 24, type, sizeof(type));
	assert_int_equal(btf_count(d, 24 + 12 + most, &n), 0);
	header[5]++;
	memcpy(d, header, sizeof(header));
	assert_int_equal(btf_count(d, 24 + 12 + (size_t)most + 1, &n), -EPROTO);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members), cmocka_unit_test(test_loops),
		cmocka_unit_test(test_bad),     cmocka_unit_test(test_many_strings),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests_name("btf", tests, NULL, NULL);
}
