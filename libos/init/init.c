/* SPDX-License-Identifier: MIT */
/*
 * init.c - the first process in the library OS: a root file system, one program, and its end.
 *
 * Theory of operation
 *
 *	main()		reads the configuration (conf.h), then
 *	set_up()	mounts what every program expects, makes device-mapper devices, mounts the root
 *			file system and moves into it (setup.c)
 *	start()		forks the program, with a terminal or with the host's descriptors (program.c)
 *	serve()		reaps whoever is left to process 1, and does what the launcher says: signals,
 *			window sizes, further programs (exec.c), until the program ends
 *	finish()	ends what is left, writes everything out, and exits; that stops the machine,
 *			with the program's exit status, by the 125/126/127/128+n convention
 *
 * What fails before the program runs is one sentence on stderr and status 125.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void init_fail(const char *what, const char *object)
{
	if (errno)
		dprintf(STDERR_FILENO, "rktio: %s '%s': %s\n", what, object, strerror(errno));
	else
		dprintf(STDERR_FILENO, "rktio: %s '%s'\n", what, object);
	sync();
	_exit(EXIT_FAILED);
}

static void read_conf(struct conf *c)
{
	int fd = open(CONF_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		init_fail("opening", CONF_PATH);
	c->text = malloc(CONF_MAX);
	while (c->text && c->size < CONF_MAX &&
	       (n = read(fd, c->text + c->size, CONF_MAX - c->size)) > 0)
		c->size += (size_t)n;
	if (!c->text || n < 0 || c->size == CONF_MAX || !c->size || c->text[c->size - 1])
		init_fail("reading", CONF_PATH);
	(void)close(fd);
	(void)unlink(CONF_PATH);
}

const char *conf_next(const struct conf *c, const char *key, const char *last)
{
	size_t len = strlen(key);
	const char *p = last ? last + strlen(last) + 1 : c->text;

	for (; p < c->text + c->size; p += strlen(p) + 1)
		if (!strncmp(p, key, len) && p[len] == '=')
			return p + len + 1;
	return NULL;
}

char **conf_list(const struct conf *c, const char *key)
{
	const char *p = NULL;
	size_t n = 0;
	char **list;

	while ((p = conf_next(c, key, p)))
		n++;
	list = calloc(n + 1, sizeof(*list));
	n = 0;
	while (list && (p = conf_next(c, key, p)))
		list[n++] = (char *)(uintptr_t)p;
	return list;
}

static void take_stream(const char *path, int flags, int fd)
{
	int from = open(path, flags | O_NOCTTY);

	if (from < 0 || (from != fd && (dup2(from, fd) < 0 || close(from) < 0)))
		init_fail("opening", path);
}

/* In a session of its own; the terminal, if there is one, is its controlling terminal. */
static void take_streams(const struct conf *c)
{
	(void)setsid();
	if (conf_next(c, "tty", NULL)) {
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			take_stream(CONSOLE, O_RDWR, fd);
		if (ioctl(STDIN_FILENO, TIOCSCTTY, 1) < 0)
			init_fail("taking the terminal", CONSOLE);
		return;
	}
	take_stream("/dev/host/stdin", O_RDONLY, STDIN_FILENO);
	take_stream("/dev/host/stdout", O_WRONLY, STDOUT_FILENO);
	take_stream("/dev/host/stderr", O_WRONLY, STDERR_FILENO);
}

static pid_t start(const struct conf *c)
{
	pid_t pid = fork();

	if (pid < 0)
		init_fail("starting", conf_next(c, "arg", NULL));
	if (!pid) {
		take_streams(c);
		become(c, conf_list(c, "env"));
	}
	return pid;
}

static void resize(uint32_t value)
{
	struct winsize size = { .ws_row = (unsigned short)(value >> 16),
				.ws_col = (unsigned short)value };
	int tty = open(CONSOLE, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0)
		return;
	(void)ioctl(tty, TIOCSWINSZ, &size);
	(void)close(tty);
}

/* To all of its session's foreground, as from a terminal, a signal would need its tty. */
static void obey(const struct frame *f, size_t size, pid_t program)
{
	if (frame_check(f, size, true) < 0)
		return;
	if (f->session)
		exec_frame(f, size);
	else if (f->kind == FRAME_SIGNAL)
		(void)kill(program, (int)f->value);
	else if (f->kind == FRAME_WINSIZE)
		resize(f->value);
}

int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reap all that can be. True: the program is among it. */
static bool reap(pid_t program, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		exec_reaped(pid, exit_status(status));
		if (pid != program)
			continue;
		*ret_status = exit_status(status);
		ended = true;
	}
	return ended;
}

/* False: the launcher has gone, and will end us. */
static bool listen_to(int control, pid_t program)
{
	static struct frame f;
	ssize_t n;

	while ((n = read(control, &f, sizeof(f))) > 0)
		obey(&f, (size_t)n, program);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int serve(pid_t program, int child_signals, int control)
{
	struct pollfd fds[2 + EXEC_POLL_MAX] = {
		{ .fd = child_signals, .events = POLLIN },
		{ .fd = control, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int status = EXIT_FAILED;

	while (!reap(program, &status)) {
		size_t n = exec_poll(&fds[2]);

		if (poll(fds, 2 + n, -1) < 0)
			continue;
		if (fds[0].revents)
			(void)!read(child_signals, &info, sizeof(info));
		if (fds[1].revents && !listen_to(control, program))
			fds[1].fd = -1;
		exec_ready(&fds[2], n);
	}
	return status;
}

/* Two files: reading does not wait, writing does. Nobody else is to find it. */
static int open_control(const struct conf *conf)
{
	static const char path[] = "/dev/host/control";
	int in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int out = open(path, O_WRONLY | O_CLOEXEC);

	if (in < 0 || out < 0)
		init_fail("opening", path);
	(void)unlink(path);
	exec_init(conf, out);
	return in;
}

/* Everything but us. What does not die at once is in the kernel, and dies with it. */
static void end_all(void)
{
	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static _Noreturn void finish(int status)
{
	end_all();
	exec_stop(128 + SIGKILL);
	sync();
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	_exit(status);
}

int main(void)
{
	static struct conf conf;
	sigset_t child;
	int fd, control;
	pid_t program;

	(void)umask(022);
	read_conf(&conf);
	set_up(&conf);
	(void)sigfillset(&child);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		init_fail("making a", "signalfd");
	control = open_control(&conf);
	/* Before the program, which may say that it is ready for a signal. */
	exec_tell_started();
	program = start(&conf);
	finish(serve(program, fd, control));
}
