/* SPDX-License-Identifier: MIT */
/* What a kernel says to readers of its dumps: as a note, as a text, and as nothing that could be believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kcoreinfo.h"

#define TEXT "OSRELEASE=6.1.0-50\nPAGESIZE=4096\n"

/* Physical memory from 0 on, which the guest's tables map as it is. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	NOTE_POINTER = 0x3000, /* the three symbols */
	DATA_POINTER = 0x3008,
	DATA_SIZE = 0x3010,
	NOTE = 0x4000,
	DATA = 0x5000,
	MEMORY = 0x10000
};
static uint8_t memory[MEMORY];

static int read_memory(void *arg, gpa_t gpa, void *dst, size_t len)
{
	(void)arg;
	if (gpa.v > MEMORY || len > MEMORY - gpa.v)
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

static void make(void)
{
	memset(memory, 0, sizeof(memory));
	put64(PML4, PDPT | 3);
	put64(PDPT, 0x83);
	put64(NOTE_POINTER, NOTE);
	put64(DATA_POINTER, DATA);
	put64(DATA_SIZE, strlen(TEXT));
	put32(NOTE, 11);
	put32(NOTE + 4, strlen(TEXT));
	memcpy(memory + NOTE + 12, "VMCOREINFO", 11);
	memcpy(memory + NOTE + 24, TEXT, strlen(TEXT));
	memcpy(memory + DATA, TEXT, strlen(TEXT));
}

static int ask(bool note, bool text, char ret[KCOREINFO_MAX], size_t *ret_size)
{
	const struct kcoreinfo_symbols s = { .note = { note ? NOTE_POINTER : 0 },
					     .data = { text ? DATA_POINTER : 0 },
					     .size = { text ? DATA_SIZE : 0 } };
	struct pt_regs_cr cr = { 1ULL << 31, PML4, 1 << 5, 1 << 10 };
	struct gview v;

	assert_int_equal(gview_init(&v, &cr, read_memory, NULL), 0);
	return kcoreinfo_read(&v, &s, ret, ret_size);
}

static void test_found(void **state)
{
	static char text[KCOREINFO_MAX];
	size_t size;

	(void)state;
	for (int how = 1; how < 4; how++) {
		make();
		memset(text, 0, sizeof(text));
		size = 0;
		assert_int_equal(ask(how & 1, how & 2, text, &size), 0);
		assert_int_equal(size, strlen(TEXT));
		assert_string_equal(text, TEXT);
	}
	assert_int_equal(ask(false, false, text, &size), -ENOENT);
}

static const struct bad {
	const char *what;
	uint64_t at, v; /* eight bytes that are written over */
	int note;       /* what asking for that alone gives */
	bool text_bad;
} bad[] = {
	{ "no note yet", NOTE_POINTER, 0, -ENOENT, false },
	{ "a note where nothing is", NOTE_POINTER, MEMORY, -EFAULT, false },
	{ "a note over the end", NOTE_POINTER, MEMORY - 8, -EFAULT, false },
	{ "a note that is not mapped", NOTE_POINTER, 1ULL << 40, -EFAULT, false },
	{ "another note", NOTE + 12, 0x4546494c45524f43, -EPROTO, false },
	{ "a name of another length", NOTE, strlen(TEXT) * (1ULL << 32) + 12, -EPROTO, false },
	{ "no bytes", NOTE, 11, -EPROTO, false },
	{ "more bytes than there are", NOTE, 0xffffffffULL << 32 | 11, -EPROTO, false },
	{ "one more than any has", NOTE, (KCOREINFO_MAX + 1ULL) << 32 | 11, -EPROTO, false },
	{ "another first line", NOTE + 24, 0, -EPROTO, false },
	{ "no text yet", DATA_POINTER, 0, 0, true },
	{ "a text where nothing is", DATA_POINTER, MEMORY, 0, true },
	{ "a text over the end", DATA_POINTER, MEMORY - 16, 0, true },
	{ "a text of no size", DATA_SIZE, 0, 0, true },
	{ "a text of all sizes", DATA_SIZE, ~0ULL, 0, true },
	{ "one more than any text", DATA_SIZE, KCOREINFO_MAX + 1, 0, true },
	{ "another first line of the text", DATA, 0, 0, true },
};

static void test_bad(void **state)
{
	static char text[KCOREINFO_MAX];
	size_t size = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int note, alone, both;

		make();
		put64(bad[i].at, bad[i].v);
		note = ask(true, false, text, &size);
		alone = ask(false, true, text, &size);
		both = ask(true, true, text, &size);
		if (note != bad[i].note || !alone == bad[i].text_bad || both)
			fail_msg("%s: %d, %d, %d", bad[i].what, note, alone, both);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("kcoreinfo", tests, NULL, NULL);
}
