/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

#define TOLD_MAX (64U << 10) /* bytes of all paths */

static _Noreturn void keep(int fd, void (*remove)(const char *path))
{
	char *told = NULL;
	size_t len = 0;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)setsid();
	(void)!io_close_others(&fd, 1);
	for (int i = 0; i < 3; i++)
		(void)close(i);
	if (io_read_fd(fd, TOLD_MAX, &told, &len) < 0)
		_exit(1);
	for (size_t off = 0; off < len; off += strlen(told + off) + 1) {
		if (remove)
			remove(told + off);
		else
			(void)unlink(told + off);
	}
	_exit(0);
}

int keeper_start(struct keeper *k, void (*remove)(const char *path))
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	k->pid = fork();
	if (!k->pid) {
		(void)close(fds[1]);
		keep(fds[0], remove);
	}
	(void)close(fds[0]);
	k->pipe = fds[1];
	return k->pid < 0 ? -errno : 0;
}

int keeper_also(struct keeper *k, const char *path)
{
	return io_write_all(k->pipe, path, strlen(path) + 1);
}

void keeper_end(struct keeper *k)
{
	closep(&k->pipe);
	if (k->pid > 0)
		while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
			;
	*k = (struct keeper)KEEPER_INIT;
}
