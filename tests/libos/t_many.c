// SPDX-License-Identifier: MIT
/* t_many.c - many mappings of the host: more than it allows, and those of a program that has ended. */
#include "t.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
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

/* A child that waits for its end; with `pages` written, of which no two neighbours have the same rights. */
static pid_t start_child(size_t pages)
{
	int toward[2];
	char byte;

	CHECK(pipe(toward) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		char *p = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(p != MAP_FAILED);
		memset(p, 1, (pages + 1) * PAGE);
		for (size_t i = 0; i < pages; i += 2)
			CHECK(mprotect(p + i * PAGE, PAGE, PROT_READ) == 0 && p[i * PAGE] == 1);
		CHECK(write(toward[1], "", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(toward[0], &byte, 1) == 1);
	CHECK(close(toward[0]) == 0 && close(toward[1]) == 0);
	return pid;
}

static void end_child(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

struct missing_page {
	int userfault;
	pid_t pid;
};

/* Once somebody waits for the page: ends the child, and only then lets there be one. */
static void *end_while_read(void *arg)
{
	const struct missing_page *missing = arg;
	struct uffd_msg event;

	CHECK(read(missing->userfault, &event, sizeof(event)) == sizeof(event));
	CHECK(event.event == UFFD_EVENT_PAGEFAULT);
	end_child(missing->pid);
	struct uffdio_zeropage zero = {
		.range = { .start = event.arg.pagefault.address & ~(PAGE - 1), .len = PAGE },
	};
	CHECK(ioctl(missing->userfault, UFFDIO_ZEROPAGE, &zero) == 0);
	return NULL;
}

/*
 * A child ends while its memory is being read by its parent, so it is the parent that takes the
 * memory away, in another address space: nothing unmaps it on the host then. Two others end before,
 * so that it isn't by chance used again for the next program.
 */
static void left_behind(void)
{
	pid_t small[2] = { start_child(0), start_child(0) };
	struct missing_page missing = { .pid = start_child(4000) };
	struct uffdio_api api = { .api = UFFD_API };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct iovec local = { page, 1 }, remote = { (void *)(uintptr_t)start_child, 1 };
	pthread_t thread;

	missing.userfault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(page != MAP_FAILED && missing.userfault >= 0);
	CHECK(ioctl(missing.userfault, UFFDIO_API, &api) == 0);
	CHECK(ioctl(missing.userfault, UFFDIO_REGISTER, &range) == 0);
	CHECK(pthread_create(&thread, NULL, end_while_read, &missing) == 0);
	end_child(small[0]);
	end_child(small[1]);
	CHECK(process_vm_readv(missing.pid, &local, 1, &remote, 1, 0) == 1);
	CHECK(pthread_join(thread, NULL) == 0 && close(missing.userfault) == 0);
	end_child(start_child(0));
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "mapped_and_read", mapped_and_read },
		{ "left_behind", left_behind },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
