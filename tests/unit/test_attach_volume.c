/* SPDX-License-Identifier: MIT */
/* Where in an image a file system is: tables of partitions that are true, and those that are not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach_volume.h"
#include "compiler.h"

#define SIZE (8U << 20)
#define ENDS UINT64_MAX

static uint8_t image[SIZE];
static int fd = -1;

static void put(uint64_t at, uint64_t value, size_t n)
{
	memcpy(image + at, &value, n); /* little endian, as the machine */
}

static void put_ext4(uint64_t at)
{
	put(at + 1080, 0xef53, 2);
}

static int find(uint64_t size, struct attach_volume *v, struct err *e)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, image, size, 0), (ssize_t)size);
	return attach_volume_find(fd, size, "it", v, e);
}

static void check(const char *fstype, uint64_t offset, uint64_t size)
{
	struct attach_volume v = { 0 };

	assert_int_equal(find(SIZE, &v, NULL), 0);
	assert_string_equal(v.fstype, fstype);
	assert_int_equal(v.offset, offset);
	assert_int_equal(v.size, size);
}

static void refused(const char *why)
{
	struct attach_volume v;
	struct err e = { 0 };

	assert_int_equal(find(SIZE, &v, &e), -ENOTSUP);
	if (!strstr(e.msg, why))
		fail_msg("'%s' is not in '%s'", why, e.msg);
}

static void gpt(unsigned int sector, uint64_t table, uint32_t n, uint32_t each)
{
	memcpy(image + sector, "EFI PART", 8);
	put(sector + 72, table, 8);
	put(sector + 80, n, 4);
	put(sector + 84, each, 4);
}

static void gpt_entry(uint64_t at, uint64_t first, uint64_t last)
{
	image[at] = 1;
	put(at + 32, first, 8);
	put(at + 40, last, 8);
}

static int clear(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	return 0;
}

static void test_whole(void **state)
{
	struct attach_volume v = { 0 };

	(void)state;
	refused("neither an ext4");
	put_ext4(0);
	check("ext4", 0, SIZE);
	/* as short as it can be, and one byte less */
	assert_int_equal(find(1082, &v, NULL), 0);
	assert_int_equal(find(1081, &v, NULL), -ENOTSUP);
	assert_int_equal(find(0, &v, NULL), -ENOTSUP);
	clear(NULL);
	put(1024, 0xe0f5e1e2, 4);
	check("erofs", 0, SIZE);
	memcpy(image, "hsqs", 4);
	check("squashfs", 0, SIZE);
	/* less than a sector would be a device without an end */
	assert_int_equal(find(512, &v, NULL), 0);
	assert_int_equal(find(511, &v, NULL), -ENOTSUP);
}

static void test_others(void **state)
{
	(void)state;
	memcpy(image, "QFI\xfb", 4);
	refused("qcow2");
	memcpy(image, "LUKS\xba\xbe", 6);
	refused("encrypted");
}

static void test_gpt(void **state)
{
	(void)state;
	for (unsigned int sector = 512; sector <= 4096; sector *= 8) {
		clear(NULL);
		gpt(sector, 2, 128, 128);
		gpt_entry(2 * sector, 100, 199);
		gpt_entry(2 * sector + 128, 200, 499);
		gpt_entry(2 * sector + 384, 500, 999);
		refused("none of the 3 partitions");
		put_ext4(100 * sector);
		check("ext4", 100 * sector, 100 * sector);
		/* the largest that has one */
		memcpy(image + 200 * sector, "hsqs", 4);
		check("squashfs", 200 * sector, 300 * sector);
		/* one that is not used */
		memset(image + 2 * sector + 128, 0, 1);
		check("ext4", 100 * sector, 100 * sector);
	}
}

static void test_bad_gpt(void **state)
{
	static const struct {
		uint64_t table;
		uint32_t n, each;
		uint64_t first, last;
	} bad[] = {
		{ 2, 128, 127, 100, 199 },
		{ 2, 128, 4097, 100, 199 },
		{ 2, 0, 128, 100, 199 },
		{ SIZE / 512, 128, 128, 100, 199 },
		{ ENDS, 128, 128, 100, 199 },
		{ ENDS / 512, UINT32_MAX, 4096, 100, 199 },
		{ 2, UINT32_MAX, 128, 100, 99 },
		{ 2, 128, 128, 100, SIZE / 512 },
		{ 2, 128, 128, 100, ENDS },
		{ 2, 128, 128, 0, ENDS },
		{ 2, 128, 128, ENDS / 512 + 101, ENDS / 512 + 102 },
		{ 2, 128, 128, SIZE / 512, SIZE / 512 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		clear(NULL);
		put_ext4(100 * 512);
		gpt(512, bad[i].table, bad[i].n, bad[i].each);
		gpt_entry(1024, bad[i].first, bad[i].last);
		refused("it");
	}
	clear(NULL);
	gpt(512, 2, 128, 128);
	gpt_entry(1024, 100, 199);
	gpt_entry(1152, 200, SIZE / 512);
	refused("'it' ends before 1 of its partitions");
	clear(NULL);
	put_ext4(100 * 512);
	gpt(512, 2, UINT32_MAX, 128);
	gpt_entry(1024, 100, SIZE / 512 - 1);
	check("ext4", 100 * 512, SIZE - 100 * 512);
}

static void test_mbr(void **state)
{
	(void)state;
	put_ext4(2048 * 512);
	image[446 + 16 + 4] = 0x83;
	put(446 + 16 + 8, 2048, 4);
	put(446 + 16 + 12, 4096, 4);
	refused("neither an ext4");
	image[510] = 0x55;
	image[511] = 0xaa;
	check("ext4", 2048 * 512, 4096 * 512);
	put(446 + 16 + 12, UINT32_MAX, 4);
	refused("'it' ends before 1 of its partitions");
	put(446 + 16 + 12, 1, 4);
	check("ext4", 2048 * 512, 512);
	image[446 + 16 + 4] = 0;
	refused("neither an ext4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, clear),
		cmocka_unit_test_setup(test_others, clear),
		cmocka_unit_test_setup(test_gpt, clear),
		cmocka_unit_test_setup(test_bad_gpt, clear),
		cmocka_unit_test_setup(test_mbr, clear),
	};

	fd = memfd_create("image", MFD_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
