/* SPDX-License-Identifier: MIT */
/* readbench.c - FILE SECONDS: random direct reads of 4 KiB, one after the other; prints how many a second. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static _Alignas(BLOCK) uint8_t data[BLOCK];
	double start = now(), end;
	uint32_t seed = 1;
	long done = 0;
	off_t size;
	int fd;

	if (argc != 3)
		return 2;
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < (off_t)BLOCK) {
		perror(argv[1]);
		return 1;
	}
	for (end = start + atof(argv[2]); now() < end; done++) {
		seed = seed * 1664525u + 1013904223u;
		if (pread(fd, data, BLOCK, (seed >> 8) % (size / BLOCK) * BLOCK) != BLOCK) {
			perror(argv[1]);
			return 1;
		}
	}
	printf("%.0f\n", (double)done / (now() - start));
	return 0;
}
