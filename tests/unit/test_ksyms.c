/* SPDX-License-Identifier: MIT */
/* Symbols of a kernel that names its functions alone: from exports, from what it says to readers of dumps, and from code. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kcode.h"
#include "ksyms.h"
#include "made_kernel.h"

#define IMAGE  MADE_IMAGE
#define RAISED 0x2a5c0U
#define LAZY   0x2a5b8U

enum {
	TEXT = 0x10000, /* functions, 0x100 each */
	EACH = 0x100,
	DATA = 0x40000,
	NOTE_POINTER = DATA,
	PANIC_CPU = DATA + 0x40,
	OPS = DATA + 0x100,
	NOTE = 0x50000
};

enum function {
	RUN,
	TICK,
	QUEUE,
	PANIC,
	INFO,
	SPECIAL,
	OPEN,
	LAST,
	FUNCTIONS
};
#define F(id, name) [id] = { name, TEXT + (id)*EACH }
static const struct made_symbol names[FUNCTIONS] = {
	F(RUN, "irq_work_run"),           F(TICK, "irq_work_tick"),
	F(QUEUE, "irq_work_queue"),       F(PANIC, "nmi_panic"),
	F(INFO, "paddr_vmcoreinfo_note"), F(SPECIAL, "init_special_inode"),
	F(OPEN, "chrdev_open"),           F(LAST, "last"),
};

static char info[KCOREINFO_MAX];
static struct gview view;
static struct ksyms s;

static uint64_t code_of(enum function f)
{
	return TEXT + (uint64_t)f * EACH;
}

/* mov $@v, %rdi; add %gs:0x19a18, %rdi; */
static uint64_t put_own(uint64_t at, uint32_t v)
{
	put(at, "\x48\xc7\xc7", 3);
	put32(at + 3, v);
	put(at + 7, "\x65\x48\x03\x3c\x25\x18\x9a\x01\x00", 9);
	return at + 16;
}

static void put_functions(void)
{
	uint64_t at = put_own(code_of(RUN), RAISED);

	put(put_own(at, LAZY), "\xc3", 1);
	at = put_own(code_of(TICK), LAZY);
	put(put_own(at, RAISED), "\xc3", 1);
	at = put_own(code_of(QUEUE), LAZY);
	put(put_own(at, RAISED), "\xc3", 1);
	/* with another variable, which is not -1 */
	at = put_load(code_of(PANIC), DATA + 0x48);
	put(put_load(at, PANIC_CPU), "\xc3", 1);
	at = put_load(code_of(INFO), DATA + 0x48);
	put(put_load(at, NOTE_POINTER), "\xc3", 1);
	at = put_load(code_of(SPECIAL), OPS + 0x100);
	put(put_load(at, OPS), "\xc3", 1);
}

static void put_note(const char *text)
{
	put64(NOTE_POINTER, IMAGE + NOTE);
	put32(NOTE, 11);
	put32(NOTE + 4, (uint32_t)strlen(text));
	put(NOTE + 12, "VMCOREINFO", 11);
	put(NOTE + 24, text, strlen(text));
}

static void make(void)
{
	made_clear();
	memset(&s, 0, sizeof(s));
	put32(PANIC_CPU, UINT32_MAX);
	put64(OPS + 0x70, IMAGE + code_of(OPEN));
	put_note("OSRELEASE=6.1.0\nSYMBOL(prb)=ffffffff80041000\n");
	put_functions();
	s.all = made_symbols(names, FUNCTIONS);
	assert_int_equal(made_view(&view), 0);
	s.image = &made_image;
	s.view = &view;
	s.info = info;
	memcpy(s.release, "6.1.0", 6);
}

static size_t lookups; /* all names are gone through in each */

size_t __real_kallsyms_lookup(const struct kallsyms *k, struct ksym_want *want, size_t n);
size_t __wrap_kallsyms_lookup(const struct kallsyms *k, struct ksym_want *want, size_t n);

size_t __wrap_kallsyms_lookup(const struct kallsyms *k, struct ksym_want *want, size_t n)
{
	lookups++;
	return __real_kallsyms_lookup(k, want, n);
}

static uint64_t find(const char *name)
{
	struct ksym_want want = { .name = name };

	return ksyms_lookup(&s, &want, 1) ? want.addr.v : 0;
}

static void test_found(void **state)
{
	(void)state;
	make();
	assert_int_equal(ksyms_read_info(&s), 0);
	assert_int_equal(find("raised_list"), RAISED);
	assert_int_equal(find("panic_cpu"), IMAGE + PANIC_CPU);
	assert_int_equal(find("def_chr_fops"), IMAGE + OPS);
	assert_int_equal(find("prb"), 0xffffffff80041000);
	assert_int_equal(find("vmcoreinfo_note"), IMAGE + NOTE_POINTER);
	assert_int_equal(find("nmi_panic"), IMAGE + code_of(PANIC));
	assert_int_equal(find("nothing"), 0);
	/* a kernel that names all of them is asked for no code */
	s.whole = true;
	assert_int_equal(find("raised_list"), 0);
}

/* However many places a function refers to, and whether they are what is looked for or not. */
static void test_looked_up_once(void **state)
{
	size_t least = 0;

	(void)state;
	for (int n = 0; n < 8; n++) {
		uint64_t at = code_of(SPECIAL);

		make();
		for (int k = 0; k < n; k++)
			at = put_load(at, OPS + 0x200 + k * 8);
		put(put_load(at, OPS), "\xc3", 1);
		lookups = 0;
		assert_int_equal(find("def_chr_fops"), IMAGE + OPS);
		least = n ? least : lookups;
		assert_int_equal(lookups, least);
	}
}

static void no_name(void)
{
	made_memory[MADE_SYMBOLS] = 0; /* of any: the first has none, and so they end */
}

static void one_list(void)
{
	memset(made_memory + code_of(TICK), 0xcc, EACH);
}

static void other_list(void)
{
	(void)put_own(put_own(code_of(QUEUE), 0x3000), 0x3008);
}

static void odd_list(void)
{
	(void)put_own(code_of(RUN), RAISED + 1);
	(void)put_own(code_of(RUN) + 16, RAISED + 1);
	(void)put_own(code_of(TICK), RAISED + 1);
	(void)put_own(code_of(QUEUE), RAISED + 1);
}

static void no_code(void)
{
	memset(made_memory + code_of(RUN), 0x06, EACH); /* no instruction of 64-bit mode */
}

static void panicked(void)
{
	put32(PANIC_CPU, 0);
}

static void two_of_them(void)
{
	put32(DATA + 0x48, UINT32_MAX);
}

static void no_open(void)
{
	put64(OPS + 0x70, 0);
}

static void outside(void)
{
	put32(MADE_OFFSETS + PANIC * 4, MADE_SIZE + 0x1000);
	put32(MADE_OFFSETS + INFO * 4, MADE_SIZE + 0x1000);
}

static void test_not_found(void **state)
{
	static const struct {
		void (*change)(void);
		const char *name;
	} table[] = {
		{ one_list, "raised_list" }, { other_list, "raised_list" },
		{ odd_list, "raised_list" }, { no_code, "raised_list" },
		{ panicked, "panic_cpu" },   { two_of_them, "panic_cpu" },
		{ no_open, "def_chr_fops" }, { no_name, "def_chr_fops" },
		{ outside, "panic_cpu" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		make();
		table[i].change();
		if (find(table[i].name))
			fail_msg("%s, number %zu", table[i].name, i);
	}
}

static void test_info(void **state)
{
	static const char *const bad[] = {
		"OSRELEASE=6.1.01\n",
		"OSRELEASE=6.1\n",
		"PAGESIZE=1\nOSRELEASE=6.1.0\n",
		"OSRELEASE=6.1.0",
	};
	uint64_t v;

	(void)state;
	make();
	put_note(
		"OSRELEASE=6.1.0\nSIZE(a)=12\nSIZE(b)=0x1\nSIZE(c)=\nSIZE(d)=99999999999999999999999999\nSIZE(e)=7");
	assert_int_equal(ksyms_read_info(&s), 0);
	assert_int_equal(ksyms_info(&s, "SIZE", "a", 10, &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(ksyms_info(&s, "SIZE", "e", 10, &v), 0);
	for (const char *name = "bcd"; *name; name++) {
		const char one[] = { *name, 0 };

		assert_int_equal(ksyms_info(&s, "SIZE", one, 10, &v), -ENOENT);
	}
	/* that of another kernel, or cut off */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make();
		put_note(bad[i]);
		assert_int_equal(ksyms_read_info(&s), -ENOENT);
	}
}

static void test_code(void **state)
{
	static const struct {
		const char *code;
		size_t size;
		uint64_t to; /* 0: nothing */
	} table[] = {
		{ "\x48\x8b\x05\xf9\x0f\x00\x00", 7, IMAGE + 0x1000 }, /* mov 0xff9(%rip), %rax */
		{ "\x83\x3d\xf9\x0f\x00\x00\x01", 7, IMAGE + 0x1000 }, /* cmpl $1, 0xff9(%rip) */
		{ "\x48\xc7\xc7\x00\x10\x00\x80", 7, IMAGE + 0x1000 }, /* mov $..., %rdi */
		{ "\x48\x8b\x04\xc5\x00\x10\x00\x80", 8,
		  IMAGE + 0x1000 }, /* mov ...(,%rax,8), %rax */
		{ "\xc7\x04\x25\x00\x10\x00\x80\x01\x00\x00\x00", 11,
		  IMAGE + 0x1000 },                               /* movl $1, ... */
		{ "\x65\x48\x8b\x04\x25\x00\x10\x00\x80", 9, 0 }, /* mov %gs:..., %rax */
		{ "\xe8\xfb\x0f\x00\x00", 5, 0 },                 /* call */
		{ "\x48\x8b\x05\xf9\x0f\x00", 6, 0 },             /* cut off */
		{ "\x06\x48\x8b\x05\xf8\x0f\x00\x00", 8, 0 }, /* behind what is no instruction */
		{ "\x90", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kcode_refs r;

		kcode_scan((const uint8_t *)table[i].code, table[i].size, (gva_t){ IMAGE },
			   IMAGE + 0x1000, IMAGE + 0x1001, &r);
		assert_int_equal(r.n, table[i].to != 0);
		assert_true(!r.n || kcode_has(&r, table[i].to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),     cmocka_unit_test(test_looked_up_once),
		cmocka_unit_test(test_not_found), cmocka_unit_test(test_info),
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests_name("ksyms", tests, NULL, NULL);
}
