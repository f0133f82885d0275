// SPDX-License-Identifier: MIT
/*
 * libosbench.c - what an operating system costs a program; runs natively and in the library OS
 * alike.
 */
/*
 * Theory of operation
 *
 * Each line of output is "NAME NANOSECONDS": the time of one operation, the least of some batches,
 * for whatever else runs on the machine makes a batch longer, never shorter.
 *
 * Names on the command line choose what is measured. Only by name: "pool_fill", the time per page
 * of 2 GiB that are filled in 16 KiB pieces in no order, as a database fills its buffer pool; then
 * it waits for the end of stdin, so that its mappings can be counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 7
#define PAGE    4096UL

extern char **environ;

static char **wanted; /* names on the command line, none: all */
static int file;
static char block[PAGE];
static char *area;
static unsigned long area_pages;
static sem_t ping, pong;
static char self[] = "/proc/self/exe";

static void fail(const char *what)
{
	fprintf(stderr, "libosbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int is_wanted(const char *name)
{
	char **w = wanted;

	while (*w && strcmp(*w, name) != 0)
		w++;
	return *w || !*wanted;
}

static void do_getppid(unsigned long n)
{
	while (n--)
		(void)getppid();
}

static void do_clock(unsigned long n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void do_pread(unsigned long n)
{
	while (n--)
		if (pread(file, block, sizeof(block), 0) != (ssize_t)sizeof(block))
			fail("pread");
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fail("child");
}

static void do_fork(unsigned long n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
}

static void do_exec(unsigned long n)
{
	static char verb[] = "exit";
	char *const args[] = { self, verb, NULL };

	while (n--) {
		pid_t pid;

		if (posix_spawn(&pid, self, NULL, NULL, args, environ) != 0)
			fail("posix_spawn");
		reap(pid);
	}
}

static void fresh_area(unsigned long pages)
{
	if (area)
		munmap(area, area_pages * PAGE);
	area_pages = pages;
	area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		fail("mmap");
}

static void do_touch(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		((volatile char *)area)[i * PAGE] = 1;
}

static void do_touch_scattered(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		((volatile char *)area)[i * 7919 % n * PAGE] = 1;
}

static void *answer(void *arg)
{
	for (unsigned long n = (uintptr_t)arg; n--;) {
		sem_wait(&ping);
		sem_post(&pong);
	}
	return NULL;
}

static void do_futex(unsigned long n)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, answer, (void *)(uintptr_t)n) != 0)
		fail("pthread_create");
	for (unsigned long i = 0; i < n; i++) {
		sem_post(&ping);
		sem_wait(&pong);
	}
	pthread_join(thread, NULL);
}

static void do_pipe(unsigned long n)
{
	int to[2], from[2];
	char byte = 0;

	if (pipe(to) < 0 || pipe(from) < 0)
		fail("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	for (unsigned long i = 0; i < n; i++)
		if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
			fail("pipe");
	close(to[1]);
	close(to[0]);
	close(from[0]);
	close(from[1]);
	reap(pid);
}

static void *answer_tcp(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	return NULL;
}

/* Both ends of a connection over the loopback device, without Nagle's delays. */
static void tcp_pair(int ret[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	ret[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &size) < 0 ||
	    connect(ret[0], (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail("tcp");
	ret[1] = accept(listener, NULL, NULL);
	close(listener);
	for (int i = 0; i < 2; i++)
		if (setsockopt(ret[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
			fail("tcp");
}

static void do_tcp(unsigned long n)
{
	pthread_t thread;
	char byte = 0;
	int pair[2];

	tcp_pair(pair);
	if (pthread_create(&thread, NULL, answer_tcp, &pair[1]) != 0)
		fail("pthread_create");
	for (unsigned long i = 0; i < n; i++)
		if (write(pair[0], &byte, 1) != 1 || read(pair[0], &byte, 1) != 1)
			fail("tcp");
	close(pair[0]);
	pthread_join(thread, NULL);
	close(pair[1]);
}

static void measure(const char *name, void (*run)(unsigned long), unsigned long n,
		    unsigned long pages)
{
	uint64_t best = UINT64_MAX;

	if (!is_wanted(name))
		return;
	for (int batch = 0; batch < BATCHES; batch++) {
		if (pages)
			fresh_area(pages);
		uint64_t start = now_ns();
		run(n);
		uint64_t took = now_ns() - start;
		if (took < best)
			best = took;
	}
	printf("%s %.1f\n", name, (double)best / (double)n);
}

/*
 * After a fork both sides have each page read-only; the child is gone, so a write copies or keeps
 * it.
 */
static void do_write_after_fork(unsigned long n)
{
	int hold[2];
	char byte;

	do_touch(n);
	if (pipe(hold) < 0)
		fail("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	uint64_t start = now_ns();
	do_touch(n);
	printf("cow_break %.1f\n", (double)(now_ns() - start) / (double)n);
	close(hold[1]);
	close(hold[0]);
	reap(pid);
}

static void do_pool(void)
{
	const unsigned long frame = 4 * PAGE, size = 2UL << 30, frames = size / frame;
	char byte;

	fresh_area(size / PAGE);
	uint64_t start = now_ns();
	/* An odd factor: each frame comes once. */
	for (unsigned long i = 0; i < frames; i++)
		memset(area + i * 72001 % frames * frame, 1, frame);
	printf("pool_fill %.1f\n", (double)(now_ns() - start) / ((double)size / PAGE));
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "exit") == 0)
		return 0; /* what do_exec() starts */
	wanted = argv + 1;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	file = memfd_create("block", MFD_CLOEXEC);
	if (file < 0 || write(file, block, sizeof(block)) != (ssize_t)sizeof(block))
		fail("memfd");
	sem_init(&ping, 0, 0);
	sem_init(&pong, 0, 0);
	measure("getppid", do_getppid, 100000, 0);
	measure("clock_gettime", do_clock, 100000, 0);
	measure("pread_4k", do_pread, 50000, 0);
	measure("fork_exit_wait", do_fork, 100, 0);
	measure("spawn_exec_wait", do_exec, 50, 0);
	measure("fresh_page", do_touch, 10000, 10000);
	measure("fresh_page_scattered", do_touch_scattered, 10000, 10000);
	measure("futex_ping_pong", do_futex, 20000, 0);
	measure("pipe_ping_pong", do_pipe, 5000, 0);
	measure("tcp_ping_pong", do_tcp, 5000, 0);
	if (*wanted && is_wanted("pool_fill"))
		do_pool();
	if (is_wanted("cow_break")) {
		fresh_area(10000);
		do_write_after_fork(10000);
	}
	return 0;
}
