/* SPDX-License-Identifier: MIT */
/* Heads of ELF cores: what they refuse, where everything is in them, and what readelf makes of one. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elfcore.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static const struct bad {
	const char *what;
	int want;
	struct elfcore_load load[2];
	size_t nload;
	struct elfcore_load image;
	size_t ncpu, info;
} bad[] = {
	{ "no memory", -EINVAL },
	{ "no bytes", -EINVAL, { { 0, 0, 0, 0 } }, 1 },
	{ "half a page", -EINVAL, { { 0, 0, MIB + 1, 0 } }, 1 },
	{ "begins within a page", -EINVAL, { { 0, 8, MIB, 0 } }, 1 },
	{ "does not ascend", -EINVAL, { { 0, MIB, MIB, 0 }, { 0, 0, MIB, 0 } }, 2 },
	{ "overlaps", -EINVAL, { { 0, 0, MIB, 0 }, { 0, MIB - 4096, MIB, 0 } }, 2 },
	{ "twice the same", -EINVAL, { { 0, 0, MIB, 0 }, { 0, 0, MIB, 0 } }, 2 },
	{ "wraps", -EINVAL, { { 0, -MIB, 2 * MIB, 0 } }, 1 },
	{ "ends at the end", -EINVAL, { { 0, -MIB, MIB, 0 } }, 1 },
	{ "its virtual address wraps", -EINVAL, { { -MIB, 0, 2 * MIB, 0 } }, 1 },
	{ "more than a file can have", -E2BIG, { { 0, 0, 1ULL << 63, 0 } }, 1 },
	{ "more than that together",
	  -E2BIG,
	  { { 0, 0, 1ULL << 62, 0 }, { 0, 1ULL << 62, 1ULL << 62, 0 } },
	  2 },
	{ "too many", -E2BIG, { { 0 } }, ELFCORE_LOADS_MAX + 1 },
	{ "too many processors", -E2BIG, { { 0, 0, MIB, 0 } }, 1, { 0 }, ELFCORE_CPUS_MAX + 1 },
	{ "too much information", -E2BIG, { { 0, 0, MIB, 0 } }, 1, { 0 }, 0, ELFCORE_INFO_MAX + 1 },
	{ "image in no memory",
	  -EINVAL,
	  { { 0, 0, MIB, 0 } },
	  1,
	  { 0xffffffff81000000, 2 * MIB, MIB, 0 } },
	{ "image below it", -EINVAL, { { 0, MIB, MIB, 0 } }, 1, { 0xffffffff81000000, 0, MIB, 0 } },
	{ "image over its end",
	  -EINVAL,
	  { { 0, 0, MIB, 0 } },
	  1,
	  { 0xffffffff81000000, 4096, MIB, 0 } },
	{ "image that wraps", -EINVAL, { { 0, 0, MIB, 0 } }, 1, { -4096ULL, 0, 8192, 0 } },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct elfcore_load load[2] = { bad[i].load[0], bad[i].load[1] };
		struct elfcore c = { .load = load,
				     .nload = bad[i].nload,
				     .image = bad[i].image,
				     .ncpu = bad[i].ncpu,
				     .vmcoreinfo = bad[i].info ? "x" : NULL,
				     .vmcoreinfo_size = bad[i].info };

		if (elfcore_plan(&c) != bad[i].want)
			fail_msg("%s: %d", bad[i].what, elfcore_plan(&c));
	}
}

struct rig {
	struct elfcore_load load[3];
	struct elfcore_cpu cpu[2];
	struct elfcore core;
	uint8_t *head;
};

static const char info[] =
	"OSRELEASE=6.1.0\nPAGESIZE=4096\n"; /* 31 bytes, of which the note takes 32 */

static void make(struct rig *r)
{
	*r = (struct rig){ .load = { { 0xffff888000000000, 0, 640 << 10, 0 },
				     { 0xffff888000100000, MIB, 3 * GIB - MIB, 0 },
				     { 0xffff888100000000, 4 * GIB, GIB, 0 } },
			   .cpu = { { .rip = 0x1111, .rsp = 0x2222, .rax = 0x3333, .r15 = 0x4444 },
				    { .rip = 0x5555, .cr = { 0, 0, 0, 0x6666, 0 } } } };
	r->cpu[0].cs.selector = 0x10;
	r->cpu[0].gs.base = 0x7777;
	r->core = (struct elfcore){ .cpu = r->cpu,
				    .ncpu = 2,
				    .vmcoreinfo = info,
				    .vmcoreinfo_size = sizeof(info) - 1,
				    .load = r->load,
				    .nload = 3,
				    .image = { 0xffffffff81000000, 16 * MIB, 32 * MIB, 0 } };
	assert_int_equal(elfcore_plan(&r->core), 0);
	r->head = calloc(1, r->core.head_size + 1);
	r->head[r->core.head_size] = 0xaa;
	elfcore_write(&r->core, r->head);
	assert_int_equal(r->head[r->core.head_size], 0xaa);
}

static void test_places(void **state)
{
	struct rig r;

	(void)state;
	make(&r);
	assert_int_equal(r.load[0].off, 4096);
	assert_int_equal(r.load[1].off, 4096 + (640 << 10));
	assert_int_equal(r.load[2].off, r.load[1].off + 3 * GIB - MIB);
	assert_int_equal(r.core.image.off, r.load[1].off + 15 * MIB);
	assert_int_equal(r.core.file_size, r.load[2].off + GIB);
	free(r.head);
}

static const uint8_t *note(const struct rig *r, const char *name, size_t nth, size_t *ret_size)
{
	const Elf64_Phdr *p = (const void *)(r->head + sizeof(Elf64_Ehdr));
	const uint8_t *at = r->head + p->p_offset, *end = at + p->p_filesz;

	assert_ptr_equal(end, r->head + r->core.head_size);
	while (at < end) {
		const Elf64_Nhdr *n = (const void *)at;
		const uint8_t *desc = at + sizeof(*n) + (n->n_namesz + 3) / 4 * 4;

		*ret_size = n->n_descsz;
		if (!strcmp((const char *)at + sizeof(*n), name) && !nth--)
			return desc;
		at = desc + (n->n_descsz + 3) / 4 * 4;
	}
	print_error("no note %s\n", name);
	abort();
}

static uint64_t u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void test_notes(void **state)
{
	const uint8_t *n;
	struct rig r;
	size_t size;

	(void)state;
	make(&r);
	/* the offsets of struct elf_prstatus: pr_pid 32, pr_reg 112, of which r15 is 0, rax 10, rip 16, rsp 19, gs_base 22 */
	n = note(&r, "CORE", 0, &size);
	assert_int_equal(size, 336);
	assert_int_equal(n[32], 1);
	assert_int_equal(u64(n + 112), 0x4444);
	assert_int_equal(u64(n + 112 + 10 * 8), 0x3333);
	assert_int_equal(u64(n + 112 + 16 * 8), 0x1111);
	assert_int_equal(u64(n + 112 + 17 * 8), 0x10);
	assert_int_equal(u64(n + 112 + 19 * 8), 0x2222);
	assert_int_equal(u64(n + 112 + 22 * 8), 0x7777);
	n = note(&r, "CORE", 1, &size);
	assert_int_equal(n[32], 2);
	assert_int_equal(u64(n + 112 + 16 * 8), 0x5555);
	/* of QEMUCPUState: version and size, rip 16 words behind those, cr3 27 + 30 */
	n = note(&r, "QEMU", 1, &size);
	assert_int_equal(size, 440);
	assert_int_equal(u64(n), 440ULL << 32 | 1);
	assert_int_equal(u64(n + 8 + 16 * 8), 0x5555);
	assert_int_equal(u64(n + 8 + 18 * 8 + 10 * 24 + 3 * 8), 0x6666);
	n = note(&r, "VMCOREINFO", 0, &size);
	assert_int_equal(size, sizeof(info) - 1);
	assert_memory_equal(n, info, size);
	free(r.head);
}

/* Another reader of such files finds the same. */
static void test_readelf(void **state)
{
	static const char *const want[] = {
		"CORE (Core file)",
		"Advanced Micro Devices X86-64",
		"NOTE           0x0000000000000158",
		"LOAD           0x0000000000fa1000 0xffffffff81000000 0x0000000001000000",
		"LOAD           0x0000000000001000 0xffff888000000000 0x0000000000000000",
		"0x00000000000a0000 0x00000000000a0000  RWE    0x0",
		"LOAD           0x00000000000a1000 0xffff888000100000 0x0000000000100000",
		"LOAD           0x00000000bffa1000 0xffff888100000000 0x0000000100000000",
		"0x0000000040000000 0x0000000040000000  RWE    0x0",
		"NT_PRSTATUS (prstatus structure)",
		"VMCOREINFO",
	};
	char path[] = "/tmp/elfcore.XXXXXX", command[128];
	static char said[65536];
	struct rig r;
	FILE *f;
	int fd;

	(void)state;
	if (system("readelf --version >/dev/null 2>&1")) {
		print_message("readelf is not there\n");
		skip();
	}
	make(&r);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, r.head, r.core.head_size), r.core.head_size);
	assert_int_equal(ftruncate(fd, r.core.file_size), 0);
	snprintf(command, sizeof(command), "LC_ALL=C readelf -a %s 2>&1", path);
	f = popen(command, "r");
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	assert_int_equal(pclose(f), 0);
	unlink(path);
	close(fd);
	free(r.head);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strstr(said, want[i]))
			fail_msg("'%s' is not in\n%s", want[i], said);
	assert_null(strstr(said, "arning"));
	assert_null(strstr(said, "rror"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_readelf),
	};

	return cmocka_run_group_tests_name("elfcore", tests, NULL, NULL);
}
