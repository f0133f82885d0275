/* SPDX-License-Identifier: MIT */
/* The command's environment, and where its program is found. */
#include <errno.h>
#include <fcntl.h>
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

#include "environ.h"
#include "session.h"

static void test_block(void **state)
{
	static const char block[] = "A=1\0B=two=2\0junk\0=bad\0A=3\0\0NL=a\nb\0UNENDED=x";
	struct env env = { 0 };

	(void)state;
	assert_int_equal(env_add_block(&env, block, sizeof(block) - 1), 0);
	assert_int_equal(env.n, 4);
	assert_string_equal(env_get(&env, "A"), "3");
	assert_string_equal(env_get(&env, "B"), "two=2");
	assert_string_equal(env_get(&env, "NL"), "a\nb");
	assert_string_equal(env_get(&env, "UNENDED"), "x");
	assert_null(env_get(&env, "junk"));
	assert_null(env_get(&env, ""));
	assert_null(env.v[env.n]);
	assert_int_equal(env_set(&env, "A", NULL), 0);
	assert_null(env_get(&env, "A"));
	assert_int_equal(env_set(&env, "A=B", "x"), -EINVAL);
	assert_int_equal(env_put(&env, "=x"), -EINVAL);
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "N%d", i);
		assert_int_equal(env_set(&env, name, "v"), 0);
	}
	assert_int_equal(env.n, 1003);
	env_fini(&env);
}

static void test_hooks(void **state)
{
	static const char block[] =
		"LD_PRELOAD=/x\0LD_LIBRARY_PATH=/y\0BASH_ENV=/e\0PYTHONSTARTUP=/p\0PERL5OPT=-Mx\0"
		"PROMPT_COMMAND=id\0BASH_FUNC_ls%%=() { id; }\0LDAP=kept\0MYLD_PRELOAD=kept\0"
		"XDG_CONFIG_HOME=/c\0AWKLIBPATH=/a\0MAKEFILES=/m\0FZF_DEFAULT_COMMAND=id\0LESSKEYIN=/l\0"
		"PYTHO=kept\0APP=kept\0VIMS=kept";
	struct env env = { 0 };

	(void)state;
	assert_int_equal(env_add_block(&env, block, sizeof(block) - 1), 0);
	env_drop_hooks(&env);
	for (size_t i = 0; i < env.n; i++)
		assert_non_null(strstr(env.v[i], "=kept"));
	assert_int_equal(env.n, 5);
	env_fini(&env);
}

static void touch(const char *dir, const char *name, mode_t mode)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, mode);
	assert_true(fd >= 0);
	close(fd);
}

static void test_find_program(void **state)
{
	char a[] = "/tmp/dvs-test-XXXXXX", b[] = "/tmp/dvs-test-XXXXXX";
	char path[200], want[200], got[PATH_MAX];

	(void)state;
	assert_non_null(mkdtemp(a));
	assert_non_null(mkdtemp(b));
	touch(a, "plain", 0644);
	touch(b, "tool", 0755);
	touch(b, "plain", 0755);
	snprintf(want, sizeof(want), "%s/dir", a);
	assert_int_equal(mkdir(want, 0755), 0);

	snprintf(path, sizeof(path), "/nonexistent:%s:%s", a, b);
	snprintf(want, sizeof(want), "%s/tool", b);
	assert_int_equal(session_find_program("tool", path, got), 0);
	assert_string_equal(got, want);
	assert_int_equal(session_find_program("plain", path, got), 0); /* the executable one */
	assert_int_equal(session_find_program("plain", a, got), -EACCES);
	assert_int_equal(session_find_program("none", path, got), -ENOENT);
	assert_int_equal(session_find_program("", path, got),
			 -ENOENT); /* not the directory itself */
	assert_int_equal(session_find_program("dir", a, got), -EISDIR);
	assert_int_equal(session_find_program(want, "", got), 0);
	assert_int_equal(session_find_program("./none", path, got), -ENOENT);
	snprintf(want, sizeof(want), "rm -r %s %s", a, b);
	assert_int_equal(system(want), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_find_program),
	};

	return cmocka_run_group_tests_name("environ", tests, NULL, NULL);
}
