// SPDX-License-Identifier: MIT
/* t_wait.h - waiting for another process to be where it is wanted, however late it gets a processor. */
#ifndef TESTS_LIBOS_T_WAIT_H
#define TESTS_LIBOS_T_WAIT_H

#include "t.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* Until it is in a call that waits. */
static inline void await_sleep(pid_t pid)
{
	char path[32], text[256];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		const char *state;

		CHECK(n > 0);
		(void)close(fd);
		text[n] = '\0';
		state = strrchr(text, ')');
		CHECK(state);
		if (state[2] == 'S')
			return;
		(void)usleep(1000);
	}
}

/* Set by a handler, seen by a child. */
static volatile int *t_taken;

/*
 * A child that sends SIGALRM to its parent when that waits in a call. If @fd is not -1, it writes a byte there when the signal has
 * been taken.
 */
static inline pid_t interrupt_soon(int fd)
{
	pid_t pid, parent = getpid();

	if (!t_taken)
		t_taken =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(t_taken != MAP_FAILED);
	*t_taken = 0;
	pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	await_sleep(parent);
	CHECK(kill(parent, SIGALRM) == 0);
	while (fd >= 0 && !*t_taken)
		(void)usleep(1000);
	_exit(fd < 0 || write(fd, "z", 1) == 1 ? 0 : 1);
}

#endif
