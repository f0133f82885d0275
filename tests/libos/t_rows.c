// SPDX-License-Identifier: MIT
/* t_rows.c - files whose pages are scattered in RAM: mapped, they say what they said, by few page faults. */
#include "t.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096UL
#define PAGES  200UL /* some windows of 64, and a part of one */
#define ROUNDS 20

static char page[PAGE];

static void fill(unsigned long i, unsigned int what)
{
	for (size_t j = 0; j < PAGE; j++)
		page[j] = (char)(i * 31 + j * 7 + what);
}

/* On a disk; what is written from its end is nowhere in a row. */
static int backwards(void)
{
	int fd = open("/root/backwards", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	for (unsigned long i = PAGES; i--;) {
		fill(i, 0);
		CHECK(pwrite(fd, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE);
	}
	CHECK(fsync(fd) == 0);
	return fd;
}

static char *map(int fd, int flags)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void check_all(const char *p, unsigned int what)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		fill(i, what);
		CHECK(memcmp(p + i * PAGE, page, PAGE) == 0);
	}
}

/* 0 where it isn't the library OS that says so. */
static unsigned long counted(const char *name)
{
	char line[128];
	size_t size = strlen(name);
	unsigned long n = 0;
	FILE *f = fopen("/proc/lo/stats", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, size) == 0 && line[size] == ' ')
			n = strtoul(line + size, NULL, 10);
	if (f)
		(void)fclose(f);
	return n;
}

static void scattered(void)
{
	int fd = backwards();
	char *p = map(fd, MAP_PRIVATE);
	unsigned long faults = counted("faults"), rows = counted("rows");

	check_all(p, 0);
	faults = counted("faults") - faults;
	rows = counted("rows") - rows;
	CHECK(faults < 50);
	CHECK(faults == 0 || rows >= PAGES / 64); /* what is left may be in a row already */
	CHECK(munmap(p, PAGES * PAGE) == 0 && close(fd) == 0);
}

/* Two processes have it mapped, one of them moves it, the other one writes to it by calls. */
static void changed_meanwhile(void)
{
	int fd = backwards(), status;
	char *p = map(fd, MAP_PRIVATE);

	CHECK(p[0] == 0 && p[150 * PAGE] == (char)(150 * 31));
	pid_t pid = fork();
	CHECK(pid >= 0);
	for (unsigned int what = 1; what <= ROUNDS && pid == 0; what++) {
		for (unsigned long i = 0; i < PAGES; i++) {
			fill(i, what);
			CHECK(pwrite(fd, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE);
			CHECK(p[i * PAGE] == page[0]);
		}
		CHECK(fsync(fd) == 0);
		check_all(p, what);
	}
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, WNOHANG) == 0)
		for (unsigned long i = 0; i < PAGES; i++)
			CHECK((unsigned char)(p[i * PAGE] - (char)(i * 31)) <= ROUNDS);
	CHECK(status == 0);
	check_all(p, ROUNDS);
	CHECK(munmap(p, PAGES * PAGE) == 0 && close(fd) == 0);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "scattered", scattered },
		{ "changed_meanwhile", changed_meanwhile },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
