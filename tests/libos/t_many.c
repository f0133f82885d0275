// SPDX-License-Identifier: MIT
/* t_many.c - more mappings of the host than it allows: each page of a file stands alone in RAM. */
#include "t.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE   4096UL
#define PAGES  70001UL /* a prime, and more than vm.max_map_count */
#define STRIDE 4099UL

static uint64_t block[PAGE / sizeof(uint64_t)];

/* Memory is taken in the order of writing, which is not that of the file. */
static int scattered_file(void)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	CHECK(fd >= 0);
	for (size_t i = 0; i < PAGES; i++) {
		size_t page = i * STRIDE % PAGES;

		block[0] = page;
		CHECK(pwrite(fd, block, PAGE, (off_t)(page * PAGE)) == (ssize_t)PAGE);
	}
	return fd;
}

static void mapped_and_read(void)
{
	int fd = scattered_file();
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < PAGES; i++) {
			uint64_t *word = (uint64_t *)(void *)(p + i * PAGE);

			CHECK(*word == i + (size_t)round);
			++*word;
		}
	}
	/* A flush in the middle of a mapping needs one more, too. */
	for (size_t i = 0; i < PAGES - 2; i += 1000)
		CHECK(mprotect(p + i * PAGE, PAGE, PROT_READ) == 0);
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*(uint64_t *)(void *)(p + i * PAGE) == i + 2);
	CHECK(munmap(p, PAGES * PAGE) == 0 && close(fd) == 0);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "mapped_and_read", mapped_and_read },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
