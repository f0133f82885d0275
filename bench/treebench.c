/* SPDX-License-Identifier: MIT */
/*
 * treebench - how long work on a file tree takes, for a process that is already there.
 *
 * Theory of operation
 *
 * It answers orders from standard input, one line each, with the nanoseconds that they
 * took. One such process runs on the host, one in the container, one in each view; bench/measure
 * gives them the same order in turn. So what it costs to get there does not
 * count, and the program is the same file's copy everywhere: linked statically, for the
 * container need not have a C library.
 *
 *	stat DIR	the attributes of everything below DIR
 *	grep DIR	read every file below DIR, look for a word that is in none
 *	untar FILE DIR	make what is in the ustar archive FILE below DIR, which must not exist
 *	remove DIR	and everything below
 *
 * Each directory is entered (FTW_CHDIR), so that the length of the way to DIR does not count either.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000ULL
#define FDS_MAX    16 /* of nftw() */
#define BLOCK      512

static const char needle[] = "a word that no file has";
static char buf[256 * 1024];

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* nftw() has asked for the attributes already. */
static int visit_stat(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	return type == FTW_NS || type == FTW_DNR ? -1 : 0;
}

static int visit_grep(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd, found = 0;
	ssize_t n;

	(void)st;
	if (type != FTW_F)
		return visit_stat(path, st, type, ftw);
	fd = open(path + ftw->base, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		found |= memmem(buf, (size_t)n, needle, sizeof(needle) - 1) != NULL;
	(void)close(fd);
	return n < 0 || found ? -1 : 0;
}

static int visit_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The 11 octal digits of a number in a header. */
static size_t octal(const char *field)
{
	char text[12] = { 0 };

	memcpy(text, field, sizeof(text) - 1);
	return strtoul(text, NULL, 8);
}

static int copy_out(FILE *tar, const char *name, mode_t mode, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
	int r = 0;

	if (fd < 0 || padded > sizeof(buf))
		return -1;
	if (fread(buf, 1, padded, tar) != padded || write(fd, buf, size) != (ssize_t)size ||
	    fchmod(fd, mode) < 0 || futimens(fd, NULL) < 0)
		r = -1;
	return close(fd) < 0 ? -1 : r;
}

/* Only what our own archive has: short names, directories before what is in them. */
static int untar(const char *path, const char *dir)
{
	FILE *tar = fopen(path, "re");
	char h[BLOCK];
	int r = tar && mkdir(dir, 0755) == 0 && chdir(dir) == 0 ? 0 : -1;

	while (!r && fread(h, 1, BLOCK, tar) == BLOCK && h[0]) {
		mode_t mode = (mode_t)octal(h + 100) & 07777;

		h[100 - 1] = '\0';
		r = h[156] == '5' ? mkdir(h, mode) : copy_out(tar, h, mode, octal(h + 124));
	}
	if (tar)
		(void)fclose(tar);
	return r;
}

static int obey(char *line)
{
	const char *verb = strtok(line, " \n"), *a = strtok(NULL, " \n"), *b = strtok(NULL, " \n");

	if (!verb || !a)
		return -1;
	if (!strcmp(verb, "stat"))
		return nftw(a, visit_stat, FDS_MAX, FTW_PHYS | FTW_CHDIR);
	if (!strcmp(verb, "grep"))
		return nftw(a, visit_grep, FDS_MAX, FTW_PHYS | FTW_CHDIR);
	if (!strcmp(verb, "remove"))
		return nftw(a, visit_remove, FDS_MAX, FTW_PHYS | FTW_DEPTH);
	if (!strcmp(verb, "untar") && b)
		return untar(a, b);
	return -1;
}

int main(void)
{
	char line[2 * PATH_MAX];

	while (fgets(line, sizeof(line), stdin)) {
		uint64_t start = now_ns();

		if (obey(line) != 0) {
			(void)fprintf(stderr, "treebench: '%s' failed: %s\n", line,
				      strerror(errno));
			return 1;
		}
		(void)printf("%llu\n", (unsigned long long)(now_ns() - start));
		(void)fflush(stdout);
		if (chdir("/") < 0)
			return 1;
	}
	return 0;
}
