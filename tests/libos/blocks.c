// SPDX-License-Identifier: MIT
/*
 * blocks.c - a file whose every block says what it must be: for disks that are damaged, and machines that are killed.
 *
 *	blocks write FILE COUNT GENERATION	all blocks, and syncs them
 *	blocks check FILE COUNT GENERATION	reads them past the cache: "right N unreadable N wrong N"; a block of an
 *						older generation is "old" and wrong
 *	blocks log FILE COUNT			appends block after block, each synced; then its number on stdout
 *	blocks files DIR COUNT			makes files 0, 1, ... of a block each, and some of 64 to 256, under another name first, each synced, and
 *						the directory; removes the one 64 before; then its number on stdout
 *	blocks files-check DIR N		the files up to N that must be there are, and right, and none that was removed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 4096

static _Alignas(SIZE) uint64_t block[SIZE / 8], want[SIZE / 8];

static void make(uint64_t *to, uint64_t n, uint64_t generation)
{
	uint64_t x = n * 0x9e3779b97f4a7c15u + generation + 1;

	for (size_t i = 0; i < SIZE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		to[i] = x;
	}
}

static void put(int fd, uint64_t n, uint64_t generation)
{
	make(block, n, generation);
	if (pwrite(fd, block, SIZE, (off_t)(n * SIZE)) != SIZE) {
		perror("write");
		exit(1);
	}
}

static int write_all(int fd, uint64_t count, uint64_t generation)
{
	for (uint64_t n = 0; n < count; n++)
		put(fd, n, generation);
	if (fsync(fd) < 0) {
		perror("fsync");
		return 1;
	}
	return 0;
}

static int check(int fd, uint64_t count, uint64_t generation)
{
	uint64_t right = 0, unreadable = 0, wrong = 0, old = 0;

	for (uint64_t n = 0; n < count; n++) {
		ssize_t r = pread(fd, block, SIZE, (off_t)(n * SIZE));

		if (r < 0 && (errno == EIO || errno == EILSEQ)) {
			unreadable++;
			continue;
		}
		make(want, n, generation);
		if (r == SIZE && !memcmp(block, want, SIZE)) {
			right++;
			continue;
		}
		wrong++;
		if (generation) {
			make(want, n, generation - 1);
			old += r == SIZE && !memcmp(block, want, SIZE);
		}
	}
	printf("right %llu unreadable %llu wrong %llu old %llu\n", (unsigned long long)right,
	       (unsigned long long)unreadable, (unsigned long long)wrong, (unsigned long long)old);
	return 0;
}

static int write_log(int fd, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		put(fd, n, 0);
		if (fdatasync(fd) < 0) {
			perror("fdatasync");
			return 1;
		}
		dprintf(STDOUT_FILENO, "%llu\n", (unsigned long long)n);
	}
	return 0;
}

#define FILES_KEPT 64

static void name_of(char name[32], uint64_t n, const char *suffix)
{
	(void)snprintf(name, 32, "%llu%s", (unsigned long long)n, suffix);
}

/* Some are more than what one section of a disk's journal takes. */
static uint64_t blocks_of(uint64_t n)
{
	return n % 8 == 7 ? 64u << (n / 8 % 3) : 1;
}

static int write_file(int fd, uint64_t n)
{
	for (uint64_t i = 0; i < blocks_of(n); i++) {
		make(block, n, i);
		if (write(fd, block, SIZE) != SIZE)
			return -1;
	}
	return fsync(fd);
}

static int file_is_right(int fd, uint64_t n)
{
	int right = 1;

	for (uint64_t i = 0; i < blocks_of(n); i++) {
		make(want, n, i);
		right &= read(fd, block, SIZE) == SIZE && !memcmp(block, want, SIZE);
	}
	return right && read(fd, block, 1) == 0;
}

static int make_file(int dir, uint64_t n)
{
	char name[32], draft[32];
	int fd, r;

	name_of(name, n, "");
	name_of(draft, n, ".new");
	fd = openat(dir, draft, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	r = fd < 0 || write_file(fd, n) < 0 || renameat(dir, draft, dir, name) < 0;
	if (fd >= 0)
		(void)close(fd);
	if (!r && n >= FILES_KEPT) {
		name_of(name, n - FILES_KEPT, "");
		r = unlinkat(dir, name, 0) < 0;
	}
	return r || fsync(dir) < 0 ? -1 : 0;
}

static int make_files(int dir, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		if (make_file(dir, n) < 0) {
			perror("files");
			return 1;
		}
		dprintf(STDOUT_FILENO, "%llu\n", (unsigned long long)n);
	}
	return 0;
}

/* What was being done when the machine stopped may be done or not: file @last + 1, and the removal with it. */
static int check_files(int dir, uint64_t last)
{
	uint64_t from = last + 1 > FILES_KEPT ? last + 2 - FILES_KEPT : 0, lost = 0, wrong = 0;
	char name[32];

	for (uint64_t n = from; n <= last; n++) {
		int fd;

		name_of(name, n, "");
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		lost += fd < 0;
		wrong += fd >= 0 && !file_is_right(fd, n);
		if (fd >= 0)
			(void)close(fd);
	}
	for (uint64_t n = 0; n + 1 < from; n++) {
		name_of(name, n, "");
		wrong += faccessat(dir, name, F_OK, 0) == 0;
	}
	printf("lost %llu wrong %llu\n", (unsigned long long)lost, (unsigned long long)wrong);
	return lost || wrong;
}

static int files(const char *verb, const char *path, uint64_t count)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0) {
		perror(path);
		return 1;
	}
	return strcmp(verb, "files") ? check_files(dir, count) : make_files(dir, count);
}

int main(int argc, char **argv)
{
	int reading = argc == 5 && !strcmp(argv[1], "check");
	uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t generation = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	int fd;

	if (argc < 4)
		return 2;
	if (!strncmp(argv[1], "files", 5))
		return files(argv[1], argv[2], count);
	fd = open(argv[2], reading ? O_RDONLY | O_DIRECT : O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (reading)
		return check(fd, count, generation);
	return strcmp(argv[1], "log") ? write_all(fd, count, generation) : write_log(fd, count);
}
