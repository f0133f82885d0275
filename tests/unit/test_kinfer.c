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

#include "kinfer.h"

#define DIRECT 0xffff888000000000ULL
#define SIZE   (2U << 20)
#define N      12 /* tasks without the idle one */

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PDPT_IMAGE = 0x3000,
	USER_PML4 = 0x4000,
	CRED = 0x5000,
	MM = 0x6000,
	SIGNAL = 0x8000, /* 64 bytes each */
	TASK = 0x10000,
	TASK_EACH = 0x4000,
	STACK = 0x100000
};

/* As 6.1 and 7.3 of Debian have them. */
struct layout {
	uint32_t stack, tasks, mm, exit_signal, pid, parent, start, cred, comm, signal;
	uint32_t uid, sets, pgd, args;
};
static const struct layout old = { .stack = 32,
				   .tasks = 2264,
				   .mm = 2344,
				   .exit_signal = 2408,
				   .pid = 2488,
				   .parent = 2504,
				   .start = 2720,
				   .cred = 2960,
				   .comm = 2976,
				   .signal = 3072,
				   .uid = 8,
				   .sets = 44,
				   .pgd = 80,
				   .args = 360 };
static const struct layout new = { .stack = 40,
				   .tasks = 1200,
				   .mm = 1288,
				   .exit_signal = 1320,
				   .pid = 1400,
				   .parent = 1424,
				   .start = 1640,
				   .cred = 1880,
				   .comm = 1896,
				   .signal = 2008,
				   .uid = 8,
				   .sets = 48,
				   .pgd = 120,
				   .args = 416 };

static uint8_t memory[SIZE];
static struct kinfer room;

static int read_memory(void *arg, gpa_t gpa, void *dst, size_t len)
{
	(void)arg;
	if (gpa.v > SIZE || len > SIZE - gpa.v)
		return -EFAULT;
	memcpy(dst, memory + gpa.v, len);
	return 0;
}

static void put64(uint64_t at, uint64_t v)
{
	memcpy(memory + at, &v, sizeof(v));
}

static void put32(uint64_t at, uint32_t v)
{
	memcpy(memory + at, &v, sizeof(v));
}

static uint64_t task(int i)
{
	return TASK + (uint64_t)i * TASK_EACH;
}

static uint64_t link_of(const struct layout *l, int i)
{
	return DIRECT + task((i + N + 1) % (N + 1)) + l->tasks;
}

/* 0 is idle, 1 the first process, 2 the maker of the kernel's threads; the last two are processes. */
static bool is_thread(int i)
{
	return i != 1 && i < N - 1;
}

static void put_task(const struct layout *l, int i)
{
	const uint64_t t = task(i), signal = SIGNAL + (uint64_t)i * 64;
	const int parent = i <= 2 ? 0 : is_thread(i) ? 2 : 1;

	put32(t + l->stack - 8, i ? 1 : 0);
	put64(t + l->stack, DIRECT + STACK + (uint64_t)i * 16384);
	put32(t + l->stack + 8, 1);
	put32(t + l->stack + 12, is_thread(i) ? 0x00208040 : 0x00400100);
	put64(t + l->tasks, link_of(l, i + 1));
	put64(t + l->tasks + 8, link_of(l, i - 1));
	put64(t + l->mm, is_thread(i) ? 0 : DIRECT + MM);
	put64(t + l->mm + 8, DIRECT + MM);
	put32(t + l->exit_signal, i == 0 || i == 2 ? 0 : 17);
	put32(t + l->pid, (uint32_t)i * (i > 2 ? 7 : 1));
	put32(t + l->pid + 4, (uint32_t)i * (i > 2 ? 7 : 1));
	put64(t + l->parent, DIRECT + task(parent));
	put64(t + l->parent + 8, DIRECT + task(parent));
	put64(t + l->start - 8, (uint64_t)i * 1000000);
	put64(t + l->start, (uint64_t)i * 1000000);
	put64(t + l->cred - 24, DIRECT + t + l->cred - 24); /* an empty list */
	put64(t + l->cred - 16, DIRECT + t + l->cred - 24);
	put64(t + l->cred - 8, DIRECT + CRED);
	put64(t + l->cred, DIRECT + CRED);
	(void)snprintf((char *)memory + t + l->comm, 16, i ? "task/%d" : "swapper/%d", i);
	put64(t + l->signal, DIRECT + signal);
	put32(signal, 1);
	put32(signal + 4, 1);
	put32(signal + 8, 1);
	put64(signal + 16, DIRECT + t + l->signal - 400);
	put64(signal + 24, DIRECT + t + l->signal - 400);
}

static void make(const struct layout *l)
{
	memset(memory, 0, sizeof(memory));
	put64(PML4 + 273 * 8, PDPT | 3);
	put64(PML4 + 511 * 8, PDPT_IMAGE | 3);
	put64(PDPT, 0x83);
	put64(PDPT_IMAGE + 510 * 8, 0x83);
	put64(USER_PML4 + 511 * 8, PDPT_IMAGE | 3);
	put32(CRED, 100);
	for (int i = 1; i < 4; i++)
		put64(CRED + l->sets + (uint64_t)i * 8, (1ULL << 41) - 1);
	put64(MM + l->pgd, DIRECT + USER_PML4);
	for (uint64_t i = 0; i < 5; i++) /* a stack, and before it bounds of code and data */
		put64(MM + l->args - 8 + i * 8, 0x7fff00001000 + (i - i / 3) * 0x10);
	for (uint64_t i = 0; i < 5; i++)
		put64(MM + l->args - 64 + i * 8, 0x400000 + i * 0x1000);
	for (int i = 0; i <= N; i++)
		put_task(l, i);
}

static int infer(struct kfields *ret, struct err *e)
{
	static const struct pt_regs_cr cr = { 1ULL << 31, PML4, 1 << 5, 1 << 10 };
	struct gview v;

	memset(ret, 0, sizeof(*ret));
	memset(&room, 0, sizeof(room));
	assert_int_equal(gview_init(&v, &cr, read_memory, NULL), 0);
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
	memcpy(memory + TASK + 64, "swapper/0", 10);
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
		{ name_again, "'comm'" },       { two_lists, "'tasks'" },
		{ broken_list, "'tasks'" },     { loop_in_list, "'tasks'" },
		{ few_tasks, "'tasks'" },       { same_pid, "'pid'" },
		{ no_first, "'pid'" },          { strange_parent, "'real_parent'" },
		{ thread_with_memory, "'mm'" }, { strange_signal, "'exit_state'" },
		{ shared_stack, "'__state'" },  { no_flag, "'flags'" },
		{ other_cred, "'cred'" },       { weak_cred, "'cred'" },
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
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("kinfer", tests, NULL, NULL);
}
