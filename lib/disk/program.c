/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

/* Users' PATHs lack where mke2fs is. */
static const char admin_path[] = "/usr/local/sbin:/usr/sbin:/sbin";

static int find_program(const char *name, char **ret)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *all = NULL;

	if (asprintf(&all, "%s:%s", path && *path ? path : "/usr/bin:/bin", admin_path) < 0)
		return -ENOMEM;
	for (char *rest = all, *dir; (dir = strsep(&rest, ":"));) {
		char *at;

		if (*dir != '/')
			continue;
		if (asprintf(&at, "%s/%s", dir, name) < 0)
			return -ENOMEM;
		if (!access(at, X_OK)) {
			*ret = at;
			return 0;
		}
		free(at);
	}
	return -ENOENT;
}

bool program_found(const char *name)
{
	_cleanup_free_ char *path = NULL;

	return !find_program(name, &path);
}

static _Noreturn void become(const struct program_run *p, const char *path, int said, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || null < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(p->out ? said : null, STDOUT_FILENO) < 0 ||
	    dup2(p->out ? null : said, STDERR_FILENO) < 0)
		_exit(126);
	if (p->keep_fd >= 0 && fcntl(p->keep_fd, F_SETFD, 0) < 0)
		_exit(126);
	/* Ours are CLOEXEC; those of our caller are none of its business, and mmdebstrap fails if it has ten. */
	if (io_close_others(&p->keep_fd, p->keep_fd >= 0) < 0)
		_exit(126);
	if (setenv("LC_ALL", "C", 1) < 0 || unsetenv("LANGUAGE") < 0)
		_exit(126);
	(void)execv(path, (char *const *)(uintptr_t)p->argv);
	_exit(126);
}

static void hear(const struct program_run *p, int fd)
{
	char line[PROGRAM_LINE_MAX];
	int dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_fclose_ FILE *f = dup < 0 ? NULL : fdopen(dup, "r");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (p->line && line[0])
			p->line(p->arg, line);
	}
}

int program_run(const struct program_run *p, struct err *e)
{
	_cleanup_close_ int in = -1, out = -1;
	_cleanup_free_ char *path = NULL;
	int fds[2], status, r = find_program(p->argv[0], &path);
	pid_t self = getpid(), pid;

	if (r < 0)
		return err_set(e, -r, "'%s' is not installed", p->argv[0]);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "starting '%s': %s", p->argv[0], err_str(errno));
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (!pid)
		become(p, path, out, self);
	if (pid < 0)
		return err_set(e, errno, "starting '%s': %s", p->argv[0], err_str(errno));
	closep(&out);
	out = -1;
	hear(p, in);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "waiting for '%s': %s", p->argv[0],
				       err_str(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
