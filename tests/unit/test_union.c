/* SPDX-License-Identifier: MIT */
/* union_places.h: which directories of two trees the union has to overlay by themselves. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools.h"
#include "union_places.h"

struct bed {
	char dir[32];
	int ctr, tree;
	struct union_places places;
};

static int bed_make(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->dir, "/tmp/union.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(chdir(b->dir), 0);
	assert_int_equal(mkdir("c", 0755) | mkdir("t", 0755), 0);
	b->ctr = open("c", O_PATH | O_DIRECTORY | O_CLOEXEC);
	b->tree = open("t", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = b;
	return 0;
}

static int bed_remove(void **state)
{
	struct bed *b = *state;
	char cmd[64];

	union_places_fini(&b->places);
	close(b->ctr);
	close(b->tree);
	assert_int_equal(chdir("/"), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", b->dir);
	assert_int_equal(system(cmd), 0);
	free(b);
	return 0;
}

/* In tree @fd: "DIR" or "LINK>TARGET". */
static void put(int fd, const char *what)
{
	const char *gt = strchr(what, '>');
	char name[NAME_MAX];

	if (!gt) {
		assert_int_equal(mkdirat(fd, what, 0755), 0);
		return;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)(gt - what), what);
	assert_int_equal(symlinkat(gt + 1, fd, name), 0);
}

/* Expect "PLACE+EXTRA..." lines: an extra is what the tools have at that path. */
static void expect(struct bed *b, const struct tools *tools, const char *const *want)
{
	assert_int_equal(union_places_find(b->ctr, b->tree, tools, &b->places), 0);
	for (size_t i = 0; i < b->places.n; i++) {
		const struct union_place *p = &b->places.v[i];
		char got[PATH_MAX], fd[32], at[PATH_MAX];
		int len = snprintf(got, sizeof(got), "%s", p->path);

		for (size_t k = 0; k < p->nextra; k++) {
			(void)snprintf(fd, sizeof(fd), "/proc/self/fd/%d", p->extra[k]);
			at[readlink(fd, at, sizeof(at) - 1)] = '\0';
			len += snprintf(got + len, sizeof(got) - (size_t)len, "+%s",
					at + strlen(b->dir) + strlen("/t/"));
		}
		assert_non_null(want[i]);
		assert_string_equal(got, want[i]);
	}
	assert_null(want[b->places.n]);
}

static void test_names(void **state)
{
	static const struct {
		const char *ctr[3], *tools[4], *want[3];
	} cases[] = {
		/* nothing to do */
		{ { "lib" }, { "lib" }, { NULL } },
		{ { "usr", "usr/lib", "lib>usr/lib" },
		  { "usr", "usr/lib", "lib>usr/lib" },
		  { NULL } },
		{ { "usr", "usr/lib", "lib>/usr/lib" },
		  { "usr", "usr/lib", "lib>usr/lib" },
		  { NULL } },
		{ { NULL }, { "usr", "usr/lib", "lib>usr/lib" }, { NULL } },
		{ { "lib>usr/lib" }, { NULL }, { NULL } },
		/* a directory before a link, and the other way round */
		{ { "lib" }, { "usr", "usr/lib", "lib>usr/lib" }, { "lib+usr/lib" } },
		{ { "lib>usr/lib" }, { "lib" }, { "usr/lib+lib" } },
		{ { "lib>/./usr//lib/" }, { "lib" }, { "usr/lib+lib" } },
		/* different links; several to one directory */
		{ { "a>lib" }, { "x", "y", "a>y" }, { "lib+y" } },
		{ { "bin>usr/bin", "b>usr/bin" }, { "bin", "b>bin" }, { "usr/bin+bin+bin" } },
		/* the tools' link leads nowhere, to a file, to itself, round about */
		{ { "lib" }, { "lib>nowhere" }, { NULL } },
		{ { "lib" }, { "lib>lib" }, { NULL } },
		{ { "lib" }, { "usr", "a>/../usr", "lib>a" }, { "lib+usr" } },
		/* links of the container's that are not taken */
		{ { "lib>"
		    "/" },
		  { "lib" },
		  { NULL } },
		{ { "lib>." }, { "lib" }, { NULL } },
		{ { "lib>.." }, { "lib" }, { NULL } },
		{ { "lib>usr/../lib" }, { "lib" }, { NULL } },
		{ { "lib>../../../etc" }, { "lib" }, { NULL } },
		{ { "lib>a:b,c\\d\n" }, { "lib" }, { "a:b,c\\d\n+lib" } },
	};
	const struct tools tools = { .n = 1 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b;

		assert_int_equal(bed_make(state), 0);
		b = *state;
		for (size_t k = 0; k < 3 && cases[i].ctr[k]; k++)
			put(b->ctr, cases[i].ctr[k]);
		for (size_t k = 0; k < 4 && cases[i].tools[k]; k++)
			put(b->tree, cases[i].tools[k]);
		expect(b, &tools, cases[i].want);
		bed_remove(state);
	}
}

static void test_mounts_and_links(void **state)
{
	char top[] = "", usr[] = "usr", deep[] = "usr/lib/debug", home[] = "home";
	const struct tools tools = { .mount = { { .fd = -1, .path = top },
						{ .fd = -1, .path = usr },
						{ .fd = -1, .path = deep },
						{ .fd = -1, .path = home } },
				     .n = 4 };
	static const char *const want[] = { "home", "usr+u", "usr/lib+lib", "usr/lib/debug", NULL };
	struct bed *b = *state;

	put(b->ctr, "lib>usr/lib");
	put(b->ctr, "u>usr");
	put(b->tree, "lib");
	put(b->tree, "u");
	expect(b, &tools, want);
}

static void test_too_many(void **state)
{
	const struct tools tools = { .n = 1 };
	struct bed *b = *state;
	char name[32];

	for (int i = 0; i < UNION_EXTRA_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "x%d>same", i);
		put(b->ctr, name);
		(void)snprintf(name, sizeof(name), "x%d", i);
		put(b->tree, name);
	}
	for (int i = 0; i < UNION_PLACES_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "y%d>z%d", i, i);
		put(b->ctr, name);
		(void)snprintf(name, sizeof(name), "y%d", i);
		put(b->tree, name);
	}
	assert_int_equal(union_places_find(b->ctr, b->tree, &tools, &b->places), 0);
	assert_int_equal(b->places.n, UNION_PLACES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_mounts_and_links, bed_make, bed_remove),
		cmocka_unit_test_setup_teardown(test_too_many, bed_make, bed_remove),
	};

	return cmocka_run_group_tests_name("union", tests, NULL, NULL);
}
