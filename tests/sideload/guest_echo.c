/* SPDX-License-Identifier: MIT */
/*
 * guest_echo.c - what the tests start in a guest: it speaks over descriptor 3 and sends back what comes.
 *
 * "run COMMAND" gets what a shell command says, "facts" what it sees of itself, "exit" ends it, "hang" makes it deaf, "load" keeps the guest's
 * processors busy, "storm SECONDS ADDRESS" writes there all the time, "panic" is the end of its kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL 3
#define LOADS   2
#define LOAD_S  300

static char buf[(132 << 10) + 1];

static int is(const char *word, ssize_t n)
{
	return n == (ssize_t)strlen(word) && !memcmp(buf, word, (size_t)n);
}

static void facts(char **argv)
{
	struct pollfd p = { CHANNEL, POLLIN | POLLOUT, 0 };
	char dir[256] = "?", small[1];
	int n, events = poll(&p, 1, 0) < 0 ? -1 : p.revents, again, open0 = fcntl(0, F_GETFD);

	(void)fcntl(CHANNEL, F_SETFL, O_RDWR | O_NONBLOCK);
	again = read(CHANNEL, small, 1) < 0 ? errno : 0;
	(void)fcntl(CHANNEL, F_SETFL, O_RDWR);
	(void)!getcwd(dir, sizeof(dir));
	n = snprintf(buf, sizeof(buf),
		     "pid %d ppid %d uid %d args %s %s cwd %s poll %#x again %d stdin %d self %d",
		     getpid(), getppid(), (int)getuid(), argv[0], argv[1] ? argv[1] : "-", dir,
		     events, again == EAGAIN, open0, access(argv[0], X_OK));
	(void)!write(CHANNEL, buf, (size_t)n);
}

/* Processes that make others, which stay when this one has ended. */
static void load(void)
{
	for (int i = 0; i < LOADS; i++) {
		if (fork())
			continue;
		(void)close(CHANNEL);
		(void)prctl(PR_SET_NAME, "load");
		for (time_t end = time(NULL) + LOAD_S; time(NULL) < end;) {
			pid_t child = fork();

			if (!child)
				_exit(0);
			(void)waitpid(child, NULL, 0);
		}
		_exit(0);
	}
	(void)!write(CHANNEL, "load", 4);
}

/* A process that writes to an address without memory: "storm SECONDS ADDRESS". */
static void storm(void)
{
	char *rest;
	const time_t seconds = strtol(buf + 6, &rest, 10);
	const off_t at = (off_t)strtoull(rest, NULL, 16);
	volatile uint32_t *p = MAP_FAILED;
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);

	if (fd >= 0)
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	(void)!write(CHANNEL, p == MAP_FAILED ? "no storm" : "storm", p == MAP_FAILED ? 8 : 5);
	if (p == MAP_FAILED || fork())
		return;
	(void)close(CHANNEL);
	for (time_t end = time(NULL) + seconds; time(NULL) < end;)
		*p = 1;
	_exit(0);
}

/* "run COMMAND": what it says, as much as fits. */
static void run(ssize_t n)
{
	FILE *p;
	size_t got = 0;

	buf[n < (ssize_t)sizeof(buf) ? n : n - 1] = '\0';
	p = popen(buf + 4, "r");
	got = p ? fread(buf, 1, sizeof(buf), p) : 0;
	if (p)
		(void)pclose(p);
	if (!got)
		buf[got++] = '-';
	(void)!write(CHANNEL, buf, got);
}

int main(int argc, char **argv)
{
	(void)argc;
	(void)fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
	for (;;) {
		ssize_t n = read(CHANNEL, buf, sizeof(buf) - 1);

		if (!n)
			return 0;
		if (n < 0)
			return 1;
		if (is("facts", n)) {
			facts(argv);
		} else if (is("exit", n)) {
			(void)!write(CHANNEL, "bye", 3);
			return 0;
		} else if (n > 4 && !memcmp(buf, "run ", 4)) {
			run(n);
		} else if (is("load", n)) {
			load();
		} else if (n > 6 && !memcmp(buf, "storm ", 6)) {
			buf[n] = '\0';
			storm();
		} else if (is("panic", n)) {
			int fd = open("/proc/sysrq-trigger", O_WRONLY);

			(void)!write(fd, "c", 1);
		} else if (is("hang", n)) {
			for (;;)
				pause();
		} else if (write(CHANNEL, buf, (size_t)n) != n) {
			return 2;
		}
	}
}
