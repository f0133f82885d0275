// SPDX-License-Identifier: MIT
/* t_huge.c - huge pages: filled, split, copied, moved, given back. */
#include "t.h"
#include "t_fault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096UL
#define HUGE  0x200000UL
#define COUNT 4UL /* of huge pages */
#define SIZE  (COUNT * HUGE)
#define PAGES (SIZE / PAGE)
#define RW    (PROT_READ | PROT_WRITE)

#define ADVISE_COLLAPSE 25 /* Linux 6.1 */

/* At a huge page's boundary, with a hole before and behind. */
static char *map(size_t size, int advice)
{
	char *p = mmap(NULL, size + 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p += HUGE + (-(uintptr_t)p & (HUGE - 1));
	CHECK(mprotect(p, size, RW) == 0);
	CHECK(madvise(p, size, advice) == 0);
	return p;
}

static uint64_t *word(char *p, size_t page)
{
	return (uint64_t *)(void *)(p + page * PAGE + page % 500 * sizeof(uint64_t));
}

static void number(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*word(p, i) = i + 1;
}

static void check_numbers(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		CHECK(*word(p, i) == i + 1);
}

static size_t shuffled(size_t i)
{
	return i * 1009 % PAGES;
}

/* Whether the mapping at `p` has huge pages, where it is the library OS that says so. */
static void check_is_huge(const char *p)
{
	char line[256], start[32];
	bool ours = false, here = false;
	unsigned long kb = 0;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		ours |= strstr(line, "library OS") != NULL;
	if (f)
		(void)fclose(f);
	if (!ours)
		return;
	(void)snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	f = fopen("/proc/self/smaps", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		here |= strncmp(line, start, strlen(start)) == 0;
		if (here && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	(void)fclose(f);
	CHECK(kb > 0);
}

static char *filled(void)
{
	char *p = map(SIZE, MADV_HUGEPAGE);

	number(p, PAGES);
	check_is_huge(p);
	return p;
}

static void zero_at_first(void)
{
	char *p = map(SIZE, MADV_HUGEPAGE);

	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, shuffled(i)) == 0);
	*word(p, 700) = 7;
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, i) == (i == 700 ? 7 : 0));
	CHECK(munmap(p, SIZE) == 0);
	catch_faults();
	CHECK(try_read(p) == SEGV_MAPERR);
	p = filled();
	check_numbers(p, PAGES);
	CHECK(munmap(p, SIZE) == 0);
}

static void part_protected(void)
{
	char *p = filled();

	catch_faults();
	CHECK(mprotect(p + 600 * PAGE, PAGE, PROT_READ) == 0);
	CHECK(mprotect(p + HUGE, PAGE, PROT_NONE) == 0);
	CHECK(try_write(p + 600 * PAGE + 5) == SEGV_ACCERR);
	CHECK(try_read(p + HUGE) == SEGV_ACCERR);
	CHECK(*word(p, 600) == 601);
	CHECK(try_write(p + 599 * PAGE + 5) == 0 && try_write(p + 601 * PAGE + 5) == 0);
	CHECK(mprotect(p, SIZE, PROT_READ) == 0);
	CHECK(try_write(p + 5) == SEGV_ACCERR && try_write(p + 3 * HUGE + 5) == SEGV_ACCERR);
	check_numbers(p, 599);
	CHECK(mprotect(p, SIZE, RW) == 0);
	number(p, PAGES);
	check_numbers(p, PAGES);
	CHECK(munmap(p, SIZE) == 0);
}

static void part_given_back(void)
{
	char *p = filled();

	CHECK(madvise(p + 100 * PAGE, 3 * PAGE, MADV_DONTNEED) == 0);
	CHECK(madvise(p + HUGE, HUGE, MADV_DONTNEED) == 0);
	for (size_t i = 0; i < PAGES; i++) {
		bool gone = (i >= 100 && i < 103) || (i >= 512 && i < 1024);

		CHECK(*word(p, i) == (gone ? 0 : i + 1));
	}
	CHECK(munmap(p + 3 * HUGE + 17 * PAGE, HUGE - 17 * PAGE) == 0);
	catch_faults();
	CHECK(try_read(p + 3 * HUGE + 17 * PAGE) == SEGV_MAPERR);
	CHECK(*word(p, 1536 + 16) == 1536 + 17);
	CHECK(munmap(p, 3 * HUGE + 17 * PAGE) == 0);
}

/* What is lazily freed, and written after that, stays. */
static void lazily_freed(void)
{
	char *p = filled();

	CHECK(madvise(p, SIZE, MADV_FREE) == 0);
	number(p, PAGES);
	CHECK(madvise(p + PAGE, 700 * PAGE, MADV_FREE) == 0);
	number(p, PAGES);
	check_numbers(p, PAGES);
	CHECK(munmap(p, SIZE) == 0);
}

/* Runs `child` in a fork after the parent has done `parent`, both on the same pages. */
static void in_fork(char *p, void (*parent)(char *), void (*child)(char *))
{
	int toward[2], status;
	char byte;

	CHECK(pipe(toward) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(read(toward[0], &byte, 1) == 1);
		child(p);
		_exit(0);
	}
	parent(p);
	CHECK(write(toward[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(close(toward[0]) == 0 && close(toward[1]) == 0);
}

static void write_some(char *p)
{
	for (size_t i = 0; i < PAGES; i += 3)
		*word(p, shuffled(i)) += 1000000;
}

static void check_then_write(char *p)
{
	check_numbers(p, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		*word(p, shuffled(i)) = 5;
}

static void read_all(char *p)
{
	check_numbers(p, PAGES);
}

static void copied_by_a_fork(void)
{
	char *p = filled();

	in_fork(p, write_some, check_then_write);
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, shuffled(i)) == shuffled(i) + 1 + (i % 3 ? 0 : 1000000));
	CHECK(munmap(p, SIZE) == 0);
}

static void kept_by_a_fork(void)
{
	char *p = filled();

	for (int i = 0; i < 3; i++) {
		in_fork(p, read_all, check_then_write);
		check_numbers(p, PAGES);
		write_some(p);
		number(p, PAGES);
	}
	CHECK(munmap(p, SIZE) == 0);
}

/* Rows with gaps, read-only pages and small pages between: each keeps its rights and bytes. */
static uint64_t piece(size_t i)
{
	bool gone = (i >= 20 && i < 25) || (i >= 30 && i < 500 && i % 4 == 2);

	return gone ? 0 : i + 1;
}

static void check_pieces(char *p)
{
	catch_faults();
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, i) == piece(i));
	CHECK(try_write((char *)word(p, 600)) == SEGV_ACCERR);
	for (size_t i = 0; i < 512; i++)
		*word(p, i) = 9;
}

static void check_pieces_only(char *p)
{
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, shuffled(i)) == piece(shuffled(i)));
}

static void forked_in_pieces(void)
{
	char *p = filled();

	CHECK(mprotect(p + HUGE, HUGE, PROT_READ) == 0);
	for (size_t i = 0; i < 500; i++)
		if (piece(i) == 0)
			CHECK(madvise(p + i * PAGE, PAGE, MADV_DONTNEED) == 0);
	in_fork(p, check_pieces_only, check_pieces);
	check_pieces(p);
	CHECK(munmap(p, SIZE) == 0);
}

static void moved(void)
{
	char *p = filled(), *to = map(SIZE + HUGE, MADV_HUGEPAGE);

	CHECK(mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_numbers(to, PAGES);
	catch_faults();
	CHECK(try_read(p) == SEGV_MAPERR);
	number(to, PAGES);
	p = map(SIZE + HUGE, MADV_HUGEPAGE) + 3 * PAGE;
	CHECK(mremap(to, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	check_numbers(p, PAGES);
	number(p, PAGES);
	check_numbers(p, PAGES);
	CHECK(munmap(p, SIZE) == 0);
}

/* The kernel's own way to the same pages. */
static void through_calls(void)
{
	char *p = filled(), *q = map(SIZE, MADV_HUGEPAGE);
	const struct iovec from = { p, SIZE }, into = { q + 5, SIZE - PAGE };
	int fd = memfd_create("t", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, p, SIZE) == (ssize_t)SIZE);
	CHECK(pread(fd, q + 123, SIZE - 123, 0) == (ssize_t)SIZE - 123);
	CHECK(memcmp(p, q + 123, SIZE - 123) == 0);
	CHECK(process_vm_readv(getpid(), &into, 1, &from, 1, 0) == (ssize_t)(SIZE - PAGE));
	CHECK(memcmp(p, q + 5, SIZE - PAGE) == 0);
	CHECK(mprotect(q, SIZE, PROT_READ) == 0);
	CHECK(pread(fd, q + HUGE, PAGE, 0) == -1);
	CHECK(close(fd) == 0 && munmap(p, SIZE) == 0 && munmap(q, SIZE) == 0);
}

/* Small pages, among them some that aren't there, become huge ones. */
static void collapsed(void)
{
	char *p = map(SIZE, MADV_NOHUGEPAGE);

	for (size_t i = 0; i < PAGES; i += 2)
		*word(p, i) = i + 1;
	CHECK(madvise(p, SIZE, MADV_HUGEPAGE) == 0);
	if (madvise(p, SIZE, ADVISE_COLLAPSE) == 0)
		check_is_huge(p);
	for (size_t i = 0; i < PAGES; i++)
		CHECK(*word(p, i) == (i % 2 ? 0 : i + 1));
	number(p, PAGES);
	check_numbers(p, PAGES);
	CHECK(munmap(p, SIZE) == 0);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "zero_at_first", zero_at_first },
		{ "part_protected", part_protected },
		{ "part_given_back", part_given_back },
		{ "lazily_freed", lazily_freed },
		{ "copied_by_a_fork", copied_by_a_fork },
		{ "kept_by_a_fork", kept_by_a_fork },
		{ "forked_in_pieces", forked_in_pieces },
		{ "moved", moved },
		{ "through_calls", through_calls },
		{ "collapsed", collapsed },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
