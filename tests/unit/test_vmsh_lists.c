/* SPDX-License-Identifier: MIT */
/* guest-ps, lsmod and inspect of a guest that changes its lists while they are read: what is printed is one walk of it, and a whole one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/vmsh/cmd.h"
#include "vm.h"

#define SAID_MAX 8192
#define WHOLE    3 /* in a list that was not changed */
#define BROKEN   2 /* before it breaks off, and they are others */

/* The guest changes its list so often while it is walked. */
static unsigned int changes, walks;

/* Which of them, from 0; it begins with a new iterator. Return: as ktask_next(). */
static int next(uint32_t *n)
{
	walks += !*n;
	if (*n == (walks <= changes ? BROKEN : WHOLE))
		return walks <= changes ? -EPROTO : 0;
	++*n;
	return 1;
}

int __wrap_ktask_next(const struct kguest *g, struct ktask_iter *i, struct ktask *ret);
int __wrap_ktask_next(const struct kguest *g, struct ktask_iter *i, struct ktask *ret)
{
	int r = next(&i->list.n);

	(void)g;
	*ret = (struct ktask){ .pid = (int32_t)(1000 * walks + i->list.n), .state = 'S' };
	(void)snprintf(ret->comm, sizeof(ret->comm), "walk%u", walks);
	return r;
}

int __wrap_kmod_next(const struct kguest *g, struct kmod_iter *i, struct kmod *ret);
int __wrap_kmod_next(const struct kguest *g, struct kmod_iter *i, struct kmod *ret)
{
	int r = next(&i->list.n);

	(void)g;
	*ret = (struct kmod){ .size = 1000 * walks + i->list.n };
	(void)snprintf(ret->name, sizeof(ret->name), "%s", i->list.n == WHOLE ? "fuse" : "other");
	return r;
}

int __wrap_vm_resolve(const char *target, struct vm_info *ret, struct err *e);
int __wrap_vm_resolve(const char *target, struct vm_info *ret, struct err *e)
{
	(void)target;
	(void)e;
	*ret = (struct vm_info){ .pid = 1, .name = "guest" };
	return 0;
}

int __wrap_vm_open(const struct vm_info *info, struct vm *ret, struct err *e);
int __wrap_vm_open(const struct vm_info *info, struct vm *ret, struct err *e)
{
	(void)e;
	ret->info = *info;
	return 0;
}

int __wrap_vm_open_kernel(struct vm *v, struct err *e);
int __wrap_vm_open_kernel(struct vm *v, struct err *e)
{
	(void)e;
	v->have_types = true;
	return 0;
}

/* What stands at descriptor @fd until it is put back. */
struct capture {
	int fd, kept, file;
};

static struct capture capture(int fd)
{
	struct capture c = { fd, dup(fd), memfd_create("said", MFD_CLOEXEC) };

	assert_true(c.kept >= 0 && dup2(c.file, fd) == fd);
	return c;
}

static void put_back(const struct capture *c, char said[SAID_MAX])
{
	ssize_t n = pread(c->file, said, SAID_MAX - 1, 0);

	assert_int_equal(dup2(c->kept, c->fd), c->fd);
	assert_true(n >= 0);
	said[n] = '\0';
	(void)close(c->kept);
	(void)close(c->file);
}

static char out[SAID_MAX], err[SAID_MAX];

/* What @run prints is in @out and @err. Return: its exit code. */
static int say(int (*run)(struct opt_parser *p), const struct opt *opts, bool json)
{
	static char name[] = "verb", option[] = "--json", guest[] = "guest";
	char *words[] = { name, json ? option : guest, json ? guest : NULL, NULL };
	const struct verb verb = {
		.name = name, .operands = "TARGET", .opts = opts, .ntargets = 1
	};
	const char *operands[ARRAY_SIZE(words)] = { NULL };
	struct opt_parser p = { &verb, 2 + json, words, NULL, operands, 0, false };
	struct capture o, e;
	int status;

	(void)fflush(stdout);
	o = capture(STDOUT_FILENO);
	e = capture(STDERR_FILENO);
	optind = 1;
	walks = 0;
	status = run(&p);
	(void)fflush(stdout);
	put_back(&o, out);
	put_back(&e, err);
	return status;
}

static size_t count(const char *said, const char *what)
{
	size_t n = 0;

	for (; (said = strstr(said, what)); said += strlen(what))
		n++;
	return n;
}

/* A list that changes is read again, and nothing of the walks before is printed; of the last it is said that it broke off. */
static void check_list(int (*run)(struct opt_parser *p), const struct opt *opts, const char *before,
		       const char *after)
{
	for (unsigned int k = 0; k < 2; k++)
		for (changes = 0; changes <= KGUEST_WALKS; changes++) {
			const bool whole = changes < KGUEST_WALKS;
			const size_t n = whole ? WHOLE : BROKEN;
			char want[32];

			assert_int_equal(say(run, opts, k), whole ? 0 : OPT_EXIT_FAILED);
			assert_int_equal(walks, whole ? changes + 1 : KGUEST_WALKS);
			(void)snprintf(want, sizeof(want), "%s%u%s", before, walks, after);
			assert_int_equal(count(out, want), n);
			/* and nothing else */
			assert_int_equal(count(out, k ? "{" : "\n"), k ? n : n + 1);
			assert_int_equal(
				count(err,
				      " broke off: the guest changed it just then, or it is damaged; try again\n"),
				!whole);
			assert_int_equal(count(err, "\n"), !whole);
		}
}

static void test_guest_ps(void **state)
{
	(void)state;
	check_list(cmd_guest_ps, cmd_guest_ps_opts, "walk", "");
}

static void test_lsmod(void **state)
{
	(void)state;
	check_list(cmd_lsmod, cmd_lsmod_opts, "", "00");
}

/* A module that only a whole walk comes to is seen; if there is none, what is said may lack it, and no more. */
static void test_inspect(void **state)
{
	(void)state;
	for (changes = 0; changes <= KGUEST_WALKS; changes++) {
		assert_int_equal(say(cmd_inspect, cmd_inspect_opts, true), 0);
		assert_int_equal(count(out, "\"fuse\":\"loaded\""), changes < KGUEST_WALKS);
		assert_int_equal(count(out, "\"fuse\":\"no\""), changes == KGUEST_WALKS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_ps),
		cmocka_unit_test(test_lsmod),
		cmocka_unit_test(test_inspect),
	};

	return cmocka_run_group_tests_name("vmsh_lists", tests, NULL, NULL);
}
