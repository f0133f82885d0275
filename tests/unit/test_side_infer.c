/* SPDX-License-Identifier: MIT */
/* What a kernel without types is entered by: proved, or from the table where that holds; and kernels of which it can't be told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "made_tasks.h"
#include "side_target.h"

enum {
	RESOURCES = 0x80000,
	FIRST = 0x80100,
	SECOND = 0x80200
};

static struct vm vm;

static void put_resource(uint64_t at, uint64_t parent, uint64_t sibling)
{
	put64(at + 40, parent ? DIRECT + parent : 0);
	put64(at + 48, sibling ? DIRECT + sibling : 0);
}

static void make_vm(void)
{
	make(&old);
	put64(RESOURCES + 56, DIRECT + FIRST);
	put_resource(FIRST, RESOURCES, SECOND);
	put_resource(SECOND, RESOURCES, 0);
	memset(&vm, 0, sizeof(vm));
	(void)snprintf(vm.release, sizeof(vm.release), "6.1.0-50");
	(void)err_set(&vm.no_types, ENOENT, "no types");
	assert_int_equal(made_view(&vm.view), 0);
	vm.symbols = made_ksyms(&vm.view);
	vm.guest.init_task.v = DIRECT + TASK;
}

static int infer(struct side_fields *ret, struct err *e)
{
	struct side_resource_fields resource;

	return side_target_infer(&vm, (gva_t){ DIRECT + RESOURCES }, ret, &resource, e);
}

static void test_inferred(void **state)
{
	struct side_fields f = { 0 };
	struct err e = { 0 };

	(void)state;
	make_vm();
	assert_int_equal(infer(&f, &e), 0);
	assert_int_equal(f.task_fs, old.fs);
	assert_int_equal(f.fops_read, old.llseek + 8);
	assert_int_equal(f.fops_write, old.llseek + 16);
	assert_int_equal(f.fops_poll, old.poll);
	assert_int_equal(f.fops_release, old.release);
	assert_int_equal(f.file_fops, old.f_op);
	assert_int_equal(f.file_flags, old.f_flags);
	assert_int_equal(f.irq_work_func, 16);
	assert_true(side_target_fits(&f));
}

static void is_older(void)
{
	(void)snprintf(vm.release, sizeof(vm.release), "5.9.16");
}

static void is_newer(void)
{
	(void)snprintf(vm.release, sizeof(vm.release), "7.4.0-1");
}

static void is_none(void)
{
	(void)snprintf(vm.release, sizeof(vm.release), "6");
}

static void is_huge(void)
{
	(void)snprintf(vm.release, sizeof(vm.release), "6.1000");
}

static void is_debugged(void)
{
	static struct made_symbol more[ARRAY_SIZE(symbols) + 1];

	memcpy(more, symbols, sizeof(symbols));
	more[ARRAY_SIZE(symbols)] =
		(struct made_symbol){ "lockdep_init_map_type", FUNCTION + 0x900 };
	vm.symbols.all = made_symbols(more, ARRAY_SIZE(more));
}

static void no_resources(void)
{
	put64(RESOURCES + 56, 0);
}

static void other_parent(void)
{
	put_resource(SECOND, FIRST, 0);
}

static void endless_resources(void)
{
	put_resource(SECOND, RESOURCES, FIRST);
}

static void no_task(void)
{
	put64(task(3) + old.tasks, 0);
}

static void no_files(void)
{
	put64(SLOT, 0);
}

static void test_refused(void **state)
{
	static void (*const change[])(void) = {
		is_older,     is_newer,     is_none,           is_huge, is_debugged,
		no_resources, other_parent, endless_resources, no_task, no_files,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(change); i++) {
		struct side_fields f = { 0 }, none = { 0 };
		struct err e = { 0 };

		make_vm();
		change[i]();
		if (infer(&f, &e) != -ENOTSUP)
			fail_msg("number %zu", i);
		assert_non_null(strstr(e.msg, "no types, and "));
		assert_non_null(strstr(e.msg, "; nothing was changed"));
		assert_memory_equal(&f, &none, sizeof(f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inferred),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("side_infer", tests, NULL, NULL);
}
