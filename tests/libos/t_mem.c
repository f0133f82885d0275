// SPDX-License-Identifier: MIT
/* t_mem.c - the program's memory: fresh, private, shared, protected, moved, given back. */
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
#define PAGES 3000UL
#define RW    (PROT_READ | PROT_WRITE)

static char *map(size_t size, int prot, int flags)
{
	char *p = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static size_t shuffled(size_t i)
{
	return i * 1009 % PAGES;
}

/* Each page gets its own number, in an order that no neighbour can come along in. */
static void fresh_pages(void)
{
	char *p = map(PAGES * PAGE, RW, MAP_PRIVATE);

	for (size_t i = 0; i < PAGES; i++) {
		uint64_t word, number = shuffled(i) + 1;

		memcpy(&word, p + shuffled(i) * PAGE, sizeof(word));
		CHECK(word == 0);
		memcpy(p + shuffled(i) * PAGE, &number, sizeof(number));
	}
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t word;

		memcpy(&word, p + i * PAGE, sizeof(word));
		CHECK(word == i + 1);
	}
	CHECK(munmap(p, PAGES * PAGE) == 0);
	catch_faults();
	CHECK(try_read(p) == SEGV_MAPERR);
	CHECK(fault.si_addr == p);
}

static void copy_on_write(void)
{
	char *p = map(PAGES * PAGE, RW, MAP_PRIVATE);
	int status, toward[2];
	char byte;

	memset(p, 'a', PAGES * PAGE);
	CHECK(pipe(toward) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(read(toward[0], &byte, 1) == 1); /* the parent has written by now */
		for (size_t i = 0; i < PAGES; i++)
			CHECK(p[i * PAGE] == 'a');
		memset(p, 'c', PAGES * PAGE);
		_exit(p[PAGE] == 'c' ? 0 : 1);
	}
	for (size_t i = 0; i < PAGES; i += 2)
		p[i * PAGE] = 'p';
	CHECK(write(toward[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (size_t i = 0; i < PAGES; i++)
		CHECK(p[i * PAGE] == (i % 2 ? 'a' : 'p') && p[i * PAGE + 1] == 'a');
	CHECK(munmap(p, PAGES * PAGE) == 0);
}

static void shared_with_child(void)
{
	char *p = map(64 * PAGE, RW, MAP_SHARED);
	int status;

	p[0] = 'p';
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(p[0] == 'p');
		for (int i = 0; i < 64; i++)
			p[i * PAGE] = 'c';
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (int i = 0; i < 64; i++)
		CHECK(p[i * PAGE] == 'c');
}

static void protections(void)
{
	char *p = map(16 * PAGE, RW, MAP_PRIVATE);

	catch_faults();
	memset(p, 1, 16 * PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(try_write(p) == 0 && try_read(p + PAGE) == 0 && try_write(p + 2 * PAGE) == 0);
	CHECK(try_write(p + PAGE) == SEGV_ACCERR && fault.si_addr == p + PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	CHECK(try_read(p + PAGE) == SEGV_ACCERR);
	CHECK(mprotect(p, 16 * PAGE, RW) == 0);
	CHECK(try_write(p + PAGE) == 0 && p[PAGE + 1] == 1);
}

/* A function of ours, placed in data: it runs only while its page may be executed. */
static void generated_code(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	char *p = map(PAGE, RW, MAP_PRIVATE);
	int (*f)(void);

	memcpy(p, code, sizeof(code));
	memcpy(&f, &p, sizeof(f));
	catch_faults();
	if (sigsetjmp(back, 1) == 0) {
		(void)f();
		CHECK(false); /* data was executed */
	}
	CHECK(fault.si_code == SEGV_ACCERR);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK(f() == 42);
	CHECK(mprotect(p, PAGE, RW) == 0);
	p[1] = 43;
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK(f() == 43);
}

static void file_mappings(void)
{
	char path[] = "/tmp/t_mem.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	CHECK(pwrite(fd, "file", 4, 0) == 4);
	CHECK(memcmp(shared, "file", 4) == 0 && memcmp(private, "file", 4) == 0);
	private[0] = 'P';
	shared[1] = 'S';
	char buf[4];
	CHECK(pread(fd, buf, 4, 0) == 4 && memcmp(buf, "fSle", 4) == 0);
	CHECK(private[1] == 'i' && private[0] == 'P');
	catch_faults();
	CHECK(try_read(shared + 3 * PAGE) == BUS_ADRERR);
	CHECK(ftruncate(fd, PAGE) == 0);
	CHECK(try_read(shared + PAGE) == BUS_ADRERR);
	CHECK(unlink(path) == 0);
}

static void moved(void)
{
	char *p = map(32 * PAGE, RW, MAP_PRIVATE);

	for (int i = 0; i < 32; i++)
		p[i * PAGE] = (char)i;
	char *hole = map(256 * PAGE, PROT_NONE, MAP_PRIVATE);
	char *q = mremap(p, 32 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	CHECK(q == hole);
	for (int i = 0; i < 32; i++)
		CHECK(q[i * PAGE] == (char)i);
	CHECK(q[40 * PAGE] == 0);
	catch_faults();
	CHECK(try_read(p) == SEGV_MAPERR);
	CHECK(madvise(q, 64 * PAGE, MADV_DONTNEED) == 0);
	CHECK(q[PAGE] == 0);
}

/* The kernel reaches memory by its own way: all that the program may do, and no more. */
static void through_calls(void)
{
	char *p = map(4 * PAGE, RW, MAP_PRIVATE);
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(write(ends[1], "abcdef", 6) == 6);
	CHECK(read(ends[0], p + PAGE - 3, 6) == 3 || read(ends[0], p + PAGE, 3) == -1);
	CHECK(write(ends[1], p + 3 * PAGE, PAGE) == (ssize_t)PAGE);
	CHECK(munmap(p + 3 * PAGE, PAGE) == 0);
	CHECK(write(ends[1], p + 3 * PAGE, 1) == -1);
	CHECK(write(ends[1], (char *)0x60000000, 1) == -1);     /* the kernel's own image */
	CHECK(write(ends[1], (char *)0x700000001000, 1) == -1); /* and its RAM */
	int fd = open((char *)0x60000000, O_RDONLY);
	CHECK(fd == -1);
}

static void kernel_is_out_of_reach(void)
{
	catch_faults();
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *image = mmap((char *)0x60000000, PAGE, RW, flags | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(image == MAP_FAILED);
	char *ram = mmap((char *)0x700000000000, PAGE, RW, flags | MAP_FIXED, -1, 0);
	CHECK(ram == MAP_FAILED);
}

/* Where code of the small model reaches it: in the lower 2 GiB. */
static void mapped_low(void)
{
	const size_t size = 100 * PAGE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;

	for (int i = 0; i < 3; i++) {
		char *p = mmap(NULL, size, RW, flags, -1, 0);

		CHECK(p != MAP_FAILED && (uintptr_t)p + size <= 0x80000000UL);
		memset(p, 1, size);
	}
	/* A wish for a high address isn't granted, nor is one for more than there is. */
	char *p = mmap((char *)0x7000000000, size, RW, flags, -1, 0);
	CHECK(p != MAP_FAILED && (uintptr_t)p + size <= 0x80000000UL);
	p = mmap(NULL, 0x80000000UL, RW, flags, -1, 0);
	CHECK(p == MAP_FAILED);
}

/* What a page of many_forks() shall be. */
#define FORKED 48UL

static struct {
	char *at;
	char value;
	int prot;
} expected[FORKED];

static void remember(size_t i, int prot, char value)
{
	expected[i].prot = prot;
	if (prot & PROT_WRITE)
		*expected[i].at = expected[i].value = value;
}

/* One of the things that a program does with a page; `what` is any number. */
static void change(size_t i, unsigned int what, int file)
{
	static const int prots[] = { RW, RW, PROT_READ, PROT_NONE, RW | PROT_EXEC };
	const int prot = prots[what % 5];
	char *p = expected[i].at, *fresh;

	switch (what % 7) {
	case 0: /* another page is there, of a file or fresh */
		fresh = mmap(p, PAGE, RW, MAP_FIXED | MAP_PRIVATE, file, (off_t)(i * PAGE));
		CHECK(fresh == p);
		expected[i].value = 'f';
		expected[i].prot = RW;
		break;
	case 1:
		fresh = mmap(p, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(fresh == p);
		expected[i].value = 0;
		expected[i].prot = RW;
		break;
	case 2:
		CHECK(mprotect(p, PAGE, prot) == 0);
		remember(i, prot, (char)what);
		break;
	default:
		remember(i, expected[i].prot, (char)what);
	}
}

static void check_all(void)
{
	for (size_t i = 0; i < FORKED; i++) {
		volatile char *p = expected[i].at;

		CHECK(try_read(p) == (expected[i].prot & PROT_READ ? 0 : SEGV_ACCERR));
		CHECK(!(expected[i].prot & PROT_READ) || *p == expected[i].value);
	}
}

static void write_all(void)
{
	for (size_t i = 0; i < FORKED; i++)
		CHECK(try_write(expected[i].at) ==
		      (expected[i].prot & PROT_WRITE ? 0 : SEGV_ACCERR));
}

/*
 * Children of one parent, one after the other, and each finds its pages as they were when it was
 * forked: what the one before left behind must not be seen, nor may a right be left that is gone.
 */
static void many_forks(void)
{
	char *area = map(FORKED * PAGE, RW, MAP_PRIVATE);
	int file = memfd_create("forks", 0), status;
	unsigned int seed = 1;

	CHECK(ftruncate(file, FORKED * PAGE) == 0);
	for (size_t i = 0; i < FORKED; i++) {
		expected[i].at = area + i * PAGE;
		CHECK(pwrite(file, "f", 1, (off_t)(i * PAGE)) == 1);
		remember(i, RW, 'i');
	}
	catch_faults();
	for (unsigned int n = 0; n < 400; n++) {
		for (unsigned int changes = n % 6; changes--; seed = seed * 1103515245 + 12345)
			change((seed >> 8) % FORKED, seed >> 16, file);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			check_all();
			if (n % 3)
				write_all();
			_exit(0);
		}
		for (size_t i = n % 4; i < FORKED; i += 4) /* the child must not see it */
			remember(i, expected[i].prot, (char)(n + i));
		check_all();
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		check_all();
	}
	CHECK(munmap(area, FORKED * PAGE) == 0);
	close(file);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "fresh_pages", fresh_pages },
		{ "copy_on_write", copy_on_write },
		{ "shared_with_child", shared_with_child },
		{ "protections", protections },
		{ "generated_code", generated_code },
		{ "file_mappings", file_mappings },
		{ "moved", moved },
		{ "through_calls", through_calls },
		{ "mapped_low", mapped_low },
		{ "many_forks", many_forks },
		{ "kernel_is_out_of_reach", kernel_is_out_of_reach },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
