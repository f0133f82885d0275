/* SPDX-License-Identifier: MIT */
/* What /proc says about mounts and cgroups, and what must not pass for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cgroup.h"
#include "compiler.h"
#include "mountinfo.h"

static int first(const char *text, struct mount_entry *m)
{
	struct cursor c = cur_of(text, strlen(text));

	return mountinfo_next(&c, m);
}

static void test_mountinfo(void **state)
{
	const char *text =
		"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root "
		"rw,errors=continue\n"
		"37 36 0:5 / /mnt/a\\012b\\134 ro - tmpfs none\n";
	struct cursor c = cur_of(text, strlen(text));
	struct mount_entry *m = malloc(sizeof(*m));

	(void)state;
	assert_int_equal(mountinfo_next(&c, m), 1);
	assert_int_equal(m->id, 36);
	assert_int_equal(m->parent, 35);
	assert_string_equal(m->root, "/mnt1");
	assert_string_equal(m->point, "/mnt 2");
	assert_true(span_eq(m->fstype, "ext3"));
	assert_true(span_eq(m->super_opts, "rw,errors=continue"));
	assert_true(mount_has_opt(m->opts, "noatime"));
	assert_false(mount_has_opt(m->opts, "atime"));
	assert_int_equal(mountinfo_next(&c, m), 1);
	assert_string_equal(m->point, "/mnt/a\nb\\"); /* a newline in a name is no new line */
	assert_int_equal(m->super_opts.len, 0);
	assert_int_equal(mountinfo_next(&c, m), 0);
	free(m);
}

static void test_bad_mountinfo(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x 35 98:0 / / rw - ext3 d\n",
		"36 35\n",
		"36 35 98:0 / / rw shared:1 ext3 d rw\n", /* no dash */
		"36 35 98:0 / / rw - ext3\n",
		"-1 35 98:0 / / rw - ext3 d\n",
		"99999999999999999999 35 98:0 / / rw - ext3 d\n",
	};
	struct mount_entry *m = malloc(sizeof(*m));
	char *long_path = malloc(PATH_MAX * 2);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (first(bad[i], m) != -EPROTO)
			fail_msg("took '%s'", bad[i]);
	assert_int_equal(first("", m), 0);
	strcpy(long_path, "36 35 98:0 / /");
	memset(long_path + 14, 'a', PATH_MAX);
	strcpy(long_path + 14 + PATH_MAX, " rw - ext3 d\n");
	assert_int_equal(first(long_path, m), -EPROTO);
	free(long_path);
	free(m);
}

static void test_path_below(void **state)
{
	(void)state;
	assert_string_equal(path_below("/a/b", "/"), "a/b");
	assert_string_equal(path_below("/", "/"), "");
	assert_string_equal(path_below("/a/b", "/a"), "b");
	assert_string_equal(path_below("/a", "/a"), "");
	assert_null(path_below("/ab", "/a"));
	assert_null(path_below("/", "/a"));
	assert_string_equal(path_below("usr/lib", "usr"), "lib");
}

static void test_cgroup(void **state)
{
	const char *text = "12:cpu,cpuacct:/docker/1\n1:name=systemd:/a:b\n0::/docker/1\n";
	struct cursor c = cur_of(text, strlen(text));
	struct cgroup_line l;

	(void)state;
	assert_int_equal(cgroup_next(&c, &l), 1);
	assert_int_equal(l.id, 12);
	assert_true(span_eq(l.controllers, "cpu,cpuacct"));
	assert_int_equal(cgroup_next(&c, &l), 1);
	assert_true(span_eq(l.path, "/a:b")); /* a path may hold colons */
	assert_int_equal(cgroup_next(&c, &l), 1);
	assert_int_equal(l.id, 0);
	assert_int_equal(l.controllers.len, 0);
	assert_int_equal(cgroup_next(&c, &l), 0);
}

static void test_bad_cgroup(void **state)
{
	static const char *const bad[] = { "0:\n",      "0::\n", "0::relative\n",     ":cpu:/\n",
					   "x:cpu:/\n", "\n",    "4294967296:cpu:/\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cursor c = cur_of(bad[i], strlen(bad[i]));
		struct cgroup_line l;

		if (cgroup_next(&c, &l) != -EPROTO)
			fail_msg("took '%s'", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),  cmocka_unit_test(test_bad_mountinfo),
		cmocka_unit_test(test_path_below), cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_bad_cgroup),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
