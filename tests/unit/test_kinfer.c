/* SPDX-License-Identifier: MIT */
/* Where members are, by memory alone: tasks and files laid out as some kernels do, and tasks of which it can't be told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "made_tasks.h"

static struct kinfer room;

static int infer(struct kfields *ret, struct err *e)
{
	static struct gview v;

	memset(ret, 0, sizeof(*ret));
	memset(&room, 0, sizeof(room));
	assert_int_equal(made_view(&v), 0);
	return kinfer_tasks(&room, &v, (gva_t){ DIRECT + TASK }, ret, e);
}

static void test_layouts(void **state)
{
	const struct layout *const all[] = { &old, &new };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct layout *l = all[i];
		struct err e = { 0 };
		struct kfields k;
		const struct {
			enum kfield_id id;
			uint32_t off;
		} table[] = {
			{ TASK_TASKS, l->tasks },
			{ TASK_PID, l->pid },
			{ TASK_TGID, l->pid + 4 },
			{ TASK_COMM, l->comm },
			{ TASK_STATE, l->stack - 8 },
			{ TASK_EXIT_STATE, l->exit_signal - 8 },
			{ TASK_FLAGS, l->stack + 12 },
			{ TASK_REAL_PARENT, l->parent },
			{ TASK_CRED, l->cred },
			{ TASK_MM, l->mm },
			{ TASK_SIGNAL, l->signal },
			{ TASK_START, l->start },
			{ SIGNAL_NR_THREADS, 8 },
			{ CRED_UID, l->uid },
			{ MM_PGD, l->pgd },
			{ MM_ARG_START, l->args },
			{ MM_ARG_END, l->args + 8 },
		};

		make(l);
		assert_int_equal(infer(&k, &e), 0);
		for (size_t j = 0; j < ARRAY_SIZE(table); j++) {
			assert_true(k.f[table[j].id].there);
			assert_int_equal(k.f[table[j].id].off, table[j].off);
		}
		assert_true(k.f[TASK_SIZE].size >= l->signal + 8);
	}
}

/* What is made of a kernel that is well, and of which member it can't be told then. */
static void name_again(void)
{
	memcpy(made_memory + TASK + 64, "swapper/0", 10);
}

static void two_lists(void)
{
	for (int i = 0; i <= N; i++) {
		put64(task(i) + 256, link_of(&old, i + 1) - old.tasks + 256);
		put64(task(i) + 264, link_of(&old, i - 1) - old.tasks + 256);
	}
}

static void broken_list(void)
{
	put64(task(3) + old.tasks, DIRECT + SIZE);
}

static void loop_in_list(void)
{
	put64(task(5) + old.tasks, link_of(&old, 4));
}

static void few_tasks(void)
{
	put64(task(4) + old.tasks, link_of(&old, 0));
	put64(task(0) + old.tasks + 8, link_of(&old, 4));
}

static void same_pid(void)
{
	put32(task(7) + old.pid, 42);
	put32(task(7) + old.pid + 4, 42);
	put32(task(6) + old.pid, 42);
	put32(task(6) + old.pid + 4, 42);
}

static void no_first(void)
{
	put32(task(1) + old.pid, 9);
	put32(task(1) + old.pid + 4, 9);
}

static void strange_parent(void)
{
	put64(task(8) + old.parent, DIRECT + SIZE - 8);
	put64(task(8) + old.parent + 8, DIRECT + SIZE - 8);
}

static void thread_with_memory(void)
{
	put64(task(5) + old.mm, DIRECT + MM);
}

static void strange_signal(void)
{
	put32(task(5) + old.exit_signal, 9);
}

static void shared_stack(void)
{
	put64(task(5) + old.stack, DIRECT + STACK);
	put64(task(6) + old.stack, DIRECT + STACK);
}

static void no_flag(void)
{
	put32(task(5) + old.stack + 12, 0x40);
}

static void other_cred(void)
{
	put64(task(5) + old.cred, DIRECT + CRED + 8);
}

static void weak_cred(void)
{
	put64(CRED + old.sets + 8, 5);
}

static void test_refused(void **state)
{
	static const struct {
		void (*change)(void);
		const char *member;
	} table[] = {
		{ name_again, "'comm'" },
		{ two_lists, "'tasks'" },
		{ broken_list, "'tasks'" },
		{ loop_in_list, "'tasks'" },
		{ few_tasks, "'tasks'" },
		{ same_pid, "'pid'" },
		{ no_first, "'pid'" },
		{ strange_parent, "'real_parent'" },
		{ thread_with_memory, "'flags'" },
		{ strange_signal, "'exit_state'" },
		{ shared_stack, "'__state'" },
		{ no_flag, "'flags'" },
		{ other_cred, "'cred'" },
		{ weak_cred, "'cred'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct err e = { 0 };
		struct kfields k;

		make(&old);
		table[i].change();
		assert_int_equal(infer(&k, &e), -ENOENT);
		if (!strstr(e.msg, table[i].member))
			fail_msg("%s: %s", table[i].member, e.msg);
		assert_false(k.f[TASK_TASKS].there);
	}
}

/* What can be done without is left out, and nothing else with it. */
static void test_optional(void **state)
{
	struct err e = { 0 };
	struct kfields k;

	(void)state;
	make(&old);
	put64(MM + old.pgd, 0);
	put64(MM + old.args, 0);
	put32(SIGNAL + 3 * 64 + 4, 2);
	put64(task(4) + old.start, 1);
	assert_int_equal(infer(&k, &e), 0);
	assert_true(k.f[TASK_PID].there);
	assert_false(k.f[MM_PGD].there || k.f[MM_ARG_START].there || k.f[TASK_SIGNAL].there ||
		     k.f[TASK_START].there);
}

static int infer_files(struct kinfer_files *ret, struct err *e)
{
	struct kfields k;
	struct ksyms s;

	assert_int_equal(infer(&k, e), 0);
	s = made_ksyms(room.view);
	memset(ret, 0, sizeof(*ret));
	return kinfer_files(&room, &s, ret, e);
}

/* The last of four is closed once it was looked for, and is something else by then. */
static void close_file(uint64_t gpa)
{
	if (gpa != SLOT)
		return;
	put64(SLOT + 24, 0);
	put64(FILE_AT + 3 * FILE_EACH + old.f_op, DIRECT + TASK);
}

/* The first process has ended, and what was its table is another's. */
static void end_process(uint64_t gpa)
{
	if (gpa == SLOT)
		put64(task(1) + old.fs + 8, 0);
}

static void test_files_closed(void **state)
{
	struct kinfer_files f;
	struct err e = { 0 };

	(void)state;
	make(&old);
	memcpy(made_memory + FILE_AT + 3 * FILE_EACH, made_memory + FILE_AT, FILE_EACH);
	put64(SLOT + 24, DIRECT + FILE_AT + 3 * FILE_EACH);
	made_after_read = close_file;
	assert_int_equal(infer_files(&f, &e), 0);
	assert_int_equal(f.op, old.f_op);
	make(&old);
	made_after_read = end_process;
	assert_int_equal(infer_files(&f, &e), -ENOENT);
	made_after_read = NULL;
	assert_non_null(strstr(e.msg, "open files"));
}

static void test_files(void **state)
{
	const struct layout *const all[] = { &old, &new };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct layout *l = all[i];
		struct kinfer_files f;
		struct err e = { 0 };

		make(l);
		assert_int_equal(infer_files(&f, &e), 0);
		assert_int_equal(f.fs, l->fs);
		assert_int_equal(f.llseek, l->llseek);
		assert_int_equal(f.read, l->llseek + 8);
		assert_int_equal(f.write, l->llseek + 16);
		assert_int_equal(f.poll, l->poll);
		assert_int_equal(f.open, l->open);
		assert_int_equal(f.release, l->release);
		assert_int_equal(f.op, l->f_op);
		assert_int_equal(f.flags, l->f_flags);
	}
	/* a table that has grown lies elsewhere; files of a module and of what is behind the image, and one that was opened as a path alone */
	make(&old);
	put64(SLOT + 24, DIRECT + FILE_AT + 3 * FILE_EACH);
	put64(FILE_AT + 3 * FILE_EACH + old.f_op, 0xffffffffc0123450);
	put32(FILE_AT + 3 * FILE_EACH + old.f_flags, 010100000);
	put32(FILE_AT + 3 * FILE_EACH + old.f_mode, 1U << 19 | 1U << 14);
	memcpy(made_memory + FILE_AT + 4 * FILE_EACH, made_memory + FILE_AT + 3 * FILE_EACH,
	       FILE_EACH);
	put64(SLOT + 32, DIRECT + FILE_AT + 4 * FILE_EACH);
	put64(FILE_AT + 4 * FILE_EACH + old.f_op, MADE_IMAGE + MADE_SIZE + 0x40);
	put64(FILES + 32, DIRECT + FILES + 0x800);
	put32(FILES + 0x800, 256);
	put64(FILES + 0x808, DIRECT + SLOT);
	put32(FILES + 40, 0);
	{
		struct kinfer_files f;
		struct err e = { 0 };

		assert_int_equal(infer_files(&f, &e), 0);
		assert_int_equal(f.op, old.f_op);
	}
}

static void no_null(void)
{
	put64(OPS_NULL + old.llseek + 8, 0);
}

static void shuffled_ops(void)
{
	put64(OPS_PIPE + old.open, 0);
	put_function(OPS_PIPE + old.open - 8, FIFO_OPEN);
}

static void poll_after_open(void)
{
	put64(OPS_PIPE + old.poll, 0);
	put_function(OPS_PIPE + old.open + 8, PIPE_POLL);
}

static void other_root(void)
{
	put64(MOUNT, DIRECT + DIRECTORY + 8);
}

static void two_contexts(void)
{
	for (int i = 0; i < 3; i++) {
		put64(task(i) + old.fs + 40, DIRECT + (i == 1 ? FS_FIRST : FS));
		put64(task(i) + old.fs + 48, DIRECT + FILES);
	}
}

static void few_files(void)
{
	put64(SLOT, 0);
}

static void two_ops(void)
{
	for (uint64_t i = 0; i < 3; i++)
		put64(FILE_AT + i * FILE_EACH + 128, MADE_IMAGE + OPS_NULL);
}

static void ops_of_data(void)
{
	put64(OPS_NULL + old.llseek + 24, DIRECT + TASK);
}

static void ops_of_module(void)
{
	put64(OPS_NULL, 0xffffffffc0001000);
}

static void two_flags(void)
{
	for (uint64_t i = 0; i < 3; i++)
		memcpy(made_memory + FILE_AT + i * FILE_EACH + 132,
		       made_memory + FILE_AT + i * FILE_EACH + old.f_flags, 4);
}

static void strange_flags(void)
{
	put32(FILE_AT + old.f_flags, 1U << 31 | 2);
}

static void test_files_refused(void **state)
{
	static const struct {
		void (*change)(void);
		const char *what;
	} table[] = {
		{ no_null, "'read'" },          { shuffled_ops, "'poll'" },
		{ poll_after_open, "'poll'" },  { other_root, "'fs'" },
		{ two_contexts, "'fs'" },       { few_files, "open files" },
		{ two_ops, "'f_op'" },          { ops_of_data, "'f_op'" },
		{ ops_of_module, "'f_op'" },    { two_flags, "'f_flags'" },
		{ strange_flags, "'f_flags'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kinfer_files f;
		struct err e = { 0 };

		make(&old);
		table[i].change();
		assert_int_equal(infer_files(&f, &e), -ENOENT);
		if (!strstr(e.msg, table[i].what))
			fail_msg("%zu, %s: %s", i, table[i].what, e.msg);
	}
}

/* The next process's memory lies behind, and has page tables, too. */
static void test_next_mm(void **state)
{
	struct err e = { 0 };
	struct kfields k;

	(void)state;
	make(&old);
	put64(MM + 704 + old.pgd, DIRECT + USER_PML4);
	assert_int_equal(infer(&k, &e), 0);
	assert_int_equal(k.f[MM_PGD].off, old.pgd);
}

/* A program that the kernel has started is a child of the same task as the kernel's threads. */
static void test_helper(void **state)
{
	struct err e = { 0 };
	struct kfields k;

	(void)state;
	make(&old);
	thread_with_memory();
	put32(task(5) + old.stack + 12, 0x00400100);
	assert_int_equal(infer(&k, &e), 0);
	assert_int_equal(k.f[TASK_MM].off, old.mm);
	assert_false(room.task[4].kernel);
}

#define LOG_INFO                                                                                        \
	"OSRELEASE=6.1.0\nSIZE(printk_ringbuffer)=80\nOFFSET(printk_ringbuffer.desc_ring)=0\n"          \
	"OFFSET(printk_ringbuffer.text_data_ring)=40\nOFFSET(prb_desc_ring.count_bits)=0\n"             \
	"OFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\n"                               \
	"OFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\n"       \
	"OFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=8\n"                              \
	"OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)=88\n"   \
	"OFFSET(printk_info.seq)=0\nOFFSET(printk_info.ts_nsec)=8\nOFFSET(prb_data_ring.size_bits)=0\n" \
	"OFFSET(prb_data_ring.data)=8\nOFFSET(atomic_long_t.counter)=0\n"
#define LOG_REST "OFFSET(printk_info.text_len)=16\nOFFSET(printk_info.caller_id)=20\n"

static int infer_log(const char *text, struct kfields *ret)
{
	char info[KCOREINFO_MAX];
	struct ksyms s = { .info = info, .info_size = strlen(text) };

	memset(ret, 0, sizeof(*ret));
	memcpy(info, text, strlen(text));
	return kinfer_log(&s, ret);
}

static void test_log(void **state)
{
	static const char *const bad[] = {
		"",
		"OSRELEASE=6.1.0\n",
		LOG_INFO, /* no length */
		LOG_INFO "OFFSET(printk_info.text_len)=16\nOFFSET(printk_info.caller_id)=24\n",
		LOG_INFO "OFFSET(printk_info.text_len)=\nOFFSET(printk_info.caller_id)=4\n",
		LOG_INFO "OFFSET(printk_info.text_len)=1x\nOFFSET(printk_info.caller_id)=20\n",
		LOG_INFO
		"OFFSET(printk_info.text_len)=99999\nOFFSET(printk_info.caller_id)=100003\n",
	};
	struct kfields k;

	(void)state;
	assert_int_equal(infer_log(LOG_INFO LOG_REST, &k), 0);
	assert_int_equal(k.f[RB_TAIL_ID].off, 32);
	assert_int_equal(k.f[RB_TEXT_DATA].off, 48);
	assert_int_equal(k.f[DESC_NEXT].off, 16);
	assert_int_equal(k.f[INFO_SIZE].size, 88);
	assert_int_equal(k.f[INFO_FACILITY].off, 18);
	assert_int_equal(k.f[INFO_LEVEL].off, 19);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(infer_log(bad[i], &k), -ENOENT);
		assert_false(k.f[RB_DESCS].there);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_optional),     cmocka_unit_test(test_helper),
		cmocka_unit_test(test_next_mm),      cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_closed), cmocka_unit_test(test_files_refused),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("kinfer", tests, NULL, NULL);
}
