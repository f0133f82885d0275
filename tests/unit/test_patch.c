/* SPDX-License-Identifier: MIT */
/* test_patch.c - system call sites as compilers make them, what must be refused, and the bytes that result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "patch.h"

#define ADDR   0x7f0000401000ull
#define SLOT   0x60001000ull
#define ANY    PATCH_NR_UNKNOWN
#define START  true /* the bytes begin with an instruction, and the caller knows */
#define MIDDLE false

/* What a decoder that does not know where it is cannot get wrong: one instruction a byte. */
#define NOPS "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

struct good {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	bool starts_insn;
	int nr;
	enum patch_form form;
	uint8_t sys; /* in the window */
	uint8_t len;
	uint8_t traps;
};

static const struct good goods[] = {
	{ "glibc: getppid", BYTES(NOPS "\xf3\x0f\x1e\xfa\xb8\x6e\0\0\0\x0f\x05\xc3"), MIDDLE, 110,
	  PATCH_BEFORE, 5, 7, 0 },
	{ "number of 7 bytes", BYTES(NOPS "\x48\xc7\xc0\x27\0\0\0\x0f\x05\xc3"), MIDDLE, ANY,
	  PATCH_BEFORE, 7, 9, 0 },
	{ "glibc: read without threads, a branch over the call",
	  BYTES(NOPS
		"\x80\x3d\x31\x33\x0e\0\0\x74\x17\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x5b\xc3"),
	  MIDDLE, 0, PATCH_AFTER, 0, 8, 1 << 2 },
	{ "glibc: read with threads",
	  BYTES(NOPS "\x48\x8b\x54\x24\x18\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff"), MIDDLE, 0,
	  PATCH_BEFORE, 7, 9, 0 },
	{ "glibc: futex, a flag between number and call",
	  BYTES(NOPS "\xb8\xca\0\0\0\x40\x80\xf6\x81\x0f\x05\x48\x3d\0\xf0\xff\xff"), MIDDLE, ANY,
	  PATCH_BEFORE, 9, 11, 0 },
	{ "glibc: syscall()",
	  BYTES("\x48\x89\xf8\x48\x89\xf7\x48\x89\xd6\x48\x89\xca\x4d\x89\xc2\x4d\x89\xc8\x4c\x8b\x4c\x24\x08\x0f\x05"
		"\x48\x3d\x01\xf0\xff\xff\x73\x01\xc3"),
	  START, ANY, PATCH_BEFORE, 5, 7, 0 },
	{ "glibc: vfork", BYTES(NOPS "\x5f\xb8\x3a\0\0\0\x0f\x05\x57\x48\x3d\x01\xf0\xff\xff"),
	  MIDDLE, 58, PATCH_BEFORE, 5, 7, 0 },
	{ "glibc: exit in a loop",
	  BYTES(NOPS "\xba\x3c\0\0\0\x31\xff\x89\xd0\x0f\x05\xeb\xf8\x31\xc0"), MIDDLE, 60,
	  PATCH_ACROSS, 4, 6, 1 << 2 | 1 << 4 },
	{ "glibc: a number in a register",
	  BYTES(NOPS "\x45\x31\xd2\x44\x89\xc8\x0f\x05\x48\x3d\0\xf0\xff\xff"), MIDDLE, ANY,
	  PATCH_ACROSS, 3, 5, 1 << 3 },
	{ "musl: system call by registers",
	  BYTES(NOPS "\x4d\x89\xc2\x4c\x8b\x44\x24\x08\x4d\x89\xc8\x0f\x05\xc3"), MIDDLE, ANY,
	  PATCH_BEFORE, 8, 10, 0 },
	{ "musl: clone, a number of one byte",
	  BYTES(NOPS
		"\x31\xc0\xb0\x38\x49\x89\xfb\x48\x89\xd7\x4c\x89\xc2\x4d\x89\xc8\x4d\x89\xda\x0f\x05\x85\xc0\x75\x0f"),
	  MIDDLE, 56, PATCH_ACROSS, 3, 5, 1 << 3 },
	{ "musl: cancellable, the stack is written right before",
	  BYTES(NOPS "\x4c\x8b\x4c\x24\x10\x4c\x89\x5c\x24\x08\x0f\x05\xc3"), MIDDLE, ANY,
	  PATCH_BEFORE, 5, 7, 0 },
	{ "Go: Syscall6",
	  BYTES("\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf\x0f\x05\x48\x3d\x01\xf0\xff\xff\x76\x13"),
	  START, ANY, PATCH_ACROSS, 3, 5, 1 << 3 },
	{ "Go: runtime.futex",
	  BYTES(NOPS "\x44\x8b\x4c\x24\x24\xb8\xca\0\0\0\x0f\x05\x89\x44\x24\x28\xc3"), MIDDLE, 202,
	  PATCH_BEFORE, 5, 7, 0 },
	{ "an operand relative to RIP before",
	  BYTES(NOPS "\x48\x8d\x3d\x10\x20\0\0\x31\xc0\x0f\x05\xc3"), MIDDLE, ANY, PATCH_BEFORE, 9,
	  11, 0 },
	{ "operands and a short branch behind", BYTES("\x0f\x05\x85\xc0\x75\x1e\x90"), START, ANY,
	  PATCH_AFTER, 0, 6, 1 << 2 | 1 << 4 },
	{ "a jump behind", BYTES("\x0f\x05\xe9\xf7\xfe\xff\xff"), START, ANY, PATCH_AFTER, 0, 7,
	  1 << 2 },
	/* C7 44 24 B8 27 00 00 00 ends like "mov $39, %eax". */
	{ "a store that ends like a number", BYTES(NOPS "\xc7\x44\x24\xb8\x27\0\0\0\x0f\x05\xc3"),
	  MIDDLE, ANY, PATCH_BEFORE, 8, 10, 0 },
	{ "the trap came by a jump: rax is not the number before it",
	  BYTES(NOPS "\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3"), MIDDLE, 40, PATCH_AFTER,
	  0, 8, 1 << 2 },
	{ "a loop that jumps to the call",
	  BYTES(NOPS "\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\xf6\xc3"), MIDDLE, ANY,
	  PATCH_AFTER, 0, 8, 1 << 2 },
	{ "a jump into the number: behind the call",
	  BYTES(NOPS "\x74\x02\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3"), MIDDLE, ANY,
	  PATCH_AFTER, 0, 8, 1 << 2 },
	{ "a jump into the instruction before: from there, the number is none",
	  BYTES(NOPS
		"\x74\x05\x48\x81\xc1\0\0\xc7\x80\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff"),
	  MIDDLE, ANY, PATCH_AFTER, 0, 8, 1 << 2 },
	{ "behind a return lies what nothing leads to: behind the call",
	  BYTES(NOPS "\xc3\0\x41\x55\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff"), MIDDLE, ANY,
	  PATCH_AFTER, 0, 8, 1 << 2 },
	{ "zeros are no code, even where a function might begin: behind the call",
	  BYTES("\x31\xd2\x31\xd2\x31\xd2\x31\xd2\x31\xd2\x31\xd2\x31\xd2\xf8\xc3\0\0\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff"),
	  MIDDLE, ANY, PATCH_AFTER, 0, 8, 1 << 2 },
	{ "behind a return a function begins",
	  BYTES(NOPS
		"\xc3\x0f\x1f\x84\0\0\0\0\0\x66\x0f\x1f\x44\0\0\x90\xb8\x27\0\0\0\x0f\x05\xc3"),
	  MIDDLE, ANY, PATCH_BEFORE, 5, 7, 0 },
	{ "nothing before it can be proved: behind the call",
	  BYTES("\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3"), MIDDLE, ANY, PATCH_AFTER, 0, 8,
	  1 << 2 },
};

static struct patch_code code_of(const uint8_t *bytes, size_t size, bool starts_insn, int nr)
{
	return (struct patch_code){ .bytes = bytes,
				    .size = size,
				    .addr = ADDR,
				    .hi = size,
				    .starts_insn = starts_insn,
				    .nr = nr };
}

/* The last system call of some bytes, as far as one can look for it. */
static size_t find_call(const uint8_t *bytes, size_t size)
{
	for (size_t i = size - 1; i-- > 0;)
		if (bytes[i] == 0x0f && bytes[i + 1] == 0x05)
			return i;
	return size;
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		const struct good *g = &goods[i];
		struct patch_code code = code_of(g->bytes, g->size, g->starts_insn, g->nr);
		size_t sys = find_call(g->bytes, g->size);
		struct patch_plan p;
		enum patch_result r = patch_plan(&code, sys, 0, &p);
		const char *what;

		if (r != PATCH_OK)
			fail_msg("%s: %s", g->name, patch_result_name(r));
		if (p.form != g->form || p.sys != g->sys || p.len != g->len || p.traps != g->traps)
			fail_msg("%s: form %s, syscall at %u of %u, traps %#x", g->name,
				 patch_form_name(p.form), p.sys, p.len, p.traps);
		for (unsigned int skip = 0; patch_plan(&code, sys, skip, &p) == PATCH_OK; skip++) {
			what = check_plan(&code, sys, &p, ADDR + 0x10000000, SLOT);
			if (what)
				fail_msg("%s, plan %u: %s", g->name, skip, what);
		}
	}
}

struct bad {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	bool starts_insn;
	int nr;
	enum patch_result result;
};

static const struct bad bads[] = {
	{ "no system call", BYTES(NOPS "\x0f\x34\xc3"), MIDDLE, ANY, PATCH_NOT_SYSCALL },
	{ "signal return of glibc", BYTES(NOPS "\x48\xc7\xc0\x0f\0\0\0\x0f\x05"), MIDDLE, ANY,
	  PATCH_SIGRETURN },
	{ "signal return of musl", BYTES(NOPS "\xb8\x0f\0\0\0\x0f\x05"), MIDDLE, ANY,
	  PATCH_SIGRETURN },
	{ "signal return by a register", BYTES(NOPS "\x44\x89\xc8\x90\x0f\x05\x90\x90\x90"), MIDDLE,
	  15, PATCH_SIGRETURN },
	{ "the code ends behind it", BYTES("\x31\xc0\x0f\x05"), START, ANY, PATCH_NO_WINDOW },
	{ "the code ends within the window", BYTES("\x0f\x05\x48\x3d\0\xf0\xff"), START, ANY,
	  PATCH_NO_WINDOW },
	{ "between a call and a return", BYTES(NOPS "\xe8\0\x10\0\0\x0f\x05\xc3\x90\x90"), MIDDLE,
	  ANY, PATCH_NO_WINDOW },
	{ "between jumps through memory",
	  BYTES(NOPS "\xff\x15\0\x10\0\0\x0f\x05\xff\x15\0\x10\0\0"), MIDDLE, ANY,
	  PATCH_NO_WINDOW },
	{ "between breakpoints", BYTES(NOPS "\xcc\x0f\x05\xcc\xcc\xcc\xcc"), MIDDLE, ANY,
	  PATCH_NO_WINDOW },
	{ "a second call right behind", BYTES("\xeb\0\x0f\x05\x0f\x34\x90"), START, ANY,
	  PATCH_NO_WINDOW },
	{ "LOOP has only a short form", BYTES(NOPS "\xe2\xfe\x0f\x05\xe2\xfe\x90\x90"), MIDDLE, ANY,
	  PATCH_NO_WINDOW },
	{ "relative to EIP", BYTES("\x67\x48\x8d\x05\0\x10\0\0\x0f\x05\x67\x48\x8d\x05\0\x10\0\0"),
	  START, ANY, PATCH_NO_WINDOW },
	{ "a transaction begins", BYTES(NOPS "\xc7\xf8\0\x10\0\0\x0f\x05\xc7\xf8\0\x10\0\0"),
	  MIDDLE, ANY, PATCH_NO_WINDOW },
	{ "a load of SS holds back interrupts",
	  BYTES("\x8e\x90\0\x10\0\0\x0f\x05\x8e\x90\0\x10\0\0"), START, ANY, PATCH_NO_WINDOW },
	{ "a branch that processors disagree about", BYTES("\xf4\x0f\x05\x66\x0f\x84\0\x10\0\0"),
	  START, ANY, PATCH_NO_WINDOW },
	{ "behind exit lies no code", BYTES("\x0f\x05\x48\x3d\0\xf0\xff\xff"), START, 60,
	  PATCH_NO_WINDOW },
	{ "jumps into both windows",
	  BYTES(NOPS "\xeb\x01\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xeb\xf9"), MIDDLE, ANY,
	  PATCH_JUMP_IN },
	{ "a near jump out of other bytes into the window",
	  BYTES(NOPS "\xb8\x27\0\0\0\x0f\x05\xf4\x48\xb8\xe9\xf3\xff\xff\xff\0\0\0"), MIDDLE, ANY,
	  PATCH_JUMP_IN },
	{ "data before it",
	  BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb8\x27\0\0\0\x0f\x05\xf4"), MIDDLE, ANY,
	  PATCH_UNPROVED },
	{ "too little before it to tell", BYTES("\x90\x90\xb8\x27\0\0\0\x0f\x05\xf4"), MIDDLE, ANY,
	  PATCH_UNPROVED },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		struct patch_code code = code_of(b->bytes, b->size, b->starts_insn, b->nr);
		size_t sys = find_call(b->bytes, b->size);
		struct patch_plan p = { .n = 99 };
		enum patch_result r = patch_plan(&code, sys < b->size ? sys : 16, 0, &p);

		if (r != b->result)
			fail_msg("%s: %s", b->name, patch_result_name(r));
		assert_int_equal(p.n, 99);
	}
}

static void test_bounds(void **state)
{
	const uint8_t bytes[] = NOPS "\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3";
	struct patch_code code = code_of(bytes, sizeof(bytes) - 1, MIDDLE, ANY);
	struct patch_plan p;

	(void)state;
	code.lo = 16;
	code.hi = 21;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_OK);
	assert_int_equal(p.form, PATCH_BEFORE);
	assert_int_equal(patch_plan(&code, 21, 1, &p), PATCH_NO_WINDOW);
	code.hi = 20;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_NO_WINDOW);
	code.lo = 17;
	code.hi = 26;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_OK);
	assert_int_equal(p.form, PATCH_AFTER);
	code.hi = code.size + 1;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_NOT_SYSCALL);
	code.hi = code.size;
	assert_int_equal(patch_plan(&code, code.size, 0, &p), PATCH_NOT_SYSCALL);
	assert_int_equal(patch_plan(&code, code.size - 1, 0, &p), PATCH_NOT_SYSCALL);
	assert_int_equal(patch_plan(&code, SIZE_MAX, 0, &p), PATCH_NOT_SYSCALL);
	code.addr = UINT64_MAX - code.size + 1;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_NOT_SYSCALL);
}

/* The first place, found by looking at each address. */
static bool place_slowly(const struct patch_plan *p, uint64_t from, uint64_t end, uint64_t *ret)
{
	for (uint64_t a = from; a + p->tramp_len <= end; a++) {
		uint64_t rel = a - p->addr - PATCH_JUMP_LEN;
		bool fits = a >= p->tramp_min && a <= p->tramp_max;

		for (unsigned int i = 1; i < PATCH_JUMP_LEN; i++)
			fits &= !(p->traps & 1u << i) ||
				patch_is_trap((uint8_t)(rel >> 8 * (i - 1)));
		if (fits) {
			*ret = a;
			return true;
		}
	}
	return false;
}

static void test_place(void **state)
{
	static const struct {
		uint8_t traps;
		int64_t from;
		uint64_t size;
	} cases[] = {
		{ 0, 0x1000, 0x1000 },
		{ 1 << 1, 0x1000, 0x1000 },
		{ 1 << 2, 0x1000, 0x20000 },
		{ 1 << 3, 0x1000, 0x2000000 },
		{ 1 << 4, 0x5fff000, 0x2000 },
		{ 1 << 4, 0x1000, 0x10000 },
		{ 1 << 2 | 1 << 4, 0x1000, 0x6020000 },
		{ 0x1e, 0x6000000, 0x80000 },
		{ 1 << 2, -0x20000, 0x20000 },
		{ 1 << 3, -0x2000000, 0x2000000 },
		{ 0x06, 0x16d6dc, 0x20000 },
		{ 0x06, 0x12345, 0x20000 },
		{ 1 << 3, 0x7ff00000, 0x200000 },
	};
	struct patch_plan p = { .addr = ADDR, .tramp_len = 50 };

	(void)state;
	p.tramp_min = ADDR - 0x7ffff000;
	p.tramp_max = ADDR + 0x7ffff000;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t from = ADDR + (uint64_t)cases[i].from, a = 1, b = 1;

		p.traps = cases[i].traps;
		assert_int_equal(patch_place(&p, from, from + cases[i].size, &a),
				 place_slowly(&p, from, from + cases[i].size, &b));
		assert_true(a == b);
	}
	p.traps = 0;
	assert_true(patch_place(&p, 0, UINT64_MAX, &(uint64_t){ 0 }));
	assert_false(patch_place(&p, ADDR, ADDR + 49, &(uint64_t){ 0 }));
	assert_true(patch_place(&p, ADDR, ADDR + 50, &(uint64_t){ 0 }));
	assert_false(patch_place(&p, p.tramp_max + 1, UINT64_MAX, &(uint64_t){ 0 }));
}

static void test_reach(void **state)
{
	/* lea 0x7fff0000(%rip), %rdi */
	const uint8_t bytes[] = "\x48\x8d\x3d\0\0\xff\x7f\x0f\x05\xc3";
	struct patch_code code = code_of(bytes, sizeof(bytes) - 1, START, ANY);
	uint8_t tramp[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	struct patch_plan p;
	uint64_t at;

	(void)state;
	assert_int_equal(patch_plan(&code, 7, 0, &p), PATCH_OK);
	assert_false(patch_place(&p, ADDR - 0x100000, ADDR - 0x20000, &at));
	assert_true(patch_place(&p, ADDR + 0x100000, ADDR + 0x200000, &at));
	assert_true(patch_emit(&p, at, SLOT, tramp, jump));
	assert_false(patch_emit(&p, ADDR - 0x100000, SLOT, tramp, jump));
	assert_false(patch_emit(&p, at + 0x100000000, SLOT, tramp, jump));
	assert_true(patch_emit(&p, at, at + 4096, tramp, jump));
	assert_false(patch_emit(&p, at, at + 0x100000000, tramp, jump));
	assert_false(patch_emit(&p, at, 0x80000000, tramp, jump));
}

static void test_trampoline(void **state)
{
	const uint8_t bytes[] = NOPS "\xb8\x27\0\0\0\x0f\x05\xc3";
	static const uint8_t want[] =
		"\xb8\x27\0\0\0"
		"\x48\x8d\x0d\x0b\x00\xff\xff" /* to ADDR + 23, from ADDR + 0x1000c */
		"\x49\x89\xcb"
		"\xff\x24\x25\x00\x10\x00\x60";
	struct patch_code code = code_of(bytes, sizeof(bytes) - 1, MIDDLE, ANY);
	uint8_t tramp[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	struct patch_plan p;
	uint64_t ip;

	(void)state;
	assert_int_equal(patch_plan(&code, 21, 0, &p), PATCH_OK);
	assert_true(patch_emit(&p, ADDR + 0x10000, SLOT, tramp, jump));
	assert_int_equal(p.tramp_len, sizeof(want) - 1);
	assert_memory_equal(tramp, want, sizeof(want) - 1);
	assert_memory_equal(jump, "\xe9\xeb\xff\x00\x00", 5);
	for (size_t i = 0; i < p.tramp_len; i++) {
		assert_true(patch_ip_original(&p, ADDR + 0x10000, ADDR + 0x10000 + i, &ip));
		assert_true(ip == ADDR + (i < 5 ? 16 : 21));
	}
	assert_true(patch_ip_resume(&p, ADDR + 0x10000, ADDR + 16, &ip) && ip == ADDR + 0x10000);
	assert_true(patch_ip_resume(&p, ADDR + 0x10000, ADDR + 21, &ip) && ip == ADDR + 0x10005);
	assert_false(patch_ip_resume(&p, ADDR + 0x10000, ADDR + 17, &ip));
	assert_false(patch_ip_resume(&p, ADDR + 0x10000, ADDR + 23, &ip));
}

static void test_one_store(void **state)
{
	(void)state;
	for (uint64_t a = 0; a < 16; a++)
		assert_int_equal(patch_is_one_store(&(struct patch_plan){ .addr = ADDR + a }),
				 a % 8 <= 3);
}

struct length {
	const uint8_t *bytes;
	size_t size;
	size_t len; /* 0: no instruction */
	enum patch_flow flow;
};

static const struct length lengths[] = {
	{ BYTES("\x90"), 1, PATCH_FLOW_NEXT },
	{ BYTES(""), 0, 0 },
	{ BYTES("\x48"), 0, 0 },
	{ BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 15,
	  PATCH_FLOW_NEXT },
	{ BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 0, 0 },
	{ BYTES("\x48\xb8\1\2\3\4\5\6\7\x08"), 10, PATCH_FLOW_NEXT },
	{ BYTES("\x48\xb8\1\2\3\4\5\6\7"), 0, 0 },
	{ BYTES("\x66\xb8\1\2"), 4, PATCH_FLOW_NEXT },
	{ BYTES("\x48\x66\xb8\1\2"), 5, PATCH_FLOW_NEXT }, /* REX before a prefix does not count */
	{ BYTES("\xa1\1\2\3\4\5\6\7\x08"), 9, PATCH_FLOW_NEXT },
	{ BYTES("\x67\xa1\1\2\3\4"), 6, PATCH_FLOW_NEXT },
	{ BYTES("\xf6\xc0\1"), 3, PATCH_FLOW_NEXT }, /* TEST; NOT has no immediate */
	{ BYTES("\xf6\xd0\1"), 2, PATCH_FLOW_NEXT },
	{ BYTES("\x66\xf7\xc0\1\2"), 5, PATCH_FLOW_NEXT },
	{ BYTES("\xc8\1\2\3"), 4, PATCH_FLOW_NEXT },
	{ BYTES("\x8f\xc0"), 2, PATCH_FLOW_NEXT }, /* POP, and XOP */
	{ BYTES("\x8f\xe8\x78\xc0\xc1\x05"), 6, PATCH_FLOW_NEXT },
	{ BYTES("\xc5\xfc\x77"), 3, PATCH_FLOW_NEXT },
	{ BYTES("\xc4\xe3\x7d\x18\x00\x01"), 6, PATCH_FLOW_NEXT },
	{ BYTES("\xc4\xe4\x7d\x18\x00\x01"), 0, 0 }, /* VEX map 4 */
	{ BYTES("\x62\xf1\x7c\x48\x10\x0d\1\2\3\4"), 10, PATCH_FLOW_NEXT },
	{ BYTES("\x62\xf9\x7c\x48\x10\x0d\1\2\3\4"), 0, 0 },
	{ BYTES("\x0f\x20\x04"), 3, PATCH_FLOW_NEXT }, /* MOV from CR0 takes no memory */
	{ BYTES("\x66\x0f\x78\xc0\1\2"), 6, PATCH_FLOW_NEXT },
	{ BYTES("\x0f\x78\xc0"), 3, PATCH_FLOW_NEXT },
	{ BYTES("\x0f\x0f\xc0\x9e"), 4, PATCH_FLOW_NEXT },
	{ BYTES("\x0f\x05"), 2, PATCH_FLOW_SYSCALL },
	{ BYTES("\xe8\1\2\3\4"), 5, PATCH_FLOW_CALL },
	{ BYTES("\x66\xe8\1\2\3\4"), 0, 0 },
	{ BYTES("\x66\x48\xe8\1\2\3\4"), 7,
	  PATCH_FLOW_OTHER }, /* moving it would break what linkers rely on */
	{ BYTES("\xff\x25\1\2\3\4"), 6, PATCH_FLOW_RET },
	{ BYTES("\xff\x15\1\2\3\4"), 6, PATCH_FLOW_OTHER },
	{ BYTES("\x06"), 0, 0 },
	{ BYTES("\x82\xc0\x01"), 0, 0 },
	{ BYTES("\xea\1\2\3\4\5\6"), 0, 0 },
};

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct length *l = &lengths[i];
		struct patch_insn insn = { 0 };
		size_t len = patch_decode(l->bytes, l->size, &insn);

		if (len != l->len || (len && insn.flow != l->flow))
			fail_msg("case %zu: length %zu, flow %u", i, len, insn.flow);
	}
}

/* No processor executes anything but a trap at a byte that patch_is_trap(). */
static void test_traps(void **state)
{
	unsigned int n = 0;

	(void)state;
	for (unsigned int b = 0; b < 256; b++) {
		const uint8_t code[16] = { (uint8_t)b };
		struct patch_insn insn;

		if (!patch_is_trap((uint8_t)b))
			continue;
		n++;
		if (b == 0xcc)
			assert_int_equal(patch_decode(code, sizeof(code), &insn), 1);
		else
			assert_int_equal(patch_decode(code, sizeof(code), &insn), 0);
	}
	assert_int_equal(n, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),   cmocka_unit_test(test_traps),
		cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),    cmocka_unit_test(test_place),
		cmocka_unit_test(test_reach),     cmocka_unit_test(test_trampoline),
		cmocka_unit_test(test_one_store),
	};

	return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
