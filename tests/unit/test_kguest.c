/* SPDX-License-Identifier: MIT */
/* Processes, log and modules of a guest that was made here, and of one that would have us read for ever. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kguest.h"

#define RAM     (32UL << 20)
#define MAP     0xffff888000000000ULL /* where the guest has all of it */
#define TABLES  0x1000
#define TASKS   0x10000 /* the first is init_task */
#define TASK    256
#define MODULES 0x20000 /* the head, then the modules */
#define MODULE  512
#define USES    0x28000
#define USE     64
#define PRB     0x30000 /* the pointer, then what it points to */
#define DESCS   0x400000
#define DESC    24
#define INFOS   0x800000
#define INFO    32
#define TEXT    0x1000000
#define BEYOND  0x40000000 /* mapped nowhere */

static const struct kfield layout[KFIELDS] = {
#define F(id, o, n) [id] = { .there = true, .off = (o), .size = (n) }
	F(TASK_SIZE, 0, TASK),
	F(TASK_TASKS, 0, 16),
	F(TASK_PID, 16, 4),
	F(TASK_TGID, 20, 4),
	F(TASK_COMM, 24, 16),
	F(TASK_STATE, 40, 8),
	F(TASK_EXIT_STATE, 48, 4),
	F(TASK_FLAGS, 52, 4),
	F(TASK_REAL_PARENT, 56, 8),
	F(TASK_CRED, 64, 8),
	F(TASK_MM, 72, 8),
	F(TASK_SIGNAL, 80, 8),
	F(TASK_START, 88, 8),
	F(SIGNAL_NR_THREADS, 96, 4), /* of whatever it points to */
	F(CRED_UID, 100, 4),
	F(MM_PGD, 104, 8),
	F(MM_ARG_START, 112, 8),
	F(MM_ARG_END, 120, 8),
	F(RB_DESC_COUNT_BITS, 0, 4),
	F(RB_DESCS, 8, 8),
	F(RB_INFOS, 16, 8),
	F(RB_HEAD_ID, 24, 8),
	F(RB_TAIL_ID, 32, 8),
	F(RB_TEXT_SIZE_BITS, 40, 4),
	F(RB_TEXT_DATA, 48, 8),
	F(DESC_SIZE, 0, DESC),
	F(DESC_STATE, 0, 8),
	F(DESC_BEGIN, 8, 8),
	F(DESC_NEXT, 16, 8),
	F(INFO_SIZE, 0, INFO),
	F(INFO_SEQ, 0, 8),
	F(INFO_TIME, 8, 8),
	F(INFO_TEXT_LEN, 16, 2),
	F(INFO_FACILITY, 18, 1),
	[INFO_LEVEL] = { .there = true, .bit = 5, .bits = 3, .off = 19, .size = 1 },
	F(MODULE_LIST, 8, 16),
	F(MODULE_NAME, 24, 56),
	F(MODULE_STATE, 80, 4),
	F(MODULE_REFCNT, 84, 4),
	F(MODULE_USERS, 88, 16),
	F(MODULE_MEM, 104, 48),
	F(MODMEM_SIZE, 0, 16),
	F(MODMEM_BYTES, 8, 4),
	F(USE_SOURCE_LIST, 0, 16),
	F(USE_SOURCE, 16, 8),
#undef F
};

static uint8_t *ram;
static struct kfields fields;
static struct gview view;
static struct kguest guest;
static uint64_t reads;

static int read_ram(void *arg, gpa_t gpa, void *dst, size_t len)
{
	(void)arg;
	reads++;
	if (gpa.v > RAM || len > RAM - gpa.v)
		return -EFAULT;
	memcpy(dst, ram + gpa.v, len);
	return 0;
}

static void put(uint64_t at, uint64_t v, size_t n)
{
	assert_true(at + n <= RAM);
	memcpy(ram + at, &v, n);
}

static uint64_t task_at(unsigned int n)
{
	return TASKS + n * TASK;
}

static uint64_t module_at(unsigned int n)
{
	return MODULES + 0x100 + n * MODULE;
}

static uint64_t use_at(unsigned int n)
{
	return USES + n * USE;
}

/* The idle task, init, one that is gone, a kernel thread. */
static void make_tasks(void)
{
	static const char *const names[] = { "swapper/0", "init", "ze\x1b]", "kthreadd" };

	for (unsigned int n = 0; n < 4; n++) {
		const uint64_t at = task_at(n);

		put(at, MAP + task_at((n + 1) % 4), 8);
		put(at + 16, n, 4);
		put(at + 20, n, 4);
		strcpy((char *)ram + at + 24, names[n]);
		put(at + 40, n == 3 ? 0x402 : 1, 8);
		put(at + 48, n == 2 ? 32 : 0, 4);
		put(at + 52, n == 3 ? 0x00200000 : 0, 4);
		put(at + 56, MAP + task_at(n == 2), 8);
		put(at + 64, MAP + at, 8);
		put(at + 72, n == 3 ? 0 : MAP + at, 8);
		put(at + 80, MAP + at, 8);
		put(at + 88, n * 1000, 8);
		put(at + 96, n + 1, 4);
		put(at + 100, n * 500, 4);
		put(at + 104, MAP + TABLES, 8);
		put(at + 112, MAP + at + 128, 8);
		put(at + 120, MAP + at + 138, 8);
		memcpy(ram + at + 128, "/bin/x\0-v\0", 10);
	}
}

/* Two modules; the first is used by the second. */
static void make_modules(void)
{
	put(MODULES, MAP + module_at(0) + 8, 8);
	for (unsigned int n = 0; n < 2; n++) {
		const uint64_t at = module_at(n);

		put(at + 8, n ? MAP + MODULES : MAP + module_at(1) + 8, 8);
		strcpy((char *)ram + at + 24, n ? "second" : "first");
		put(at + 84, n ? 1 : 2, 4);
		put(at + 88, MAP + (n ? at + 88 : use_at(0)), 8);
		put(at + 104 + 8, 4096, 4);
		put(at + 104 + 40, 100, 4);
	}
	put(use_at(0), MAP + module_at(0) + 88, 8);
	put(use_at(0) + 16, MAP + module_at(1), 8);
}

static void make_record(uint64_t id, uint64_t seq, const char *text)
{
	const uint64_t slot = id & 7, at = slot * 64;

	put(DESCS + slot * DESC, id | 2ULL << 62, 8);
	put(DESCS + slot * DESC + 8, at, 8);
	put(DESCS + slot * DESC + 16, at + 64, 8);
	put(INFOS + slot * INFO, seq, 8);
	put(INFOS + slot * INFO + 8, seq * 1000, 8);
	put(INFOS + slot * INFO + 16, strlen(text), 2);
	put(INFOS + slot * INFO + 18, 3, 1);
	put(INFOS + slot * INFO + 19, 6 << 5, 1);
	memcpy(ram + TEXT + at + 8, text, strlen(text));
}

/* Eight descriptors, of which 5 to 9 are used; 7 was not finished. */
static void make_log(void)
{
	const uint64_t prb = PRB + 64;

	put(PRB, MAP + prb, 8);
	put(prb, 3, 4);
	put(prb + 8, MAP + DESCS, 8);
	put(prb + 16, MAP + INFOS, 8);
	put(prb + 24, 9, 8);
	put(prb + 32, 5, 8);
	put(prb + 40, 12, 4);
	put(prb + 48, MAP + TEXT, 8);
	for (unsigned int id = 5; id <= 9; id++)
		make_record(id, id + 95, id == 5 ? "the first" : "another");
	put(DESCS + (7 & 7) * DESC, 7, 8);
}

static int make(void **state)
{
	const struct pt_regs_cr cr = { 1ULL << 31, TABLES, 1 << 5, 1 << 10 };

	(void)state;
	if (!ram)
		ram = malloc(RAM);
	assert_non_null(ram);
	memset(ram, 0, RAM);
	/* the first GiB, in one entry, where the guest has all memory; it ends with RAM */
	put(TABLES + 273 * 8, 0x2000 | 3, 8);
	put(0x2000, 0x83, 8);
	make_tasks();
	make_modules();
	make_log();
	memcpy(fields.f, layout, sizeof(layout));
	assert_int_equal(gview_init(&view, &cr, read_ram, NULL), 0);
	guest = (struct kguest){ .view = &view,
				 .fields = &fields,
				 .init_task = { MAP + TASKS },
				 .prb = { MAP + PRB },
				 .modules = { MAP + MODULES } };
	reads = 0;
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void test_tasks(void **state)
{
	struct ktask_iter i = { 0 };
	struct ktask t;

	(void)state;
	assert_int_equal(ktask_next(&guest, &i, &t), 1);
	assert_int_equal(t.pid, 1);
	assert_int_equal(t.ppid, 0);
	assert_int_equal(t.uid, 500);
	assert_int_equal(t.threads, 2);
	assert_int_equal(t.state, 'S');
	assert_int_equal(t.start_ns, 1000);
	assert_string_equal(t.comm, "init");
	assert_string_equal(t.cmdline, "/bin/x -v");
	assert_false(t.kernel);
	assert_int_equal(ktask_next(&guest, &i, &t), 1);
	assert_int_equal(t.ppid, 1);
	assert_int_equal(t.state, 'Z');
	assert_string_equal(t.comm, "ze?]");
	assert_int_equal(ktask_next(&guest, &i, &t), 1);
	assert_int_equal(t.state, 'I');
	assert_true(t.kernel);
	assert_string_equal(t.cmdline, "");
	assert_int_equal(ktask_next(&guest, &i, &t), 0);
}

static void test_modules(void **state)
{
	struct kmod_iter i = { 0 };
	struct kmod m;

	(void)state;
	assert_int_equal(kmod_next(&guest, &i, &m), 1);
	assert_string_equal(m.name, "first");
	assert_string_equal(m.users, "second");
	assert_int_equal(m.refs, 1);
	assert_int_equal(m.size, 4196);
	assert_int_equal(kmod_next(&guest, &i, &m), 1);
	assert_string_equal(m.name, "second");
	assert_string_equal(m.users, "");
	assert_int_equal(kmod_next(&guest, &i, &m), 0);
}

static void test_log(void **state)
{
	struct klog_iter i = { 0 };
	struct klog_record k;
	unsigned int n = 0;

	(void)state;
	assert_int_equal(klog_next(&guest, &i, &k), 1);
	assert_int_equal(k.seq, 100);
	assert_int_equal(k.time_ns, 100000);
	assert_int_equal(k.facility, 3);
	assert_int_equal(k.level, 6);
	assert_int_equal(k.len, 9);
	assert_memory_equal(k.text, "the first", 9);
	while (klog_next(&guest, &i, &k) == 1)
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(klog_next(&guest, &i, &k), 0);
}

/* A list of more than there can be: elements of @size bytes, from @at on, all of memory. */
static void make_endless(uint64_t first, unsigned int size)
{
	for (uint64_t at = first; at + 2 * size <= RAM; at += size)
		put(at, MAP + at + size, 8);
}

static void endless_tasks(void)
{
	make_endless(task_at(1), TASK);
}

static void endless_modules(void)
{
	make_endless(module_at(0) + 8, 64);
}

/* Each of many modules has as many users, which have no names, so that what is printed of them does not grow. */
static void modules_without_end_of_users(void)
{
	for (unsigned int n = 0; n < KMODS_MAX; n++) {
		const uint64_t at = 0x1000000 + n * 128;

		put(at + 8, n + 1 < KMODS_MAX ? MAP + at + 128 + 8 : MAP + MODULES, 8);
		put(at + 88, MAP + 0x400000, 8);
	}
	for (unsigned int n = 0; n < KMOD_USERS_MAX; n++)
		put(0x400000 + n * 64, MAP + 0x400000 + (n + 1) * 64, 8);
	put(MODULES, MAP + 0x1000000 + 8, 8);
}

/* As many records as can be, all of them with the same large text. */
static void log_without_end(void)
{
	const uint64_t prb = PRB + 64;

	put(prb, 17, 4);
	put(prb + 24, (1 << 17) - 1, 8);
	put(prb + 32, 0, 8);
	for (uint64_t id = 0; id < 1 << 17; id++) {
		put(DESCS + id * DESC, id | 2ULL << 62, 8);
		put(DESCS + id * DESC + 8, 0, 8);
		put(DESCS + id * DESC + 16, 2048, 8);
	}
	for (uint64_t at = INFOS; at + INFO <= TEXT; at += INFO)
		put(at + 16, 1024, 2);
}

/* A walk of all tasks, and a guest that changes the list while it is read: so often. */
static struct {
	unsigned int walks, changes, found;
} seen;

/* The memory of the second was given to one that is the last by now, as a walk finds it that was there before. */
static int walk_tasks(void *arg)
{
	struct ktask_iter i = { 0 };
	struct ktask t;
	int r;

	(void)arg;
	seen.walks++;
	seen.found = 0;
	while ((r = ktask_next(&guest, &i, &t)) == 1)
		if (++seen.found == 2 && seen.walks <= seen.changes)
			put(task_at(3), MAP + task_at(1), 8);
	put(task_at(3), MAP + task_at(0), 8);
	return r;
}

/* What broke off is read again, but not for ever. */
static void test_changing(void **state)
{
	static const struct {
		unsigned int changes, walks;
		int r;
	} table[] = { { 0, 1, 0 },
		      { 1, 2, 0 },
		      { KGUEST_WALKS - 1, KGUEST_WALKS, 0 },
		      { KGUEST_WALKS, KGUEST_WALKS, -EPROTO },
		      { UINT32_MAX, KGUEST_WALKS, -EPROTO } };

	for (size_t n = 0; n < ARRAY_SIZE(table); n++) {
		(void)make(state);
		memset(&seen, 0, sizeof(seen));
		seen.changes = table[n].changes;
		assert_int_equal(kguest_walk(walk_tasks, NULL), table[n].r);
		assert_int_equal(seen.walks, table[n].walks);
		assert_true(table[n].r || seen.found == 3);
	}
}

#define TASK_BAD(what, at, v, most)                   \
	{                                             \
		what, 't', at, v, NULL, most, -EPROTO \
	}
#define MODULE_BAD(what, at, v, most)                 \
	{                                             \
		what, 'm', at, v, NULL, most, -EPROTO \
	}
#define LOG_BAD(what, at, v, most, r)           \
	{                                       \
		what, 'l', at, v, NULL, most, r \
	}

/* What a hostile guest would write, where, and what is to be had of it then. */
static void test_bad(void **state)
{
	const struct {
		const char *what;
		char list;
		uint64_t at, v;
		void (*make)(void);
		unsigned int most; /* that are found before it breaks off */
		int r;
	} bad[] = {
		TASK_BAD("a task that points at itself", task_at(1), MAP + task_at(1), 0),
		TASK_BAD("tasks in a ring without the first", task_at(3), MAP + task_at(1), 9),
		TASK_BAD("a ring of two", task_at(2), MAP + task_at(1), 9),
		TASK_BAD("a task that leads to nothing", task_at(2), 0, 1),
		TASK_BAD("a task where no memory is", task_at(2), MAP + BEYOND, 2),
		TASK_BAD("a task beyond all tables", task_at(2), 0xffffffffffffff00, 2),
		TASK_BAD("a task at no address", task_at(2), 0x8000000000000000, 2),
		{ "tasks without end", 't', 0, 0, endless_tasks, KTASKS_MAX, -EPROTO },
		MODULE_BAD("a module that points at itself", module_at(0) + 8,
			   MAP + module_at(0) + 8, 0),
		MODULE_BAD("modules in a ring", module_at(1) + 8, MAP + module_at(0) + 8, 9),
		MODULE_BAD("a module where no memory is", module_at(0) + 8, MAP + BEYOND, 1),
		{ "modules without end", 'm', 0, 0, endless_modules, KMODS_MAX, -EPROTO },
		{ "users in a ring", 'm', use_at(0), MAP + use_at(0), NULL, 2, 0 },
		{ "a user where no memory is", 'm', use_at(0), MAP + BEYOND, NULL, 2, 0 },
		{ "users without end", 'm', 0, 0, modules_without_end_of_users, KMODS_MAX, 0 },
		LOG_BAD("a log nowhere", PRB, MAP + BEYOND, 0, -EPROTO),
		LOG_BAD("no descriptors", PRB + 64, 0, 0, -EPROTO),
		LOG_BAD("too many descriptors", PRB + 64, 21, 0, -EPROTO),
		LOG_BAD("descriptors nowhere", PRB + 64 + 8, MAP + BEYOND, 0, -EPROTO),
		LOG_BAD("no facts", PRB + 64 + 16, MAP + BEYOND, 0, -EPROTO),
		LOG_BAD("no text", PRB + 64 + 48, MAP + BEYOND, 0, 0),
		LOG_BAD("a buffer that is too large", PRB + 64 + 40, 26, 0, -EPROTO),
		LOG_BAD("a head that is never reached", PRB + 64 + 24, 1ULL << 40, 4, 0),
		LOG_BAD("a block that ends before it begins", DESCS + 5 * DESC + 8, 1000, 3, 0),
		LOG_BAD("a block of another round", DESCS + 5 * DESC + 8, 0x7000, 4, 0),
		{ "more text than there is room for", 'l', 0, 0, log_without_end, 5, -EPROTO },
	};

	for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
		struct ktask_iter t = { 0 };
		struct kmod_iter m = { 0 };
		struct klog_iter l = { 0 };
		struct ktask task;
		struct kmod mod;
		struct klog_record record;
		unsigned int found = 0;
		int r;

		(void)make(state);
		if (bad[n].make)
			bad[n].make();
		else
			put(bad[n].at, bad[n].v,
			    bad[n].list == 'l' && bad[n].at == PRB + 64 ? 4 : 8);
		while ((r = bad[n].list == 't'   ? ktask_next(&guest, &t, &task)
			    : bad[n].list == 'm' ? kmod_next(&guest, &m, &mod)
						 : klog_next(&guest, &l, &record)) == 1)
			found++;
		if (r != bad[n].r || found > bad[n].most)
			fail_msg("%s: %d after %u", bad[n].what, r, found);
		/* 30 us each would be a minute */
		if (reads > 2000000)
			fail_msg("%s: %lu reads", bad[n].what, (unsigned long)reads);
	}
}

/* Members where no copy of the structure has them, and ones that are not there. */
static void test_fields(void **state)
{
	struct ktask_iter i = { 0 };
	struct klog_iter l = { 0 };
	struct kmod_iter m = { 0 };
	struct klog_record k;
	struct kmod mod;
	struct ktask t;

	(void)state;
	fields.f[TASK_SIZE].size = 20000;
	assert_int_equal(ktask_next(&guest, &i, &t), -EPROTO);
	fields.f[TASK_SIZE].size = 8;
	assert_int_equal(ktask_next(&guest, &i, &t), -EPROTO);
	fields.f[TASK_SIZE].size = TASK;
	fields.f[TASK_COMM].off = TASK - 8;
	fields.f[TASK_TGID].off = TASK;
	assert_int_equal(ktask_next(&guest, &i, &t), 1);
	assert_int_equal(t.pid, 0);
	assert_string_equal(t.comm, "");
	fields.f[DESC_SIZE].size = 257;
	assert_int_equal(klog_next(&guest, &l, &k), -EPROTO);
	fields.f[INFO_SEQ].there = false;
	l = (struct klog_iter){ 0 };
	assert_int_equal(klog_next(&guest, &l, &k), -ENOENT);
	fields.f[MODULE_LIST].there = false;
	assert_int_equal(kmod_next(&guest, &m, &mod), -ENOENT);
	guest.init_task.v = guest.prb.v = guest.modules.v = 0;
	i = (struct ktask_iter){ 0 };
	assert_int_equal(ktask_next(&guest, &i, &t), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tasks, make),
		cmocka_unit_test_setup(test_modules, make),
		cmocka_unit_test_setup(test_log, make),
		cmocka_unit_test_setup(test_changing, make),
		cmocka_unit_test_setup(test_bad, make),
		cmocka_unit_test_setup(test_fields, make),
	};

	return cmocka_run_group_tests_name("kguest", tests, NULL, unmake);
}
