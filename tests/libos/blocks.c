// SPDX-License-Identifier: MIT
/*
 * blocks.c - a file whose every block says what it must be: for disks that are damaged, and machines that are killed.
 *
 *	blocks write FILE COUNT GENERATION	all blocks, and syncs them
 *	blocks check FILE COUNT GENERATION	reads them past the cache: "right N unreadable N wrong N"; a block of an
 *						older generation is "old" and wrong
 *	blocks log FILE COUNT			appends block after block, each synced; then its number on stdout
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

int main(int argc, char **argv)
{
	int reading = argc == 5 && !strcmp(argv[1], "check");
	uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t generation = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	int fd;

	if (argc < 4)
		return 2;
	fd = open(argv[2], reading ? O_RDONLY | O_DIRECT : O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (reading)
		return check(fd, count, generation);
	return strcmp(argv[1], "log") ? write_all(fd, count, generation) : write_log(fd, count);
}
