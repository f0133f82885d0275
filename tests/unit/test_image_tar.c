/* SPDX-License-Identifier: MIT */
/* The tar parser: what it reads, what it refuses, and that pieces of any size give the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image_maker.h"
#include "tar.h"

/* All events of @b in pieces of @step bytes, as text. */
static char *events(const struct bytes *b, size_t step, int *ret)
{
	struct tar *t = malloc(sizeof(*t));
	struct bytes out = { 0 };
	struct span data;
	char line[10000];
	int r = 0;

	tar_init(t);
	for (size_t off = 0; off < b->len && r >= 0; off += step) {
		struct cursor in = cur_of(b->p + off, b->len - off < step ? b->len - off : step);

		while ((r = tar_next(t, &in, &data)) > 0) {
			struct tar_entry *en = &t->entry;

			line[0] = '\0';
			if (r == TAR_ENTRY)
				sprintf(line, "[%d %s>%s %o %u:%u %llu @%lld.%u %u,%u x%zu]",
					(int)en->kind, en->path, en->link, en->mode, en->uid,
					en->gid, (unsigned long long)en->size,
					(long long)en->mtime_s, en->mtime_ns, en->major, en->minor,
					en->nxattrs);
			for (size_t i = 0; r == TAR_ENTRY && i < en->nxattrs; i++)
				sprintf(line + strlen(line), "{%s=%.*s}", en->xattr[i].name,
					(int)en->xattr[i].value.len, en->xattr[i].value.p);
			if (r == TAR_DATA)
				bytes_add(&out, data.p, data.len);
			if (r == TAR_END)
				strcpy(line, "END");
			bytes_add(&out, line, strlen(line));
		}
	}
	if (r >= 0)
		r = tar_finish(t);
	if (r < 0) {
		assert_non_null(t->why);
		sprintf(line, "!%s", t->why);
		bytes_add(&out, line, strlen(line));
	}
	*ret = r;
	bytes_add(&out, "", 0);
	tar_fini(t);
	free(t);
	return (char *)out.p;
}

static void expect(struct bytes *b, int want, const char *text)
{
	static const size_t steps[] = { SIZE_MAX / 2, 512, 513, 511, 100, 7, 1 };
	int r;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char *got = events(b, steps[i], &r);

		if (r != want || !strstr(got, text))
			fail_msg("in pieces of %zu: %d '%s'; wanted %d '%s'", steps[i], r, got,
				 want, text);
		free(got);
	}
	bytes_free(b);
}

static void test_formats(void **state)
{
	static const struct tent usual[] = {
		{ .path = "d/", .type = '5', .mode = 01777, .mtime = 7 },
		{ .path = "d/f", .data = "hello", .uid = 1, .gid = 2 },
		{ .path = "d/h", .type = '1', .link = "d/f" },
		{ .path = "s", .type = '2', .link = "/x" },
		{ .path = "c", .type = '3', .major = 1, .minor = 3 },
		{ .path = "b", .type = '4', .major = 8 },
		{ .path = "p", .type = '6' },
		{ .path = "old/", .type = '0', .mode = 0700 },
		{ .path = "seven", .type = '7', .data = "7" },
		{ 0 },
	};
	struct bytes b = tar_of(usual);

	(void)state;
	expect(&b, 0,
	       "[5 d> 1777 0:0 0 @7.0 0,0 x0][0 d/f> 644 1:2 5 @0.0 0,0 x0]hello"
	       "[1 d/h>d/f 644 0:0 0 @0.0 0,0 x0][2 s>/x 644 0:0 0 @0.0 0,0 x0]"
	       "[3 c> 644 0:0 0 @0.0 1,3 x0][4 b> 644 0:0 0 @0.0 8,0 x0]"
	       "[6 p> 644 0:0 0 @0.0 0,0 x0][5 old> 700 0:0 0 @0.0 0,0 x0]"
	       "[0 seven> 644 0:0 1 @0.0 0,0 x0]7END");
	b = tar_of(usual);
	b.len -= 1024; /* no end mark: forgiven */
	expect(&b, 0, "]7");
	b = tar_of(usual);
	bytes_add(&b, "what follows is not ours", 24);
	expect(&b, 0, "]7END");
}

static void test_pax(void **state)
{
	struct bytes b = { 0 };
	static const char records[] = "18 path=real/name\n30 mtime=-1.25000000001234567\n"
				      "13 uid=70000\n31 SCHILY.xattr.user.a=one two\n10 size=3\n"
				      "29 SCHILY.xattr.user.b=x\0\n=y\n14 comment=hi\n";

	(void)state;
	tar_raw(&b, 'g', "19 path=for nobody\n", 19);
	tar_raw(&b, 'x', records, sizeof(records) - 1);
	tar_header(&b, &(struct tent){ .path = "cut" }, 0);
	tar_payload(&b, "abc", 3);
	tar_add(&b, &(struct tent){ .path = "next", .data = "n" }); /* nothing is inherited */
	tar_add(&b,
		&(struct tent){ .path = "l", .type = '2', .link = "x", .pax = "linkpath=long" });
	tar_add(&b, &(struct tent){ .path = "kept", .pax = "path=" });
	tar_end(&b);
	/* The value with a NUL is cut in this text, not in the span. */
	expect(&b, 0, "[0 real/name> 644 70000:0 3 @-2.750000000 0,0 x2]{user.a=one two}{user.b=x");
	tar_raw(&b, 'x', records, sizeof(records) - 1);
	tar_header(&b, &(struct tent){ .path = "cut" }, 0);
	tar_payload(&b, "abc", 3);
	tar_add(&b, &(struct tent){ .path = "next", .data = "n" });
	tar_add(&b,
		&(struct tent){ .path = "l", .type = '2', .link = "x", .pax = "linkpath=long" });
	tar_add(&b, &(struct tent){ .path = "kept", .pax = "path=" });
	for (size_t i = 0; i + 5 <= b.len; i++) /* make the text comparable: no NUL in the value */
		if (!memcmp(b.p + i, "x\0\n=y", 5))
			b.p[i + 1] = '.';
	expect(&b, 0,
	       "{user.b=x.\n=y}abc[0 next> 644 0:0 1 @0.0 0,0 x0]n"
	       "[2 l>long 644 0:0 0 @0.0 0,0 x0][0 kept> 644 0:0 0 @0.0 0,0 x0]");
}

static void test_gnu(void **state)
{
	char name[300], want[400];
	struct bytes b = { 0 };

	(void)state;
	memset(name, 'n', sizeof(name));
	name[299] = '\0';
	tar_raw(&b, 'L', name, sizeof(name));
	tar_raw(&b, 'K', "target", 7);
	tar_add(&b, &(struct tent){ .path = "cut", .type = '2', .link = "cut" });
	tar_add(&b, &(struct tent){ .path = "next", .type = '2', .link = "own" });
	tar_end(&b);
	sprintf(want, "[2 %s>target 644 0:0 0 @0.0 0,0 x0][2 next>own", name);
	expect(&b, 0, want);

	/* Base-256 uid and size, a prefix that is GNU's and so no path. */
	tar_header(&b, &(struct tent){ .path = "big" }, 2);
	memcpy(b.p + 108, "\x80\0\0\0\0\1\0\0", 8);
	memcpy(b.p + 124, "\x80\0\0\0\0\0\0\0\0\0\0\2", 12);
	memcpy(b.p + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	memcpy(b.p + 257, "ustar  \0", 8);
	memcpy(b.p + 345, "not a path", 10);
	tar_checksum(b.p);
	tar_payload(&b, "hi", 2);
	expect(&b, 0, "[0 big> 644 65536:0 2 @-2.0 0,0 x0]hi");

	tar_header(&b, &(struct tent){ .path = "name" }, 0);
	memcpy(b.p + 345, "a/prefix", 8);
	tar_checksum(b.p);
	expect(&b, 0, "[0 a/prefix/name>");
}

static void patch(struct bytes *b, size_t at, const void *p, size_t len)
{
	memcpy(b->p + at, p, len);
	tar_checksum(b->p);
}

static void test_bad_headers(void **state)
{
	static const struct tent file = { .path = "file", .data = "data" };
	struct bytes b = { 0 };

	(void)state;
	tar_add(&b, &file);
	b.p[0] ^= 1;
	expect(&b, -EPROTO, "!not a tar archive");
	tar_add(&b, &file);
	tar_add(&b, &file);
	b.p[1024] ^= 1;
	expect(&b, -EPROTO, "data!a header with a wrong checksum");
	tar_add(&b, &file);
	patch(&b, 124, "0000000000x", 11);
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &file);
	patch(&b, 124, "1 000000000", 11); /* digits after the end of the number */
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &file);
	patch(&b, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12); /* size -1 */
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &file);
	patch(&b, 124, "\x80\0\0\1\0\0\0\0\0\0\0\0", 12); /* 2^64: wraps to 0 if it is cut */
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &file);
	patch(&b, 124, "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12); /* 2^63: negative if it is cut */
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &file);
	patch(&b, 108, "\x80\0\0\1\0\0\0\0", 8); /* uid 2^32 */
	expect(&b, -EPROTO, "malformed number");
	tar_add(&b, &(struct tent){ .path = "s", .type = 'S' });
	expect(&b, -EOPNOTSUPP, "!a sparse file");
	tar_add(&b, &(struct tent){ .path = "v", .type = 'V' });
	expect(&b, -EOPNOTSUPP, "!an entry of unknown type");
	tar_add(&b, &(struct tent){ .path = "" });
	expect(&b, -EPROTO, "!an entry without a name");
	tar_add(&b, &(struct tent){ .path = "l", .type = '2' });
	expect(&b, -EPROTO, "!a link without a target");
	tar_add(&b, &file);
	bytes_zero(&b, 512);
	tar_add(&b, &file);
	expect(&b, -EPROTO, "!bytes after half of an end mark");
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 1536; cut += 17) {
		struct bytes b = { 0 };
		char *got;
		int r;

		tar_pax(&b, "path", "p", 1);
		tar_add(&b, &(struct tent){ .path = "f", .data = "data" });
		b.len -= cut;
		got = events(&b, 100, &r);
		if (r != -ENODATA)
			fail_msg("%zu bytes less: %d %s", cut, r, got);
		free(got);
		bytes_free(&b);
	}
}

static void test_bad_pax(void **state)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{ "0 path=a\n", -EPROTO },  /* a length of nothing */
		{ "1 path=a\n", -EPROTO },  /* that ends before the blank */
		{ "99 path=a\n", -EPROTO }, /* beyond the header */
		{ "8 path=a\n", -EPROTO },  /* short by one: no line feed at its end */
		{ "11 path=a\n", -EPROTO }, /* long by one */
		{ "-9 path=a\n", -EPROTO },
		{ "18446744073709551625 path=a\n", -EPROTO }, /* 9 + 2^64 */
		{ "x path=a\n", -EPROTO },
		{ "path=a\n", -EPROTO },
		{ "5 ab\n", -EPROTO }, /* no '=' */
		{ "5 =b\n", -EPROTO }, /* no key */
		{ "11 size=-1\n", -EPROTO },
		{ "11 size=1x\n", -EPROTO },
		{ "28 size=9223372036854775808\n", -EPROTO },
		{ "18 uid=4294967296\n", -EPROTO },
		{ "11 mtime=.\n", -EPROTO },
		{ "13 mtime=1.x\n", -EPROTO },
		{ "18 SCHILY.xattr.=\n", -EPROTO }, /* an attribute without a name */
		{ "22 GNU.sparse.major=1\n", -EOPNOTSUPP },
	};
	struct bytes b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *got;
		int r;

		tar_raw(&b, 'x', bad[i].text, strlen(bad[i].text));
		tar_add(&b, &(struct tent){ .path = "f" });
		got = events(&b, 999, &r);
		if (r != bad[i].r)
			fail_msg("'%s': %d %s", bad[i].text, r, got);
		free(got);
		bytes_free(&b);
	}
	tar_pax(&b, "path", "a\0b", 3);
	tar_add(&b, &(struct tent){ .path = "f" });
	expect(&b, -EPROTO, "!a malformed pax header");
}

static void test_limits(void **state)
{
	struct bytes b = { 0 };
	char *big = calloc(1, TAR_META_MAX + 1);

	(void)state;
	memset(big, 'a', 5000);
	for (int i = 0; i < 2; i++) /* two of a kind */
		tar_pax(&b, "comment", "x", 1);
	expect(&b, -EPROTO, "!extended headers without an entry");
	for (int i = 0; i < 9; i++) /* an endless run */
		tar_raw(&b, 'g', "", 0);
	expect(&b, -EPROTO, "!extended headers without an entry");
	for (int i = 0; i < 9; i++) /* names that are none */
		tar_raw(&b, 'L', "", 0);
	expect(&b, -EPROTO, "!extended headers without an entry");
	tar_header(&b, &(struct tent){ .path = "x", .type = 'x' }, TAR_META_MAX + 1);
	expect(&b, -E2BIG, "!an extended header of more than 1 MiB");
	tar_raw(&b, 'L', big, 4097);
	expect(&b, -ENAMETOOLONG, "!a name of more than 4095 bytes");
	tar_raw(&b, 'L', big, 4096);
	expect(&b, -ENAMETOOLONG, "!a name of more than 4095 bytes");
	tar_raw(&b, 'L', big, 4095);
	tar_add(&b, &(struct tent){ .path = "cut" });
	expect(&b, 0, "aaaa> 644");
	tar_pax(&b, "path", big, 4096);
	expect(&b, -ENAMETOOLONG, "!a name of more than 4095 bytes");
	for (int n = TAR_XATTRS_MAX; n <= TAR_XATTRS_MAX + 1; n++) {
		struct bytes records = { 0 };

		for (int i = 0; i < n; i++)
			bytes_add(&records, "25 SCHILY.xattr.user.a=b\n", 25);
		tar_raw(&b, 'x', records.p, records.len);
		tar_add(&b, &(struct tent){ .path = "f" });
		expect(&b, n > TAR_XATTRS_MAX ? -E2BIG : 0,
		       n > TAR_XATTRS_MAX ? "!an entry with more than 64" : "x64]");
		bytes_free(&records);
	}
	free(big);
}

static void test_skip(void **state)
{
	struct tar *t = malloc(sizeof(*t));
	struct bytes b = { 0 };
	struct cursor in;
	struct span data;

	(void)state;
	tar_add(&b, &(struct tent){ .path = "f", .data = "some data" });
	tar_add(&b, &(struct tent){ .path = "g" });
	tar_init(t);
	in = cur_of(b.p, 512);
	assert_int_equal(tar_next(t, &in, &data), TAR_ENTRY);
	assert_int_equal(tar_skippable(t), 512);
	tar_skipped(t, 512);
	assert_int_equal(tar_skippable(t), 0);
	in = cur_of(b.p + 1024, 512);
	assert_int_equal(tar_next(t, &in, &data), TAR_ENTRY);
	assert_string_equal(t->entry.path, "g");
	assert_int_equal(tar_finish(t), 0);
	tar_fini(t);
	free(t);
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),   cmocka_unit_test(test_pax),
		cmocka_unit_test(test_gnu),       cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_bad_pax),
		cmocka_unit_test(test_limits),    cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
