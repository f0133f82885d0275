/* SPDX-License-Identifier: MIT */
/* What /proc says about mounts, cgroups and containers, and what must not pass for it. */
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
#include "container.h"
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

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_container_match(void **state)
{
	static const struct {
		const char *path, *name;
		enum container_match want;
	} cases[] = {
		{ "web", "web", CONTAINER_BY_NAME },
		{ "docker-" ID64 ".scope", ID64, CONTAINER_BY_NAME },
		{ "docker-" ID64 ".scope", "012", CONTAINER_BY_PREFIX },
		{ "docker-" ID64 ".scope", "01", CONTAINER_NO },
		{ "docker-" ID64 ".scope", "123", CONTAINER_NO },
		{ "docker-" ID64 ".scope", "docker-" ID64 ".scope", CONTAINER_NO },
		{ "docker-" ID64 "0.scope", "012", CONTAINER_NO },
		{ "libpod-" ID64 ".scope", "0123", CONTAINER_BY_PREFIX },
		{ "libpod-conmon-" ID64 ".scope", "0123", CONTAINER_NO },
		{ "libpod-conmon-" ID64 ".scope", ID64, CONTAINER_NO },
		{ "crio-conmon-" ID64 ".scope", ID64, CONTAINER_NO },
		{ "cri-containerd-" ID64 ".scope", "0123", CONTAINER_BY_PREFIX },
		{ ID64, "0123", CONTAINER_BY_PREFIX },
		{ "lxc.payload.a.b", "a.b", CONTAINER_BY_NAME },
		{ "lxc.payload.", "", CONTAINER_NO },
		{ "lxc.monitor.a", "a", CONTAINER_NO },
		{ "machine-a\\x2db.scope", "a-b", CONTAINER_BY_NAME },
		{ "machine-a\\x2.scope", "a\\x2", CONTAINER_BY_NAME },
		{ "machine-.scope", "", CONTAINER_NO },
		{ "systemd-nspawn@a.service", "a", CONTAINER_BY_NAME },
		{ "a.service", "a", CONTAINER_NO },
		{ "a.service", "a.service", CONTAINER_NO },
		{ "system.slice", "system.slice", CONTAINER_NO },
		{ "", "", CONTAINER_NO },
		/* what containers are below, and what is below one */
		{ "/docker/" ID64, "docker", CONTAINER_NO },
		{ "/docker/" ID64, "0123", CONTAINER_BY_PREFIX },
		{ "/docker/" ID64 "/init", "0123", CONTAINER_BY_PREFIX },
		{ "/docker/" ID64 "/init", "init", CONTAINER_NO },
		{ "/docker/" ID64 "/a.scope/b", "b", CONTAINER_NO },
		{ "/docker/" ID64 "/docker/" ID64, "docker", CONTAINER_NO },
		{ "/kubepods/besteffort/pod1/" ID64, "kubepods", CONTAINER_NO },
		{ "/kubepods/besteffort/pod1/" ID64, "pod1", CONTAINER_NO },
		{ "/default/" ID64, "default", CONTAINER_NO },
		{ "/a.slice/libpod-" ID64 ".scope/container", "container", CONTAINER_NO },
		{ "/a.slice/libpod-" ID64 ".scope/container", ID64, CONTAINER_BY_NAME },
		{ "/a.slice/machine-b.scope/payload", "payload", CONTAINER_NO },
		{ "/a.slice/machine-b.scope/payload", "b", CONTAINER_BY_NAME },
		{ "/lxc/a", "lxc", CONTAINER_NO },
		{ "/lxc/a/init.scope", "a", CONTAINER_BY_NAME },
		{ "/lxc/a/b", "b", CONTAINER_NO },
		{ "/lxc/lxc/b", "lxc", CONTAINER_BY_NAME },
		{ "/lxc/lxc/b", "b", CONTAINER_NO },
		{ "/lxc.payload/a/b", "a", CONTAINER_BY_NAME },
		{ "/lxc.payload.a/lxc/b", "b", CONTAINER_BY_NAME },
		{ "/lxc.payload.a/lxc/b", "a", CONTAINER_BY_NAME },
		{ "/a.slice/web", "web", CONTAINER_BY_NAME },
		{ "/a.slice/web/x", "web", CONTAINER_NO },
	};
	char *part = calloc(1, 4096);
	struct span said = { "", 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (container_match((struct span){ cases[i].path, strlen(cases[i].path) },
				    cases[i].name, &said) != cases[i].want)
			fail_msg("%s, %s", cases[i].path, cases[i].name);
	/* the same names at two places are two containers, the same ids are not */
	assert_int_equal(container_match((struct span){ "/lxc/a/lxc/a/b", 14 }, "a", &said),
			 CONTAINER_BY_NAME);
	assert_true(span_eq(said, "/lxc/a/lxc/a"));
	assert_int_equal(
		container_match((struct span){ "/x/" ID64 "/b", 3 + 64 + 2 }, "012", &said),
		CONTAINER_BY_PREFIX);
	assert_true(span_eq(said, ID64));
	memset(part, 'a', 4095);
	assert_int_equal(container_match((struct span){ part, 4095 }, part, &said), CONTAINER_NO);
	free(part);
}

/* At the very end of a buffer, too: nothing is read beyond it. */
static bool json_has(const char *text, const char *key, const char *value)
{
	size_t len = strlen(text);
	char *copy = malloc(len + 1);
	bool ret;

	memcpy(copy + 1, text, len);
	ret = container_json_has((struct span){ copy + 1, len }, key, value);
	free(copy);
	return ret;
}

static void test_container_json(void **state)
{
	static const char whole[] = "{\"Name\" :\n\"/web\"}";
	char part[sizeof(whole)];

	(void)state;
	assert_true(json_has("{\"a\":{\"Name\":\"/web\"}}", "Name", "/web"));
	assert_true(json_has("\"Name\":\"/web\"", "Name", "/web"));
	assert_true(json_has("\"Name\":\"Name\":\"/web\"", "Name", "/web"));
	assert_false(json_has("{\"Name\":\"/webx\"}", "Name", "/web"));
	assert_false(json_has("{\"Name\":\"/we\"}", "Name", "/web"));
	assert_false(json_has("{\"xName\":\"/web\"}", "Name", "/web"));
	assert_false(json_has("{\"Name\":[\"/web\"]}", "Name", "/web"));
	assert_false(json_has("{\"l\":\"\\\"Name\\\":\\\"/web\\\"\"}", "Name", "/web"));
	assert_true(json_has(whole, "Name", "/web"));
	for (size_t n = 0; n < sizeof(whole) - 2; n++) {
		memcpy(part, whole, n);
		part[n] = '\0';
		assert_false(json_has(part, "Name", "/web"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mountinfo),      cmocka_unit_test(test_bad_mountinfo),
		cmocka_unit_test(test_path_below),     cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_bad_cgroup),     cmocka_unit_test(test_container_match),
		cmocka_unit_test(test_container_json),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
