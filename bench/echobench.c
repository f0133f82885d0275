/* SPDX-License-Identifier: MIT */
/*
 * echobench - how long a keystroke takes until the far end's terminal has shown it.
 *
 *	echobench KEYS COMMAND...
 *
 * COMMAND has a terminal of ours, and starts a program in a terminal elsewhere that says READY and then only reads: so what is typed comes back once,
 * from there. Keys are pressed at human intervals, each after the last one came back. Output: microseconds, one a line.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 60000
#define ECHO_MS  10000
#define PAUSE_US 30000
#define SAID_MAX 4096

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* Until @what came. */
static int await(int fd, const char *what, int timeout_ms)
{
	static char said[SAID_MAX];
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		if (poll(&p, 1, timeout_ms) <= 0)
			return -ETIMEDOUT;
		r = read(fd, said + n, sizeof(said) - 1 - n);
		if (r <= 0)
			return -EIO;
		n += (size_t)r;
		said[n] = '\0';
		if (strstr(said, what))
			return 0;
		if (n == sizeof(said) - 1)
			return -EMSGSIZE;
	}
}

static int type(int fd, long keys)
{
	for (long k = 0; k < keys; k++) {
		const char key[2] = { (char)('a' + k % 26) };
		uint64_t from;

		(void)usleep(PAUSE_US);
		from = now_ns();
		if (write(fd, key, 1) != 1 || await(fd, key, ECHO_MS) < 0)
			return -EIO;
		printf("%llu\n", (unsigned long long)(now_ns() - from) / 1000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long keys = argc > 2 ? atol(argv[1]) : 0;
	int fd, r;
	pid_t pid;

	if (keys <= 0) {
		(void)fputs("echobench KEYS COMMAND...\n", stderr);
		return 2;
	}
	pid = forkpty(&fd, NULL, NULL, NULL);
	if (!pid) {
		(void)execvp(argv[2], argv + 2);
		_exit(127);
	}
	r = pid < 0 ? -errno : await(fd, "READY", READY_MS);
	if (!r)
		r = type(fd, keys);
	if (r)
		(void)fprintf(stderr, "echobench: %s: no answer\n", argv[2]);
	(void)close(fd);
	if (pid > 0) {
		(void)kill(pid, SIGTERM);
		(void)waitpid(pid, NULL, 0);
	}
	return r ? 1 : 0;
}
