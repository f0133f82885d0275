/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cleanup.h"
#include "io.h"
#include "tree.h"

#define TOLD_MAX (64U << 10) /* bytes of all paths */
#define TRIES    500         /* a child that is being killed may still write: 10 s */

/* Nothing of ours may be mounted below it: the workers have mount namespaces of their own. */
static void remove_path(const char *path)
{
	static const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	for (int i = 0; i < TRIES && unlink(path) < 0 && errno != ENOENT; i++) {
		if (!tree_remove(AT_FDCWD, path, NULL, NULL))
			return;
		(void)nanosleep(&pause, NULL);
	}
}

static _Noreturn void keep(int fd)
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
	for (size_t off = 0; off < len; off += strlen(told + off) + 1)
		remove_path(told + off);
	_exit(0);
}

int scratch_also(struct scratch *s, const char *path)
{
	return io_write_all(s->pipe, path, strlen(path) + 1);
}

static int start_keeper(struct scratch *s)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	s->keeper = fork();
	if (!s->keeper) {
		(void)close(fds[1]);
		keep(fds[0]);
	}
	(void)close(fds[0]);
	s->pipe = fds[1];
	return s->keeper < 0 ? -errno : 0;
}

/* The keeper knows of it before it is there: nobody else has a name of 64 random bits. */
static int make_dir(struct scratch *s)
{
	const char *top = secure_getenv("TMPDIR");
	uint64_t nonce;
	int r;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	if (asprintf(&s->path, "%s/rktio.%016" PRIx64, top && *top == '/' ? top : "/var/tmp",
		     nonce) < 0) {
		s->path = NULL;
		return -ENOMEM;
	}
	r = scratch_also(s, s->path);
	if (r < 0)
		return r;
	if (mkdir(s->path, 0700) < 0)
		return -errno;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

int scratch_open(struct scratch *ret, struct err *e)
{
	struct scratch s = SCRATCH_INIT;
	int r = start_keeper(&s);

	if (!r)
		r = make_dir(&s);
	if (r < 0) {
		(void)err_set(e, -r, "cannot make '%s': %s", s.path ? s.path : "a directory",
			      err_str(r));
		scratch_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void scratch_close(struct scratch *s)
{
	closep(&s->fd);
	closep(&s->pipe);
	free(s->path);
	if (s->keeper > 0)
		while (waitpid(s->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	*s = (struct scratch)SCRATCH_INIT;
}
