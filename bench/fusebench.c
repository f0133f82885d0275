/* SPDX-License-Identifier: MIT */
/*
 * fusebench - WHAT DIR: work on files in DIR, for bench/fuse. Prints lines of "NAME VALUE".
 *
 *	single		one operation at a time: microseconds, median
 *	read, write	a large file in pieces, from and to the page cache: MiB per second
 *	postmark	500 files, 4,000 times one is read or appended to and one is made or removed: seconds
 *	stat N		the attributes of N files of a directory that has them: seconds
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS    2000
#define BIG       (128u << 20)
#define PIECE     (1u << 20)
#define FILES     500
#define CHANGES   4000
#define RANDOM_4K 20000

static uint8_t buf[PIECE];
static double times[RANDOM_4K];
static uint64_t seed = 42;

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The same sequence each time. */
static uint32_t number(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void median(const char *name, size_t n)
{
	qsort(times, n, sizeof(*times), compare);
	printf("%s %.3f\n", name, times[n / 2] * 1e6);
}

static int must_open(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "open %s", name);
	return fd;
}

static void must(ssize_t r, const char *what)
{
	if (r < 0)
		err(1, "%s", what);
}

static const char *nth(unsigned int i)
{
	static char name[16];

	(void)snprintf(name, sizeof(name), "f%u", i);
	return name;
}

/* --- one at a time --- */

static void do_stat(unsigned int i)
{
	struct stat st;

	(void)i;
	must(stat("warm", &st), "stat");
}

static void do_enoent(unsigned int i)
{
	struct stat st;

	(void)i;
	if (stat("none", &st) == 0)
		errx(1, "a file that should not be there");
}

static void do_open(unsigned int i)
{
	int fd = must_open("warm", O_RDONLY);

	(void)i;
	must(read(fd, buf, 4096), "read");
	(void)close(fd);
}

static void do_create(unsigned int i)
{
	int fd = must_open(nth(i), O_WRONLY | O_CREAT | O_EXCL);

	must(write(fd, buf, 4096), "write");
	(void)close(fd);
}

static void do_unlink(unsigned int i)
{
	must(unlink(nth(i)), "unlink");
}

/* @changes: all of them; else those that only look, at a file "warm" that is there. */
#define LOOKS 3
static void single(bool changes)
{
	static const struct {
		const char *name;
		void (*work)(unsigned int i);
	} all[] = {
		{ "stat_warm", do_stat },       { "enoent_warm", do_enoent },
		{ "open_read_close", do_open }, { "create_write", do_create },
		{ "unlink", do_unlink },
	};
	int fd = must_open("warm", changes ? O_WRONLY | O_CREAT : O_RDONLY);

	must(changes ? write(fd, buf, 4096) : 0, "write");
	(void)close(fd);
	for (size_t w = 0; w < (changes ? sizeof(all) / sizeof(*all) : LOOKS); w++) {
		for (unsigned int i = 0; i < ROUNDS; i++) {
			double t = now();

			all[w].work(i);
			times[i] = now() - t;
		}
		median(all[w].name, ROUNDS);
	}
	must(changes ? unlink("warm") : 0, "unlink");
}

/* --- a large file --- */

static double stream(int fd, ssize_t (*move)(int fd, void *buf, size_t n))
{
	double t = now();

	must(lseek(fd, 0, SEEK_SET), "lseek");
	for (size_t n = 0; n < BIG; n += PIECE)
		must(move(fd, buf, PIECE), "input or output");
	return (BIG >> 20) / (now() - t);
}

static ssize_t move_out(int fd, void *p, size_t n)
{
	return write(fd, p, n);
}

static void do_write(void)
{
	int fd = must_open("big", O_RDWR | O_CREAT | O_TRUNC);

	/* Over what is in the page cache, so that the disk has no part in it. */
	(void)stream(fd, move_out);
	printf("write_1m %.0f\n", stream(fd, move_out));
	(void)close(fd);
}

static void do_read(void)
{
	int fd = must_open("big", O_RDONLY);

	(void)stream(fd, read);
	printf("read_1m %.0f\n", stream(fd, read));
	for (size_t i = 0; i < RANDOM_4K; i++) {
		off_t off = (off_t)number(BIG >> 12) << 12;
		double t = now();

		must(pread(fd, buf, 4096, off), "pread");
		times[i] = now() - t;
	}
	median("read_4k", RANDOM_4K);
	(void)close(fd);
}

/* --- many small files --- */

static void fill(unsigned int i, int flags)
{
	int fd = must_open(nth(i), O_WRONLY | flags);

	must(write(fd, buf, 512 + number(9500)), "write");
	(void)close(fd);
}

static void postmark(void)
{
	double t = now();
	unsigned int next = FILES, first = 0;

	for (unsigned int i = 0; i < FILES; i++)
		fill(i, O_CREAT | O_EXCL);
	for (unsigned int i = 0; i < CHANGES; i++) {
		unsigned int one = first + number(next - first);

		if (number(2)) {
			int fd = must_open(nth(one), O_RDONLY);

			while (read(fd, buf, sizeof(buf)) > 0)
				;
			(void)close(fd);
		} else {
			fill(one, O_APPEND);
		}
		if (number(2) || next - first < 2)
			fill(next++, O_CREAT | O_EXCL);
		else
			must(unlink(nth(first++)), "unlink");
	}
	while (first < next)
		must(unlink(nth(first++)), "unlink");
	printf("postmark %.4f\n", now() - t);
}

static void stat_all(long count)
{
	DIR *dir = opendir(".");
	double t = now();
	const struct dirent *e;

	if (!dir)
		err(1, "opendir");
	while (count > 0 && (e = readdir(dir))) {
		struct stat st;

		must(fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW), "stat");
		count--;
	}
	(void)closedir(dir);
	printf("stat_all %.4f\n", now() - t);
}

int main(int argc, char **argv)
{
	if (argc < 3 || chdir(argv[2]) < 0)
		errx(2, "usage: fusebench single|look|read|write|postmark|stat DIR [N]");
	memset(buf, 'x', sizeof(buf));
	if (strcmp(argv[1], "single") == 0)
		single(true);
	else if (strcmp(argv[1], "look") == 0)
		single(false);
	else if (strcmp(argv[1], "read") == 0)
		do_read();
	else if (strcmp(argv[1], "write") == 0)
		do_write();
	else if (strcmp(argv[1], "postmark") == 0)
		postmark();
	else if (strcmp(argv[1], "stat") == 0)
		stat_all(argc > 3 ? strtol(argv[3], NULL, 10) : 0);
	else
		errx(2, "no work of that name");
	return 0;
}
