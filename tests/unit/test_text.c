/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "text.h"

static void test_safe(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "web", "web" },
		{ "a\nb\tc", "a\\nb\\tc" },
		{ "back\\slash", "back\\\\slash" },
		{ "\033[2Jgone", "\\x1b[2Jgone" },
		{ "\177\r\a", "\\x7f\\x0d\\x07" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xe6\x97\xa5\xf0\x9f\x90\xb3", "\xe6\x97\xa5\xf0\x9f\x90\xb3" },
		{ "\xc2\x9b"
		  "31m",
		  "\\u{9b}31m" },                              /* CSI as one C1 character */
		{ "\xe2\x80\xaegpj.exe", "\\u{202e}gpj.exe" }, /* right-to-left override */
		{ "we\xe2\x80\x8b"
		  "b",
		  "we\\u{200b}b" },
		{ "\xf3\xa0\x81\x81", "\\u{e0041}" },
		/* not UTF-8: stray, cut short, overlong, surrogate, beyond the end */
		{ "\x80", "\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xe6\x97", "\\xe6\\x97" },
		{ "\xc3(", "\\xc3(" },
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = text_safe(cases[i].in);

		assert_non_null(s);
		assert_string_equal(s, cases[i].out);
	}
}

static void test_width_cut(void **state)
{
	static const struct {
		const char *in;
		size_t width, columns;
		const char *cut;
	} cases[] = {
		{ "", 0, 0, "" },
		{ "docker", 6, 6, "docker" },
		{ "docker", 6, 5, "do..." },
		{ "docker", 6, 4, "d..." },
		{ "docker", 6, 3, "doc" },
		{ "docker", 6, 0, "" },
		{ "caf\xc3\xa9s", 5, 5, "caf\xc3\xa9s" },
		{ "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, 6,
		  "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, 5, "\xe6\x97\xa5..." },
		{ "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, 4,
		  "..." }, /* half a character is none */
		{ "\xe6\x97\xa5\xe6\x9c\xac", 4, 3, "\xe6\x97\xa5" },
		{ "e\xcc\x81t", 2, 1, "e\xcc\x81" }, /* the accent stays with its letter */
		{ "\xff\xff", 2, 1, "\xff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = strdup(cases[i].in);

		assert_int_equal(text_width(s), cases[i].width);
		text_cut(s, cases[i].columns);
		assert_string_equal(s, cases[i].cut);
		assert_true(text_width(s) <= cases[i].columns);
	}
}

static void test_cut_front(void **state)
{
	static const struct {
		const char *in;
		size_t columns;
		const char *cut;
	} cases[] = {
		{ "", 0, "" },
		{ "docker", 6, "docker" },
		{ "docker", 5, "...er" },
		{ "docker", 4, "...r" },
		{ "docker", 3, "ker" },
		{ "docker", 0, "" },
		{ "a\xe6\x97\xa5\xe6\x9c\xac", 4, "..." },
		{ "ab\xe6\x97\xa5\xe6\x9c\xac", 5, "...\xe6\x9c\xac" },
		{ "a\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x9c\xac" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = strdup(cases[i].in);

		text_cut_front(s, cases[i].columns);
		assert_string_equal(s, cases[i].cut);
	}
}

/* Two rows of three columns, as printed for a terminal of @width columns. */
static char *printed(size_t width, size_t least)
{
	const struct text_flex flex[] = { { 1, least, false }, { 0, 4, true } };
	_cleanup_text_table_ struct text_table t = TEXT_TABLE_INIT(3);
	const char *head[] = { "NAME", "IMAGE", "UP" };
	const char *row[] = { "w\neb", "registry/a-long-image", NULL };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(text_table_add(&t, head), 0);
	assert_int_equal(text_table_add(&t, row), 0);
	text_table_print(&t, f, width, flex, 2);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_table(void **state)
{
	static const struct {
		size_t width, least;
		const char *out;
	} cases[] = {
		{ 0, 5,
		  "NAME   IMAGE                  UP\n"
		  "w\\neb  registry/a-long-image\n" },
		{ 32, 5,
		  "NAME   IMAGE                  UP\n"
		  "w\\neb  registry/a-long-image\n" },
		{ 31, 5,
		  "NAME   IMAGE                 UP\n"
		  "w\\neb  registry/a-long-i...\n" },
		/* the second gives way when the first can't any more; then rows stay too wide */
		{ 18, 8,
		  "NAME  IMAGE     UP\n"
		  "...b  regis...\n" },
		{ 1, 8,
		  "NAME  IMAGE     UP\n"
		  "...b  regis...\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = printed(cases[i].width, cases[i].least);

		assert_string_equal(s, cases[i].out);
	}
}

/* A line of the log is one line of characters that are seen. */
static void test_log(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "caf\xc3\xa9 'x'", "caf\xc3\xa9 'x'" },
		{ "a\nb\033[1m\177", "a?b?[1m?" },
		/* CSI as one character, an override of the direction, bytes that are no UTF-8, half a character */
		{ "\xc2\x9b"
		  "31m",
		  "??31m" },
		{ "x\xe2\x80\xaey", "x???y" },
		{ "\xff\xc3(", "??"
			       "(" },
		{ "end \xe2\x82", "end ??" },
	};
	char said[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int kept = dup(STDERR_FILENO), fd = memfd_create("said", MFD_CLOEXEC);
		_cleanup_free_ char *want = NULL;
		ssize_t n;

		assert_true(kept >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
		log_error("%s", cases[i].in);
		assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
		n = pread(fd, said, sizeof(said) - 1, 0);
		assert_true(n > 0);
		said[n] = '\0';
		assert_true(asprintf(&want, "dvs: %s\n", cases[i].out) > 0);
		assert_string_equal(said, want);
		(void)close(kept);
		(void)close(fd);
	}
}

static void test_json(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	json_add_str(o, "a", "x/\n\033[2J\177\xc2\x9b\"");
	json_add_str(o, "b", "caf\xc3\xa9 \xe2\x80\xae \xf3\xa0\x81\x81 \xff");
	json_add_str(o, "c", NULL);
	assert_int_equal(json_print(o, f), 0);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "{\n"
				  "  \"a\":\"x/\\n\\u001b[2J\\u007f\\u009b\\\"\",\n"
				  "  \"b\":\"caf\xc3\xa9 \\u202e \\udb40\\udc41 \\ufffd\",\n"
				  "  \"c\":null\n"
				  "}\n");
}

static void test_json_stream(void **state)
{
	struct json_stream none = { 0 }, two = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	none.f = two.f = f;
	assert_int_equal(json_stream_end(&none), 0);
	assert_int_equal(json_stream_add(&two, json_object_new_int(1)), 0);
	assert_int_equal(json_stream_add(&two, NULL), -ENOMEM);
	assert_int_equal(json_stream_add(&two, json_object_new_string("\177")), 0);
	assert_int_equal(json_stream_end(&two), 0);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "[]\n[\n1,\n\"\\u007f\"\n]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),        cmocka_unit_test(test_width_cut),
		cmocka_unit_test(test_cut_front),   cmocka_unit_test(test_table),
		cmocka_unit_test(test_log),         cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_stream),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
