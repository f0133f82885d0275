/* SPDX-License-Identifier: MIT */
/*
 * init.c - the first process in the library OS: a root file system, one program, and its end.
 *
 * Theory of operation
 *
 *	main()		reads the configuration (conf.h), then
 *	set_up()	mounts what every program expects, makes device-mapper devices, mounts the root
 *			file system and moves into it (setup.c)
 *	start()		forks the program, with a terminal or with the host's descriptors
 *	serve()		reaps whoever is left to process 1, and passes on signals and window sizes
 *			that come from the launcher, until the program ends
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_FAILED    125
#define EXIT_CANNOT    126
#define EXIT_NOT_FOUND 127
#define CONSOLE        "/dev/console"

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
	while (c->size < CONF_MAX && (n = read(fd, c->text + c->size, CONF_MAX - c->size)) > 0)
		c->size += (size_t)n;
	if (n < 0 || c->size == CONF_MAX || !c->size || c->text[c->size - 1])
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

/* All values of @key, with a NULL behind them. */
static char **conf_list(const struct conf *c, const char *key)
{
	const char *p = NULL;
	size_t n = 0;
	char **list;

	while ((p = conf_next(c, key, p)))
		n++;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		init_fail("no memory for", key);
	n = 0;
	while ((p = conf_next(c, key, p)))
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

static void become_program(const struct conf *c)
{
	char **argv = conf_list(c, "arg"), **envp = conf_list(c, "env");
	const char *cwd = conf_next(c, "cwd", NULL);
	sigset_t none;
	int code;

	take_streams(c);
	if (!argv[0])
		init_fail("no program in", CONF_PATH);
	if (cwd && chdir(cwd) < 0)
		init_fail("changing to the directory", cwd);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	environ = envp;
	(void)execvp(argv[0], argv);
	code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT;
	dprintf(STDERR_FILENO, "rktio: executing '%s': %s\n", argv[0], strerror(errno));
	_exit(code);
}

static pid_t start(const struct conf *c)
{
	pid_t pid = fork();

	if (pid < 0)
		init_fail("starting", conf_next(c, "arg", NULL));
	if (!pid)
		become_program(c);
	return pid;
}

/* A signal for the program: to all of its session's foreground, as from a terminal, would take its tty. */
static void obey(const struct control *msg, pid_t program)
{
	struct winsize size = { .ws_row = (unsigned short)msg->a,
				.ws_col = (unsigned short)msg->b };
	int tty;

	if (msg->kind == CONTROL_SIGNAL) {
		(void)kill(program, (int)msg->a);
		return;
	}
	tty = open(CONSOLE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty >= 0)
		(void)ioctl(tty, TIOCSWINSZ, &size);
	(void)close(tty);
}

/* Reap all that can be. True: the program is among it. */
static bool reap(pid_t program, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program) {
			*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							  : WEXITSTATUS(status);
			ended = true;
		}
	return ended;
}

static int serve(pid_t program, int child_signals)
{
	struct pollfd fds[] = {
		{ .fd = child_signals, .events = POLLIN },
		{ .fd = open("/dev/host/control", O_RDWR | O_CLOEXEC | O_NONBLOCK),
		  .events = POLLIN },
	};
	struct signalfd_siginfo info;
	struct control msg;
	int status = EXIT_FAILED;

	while (!reap(program, &status)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			(void)!read(child_signals, &info, sizeof(info));
		if (!fds[1].revents)
			continue;
		if (read(fds[1].fd, &msg, sizeof(msg)) == sizeof(msg))
			obey(&msg, program);
		else if (errno != EAGAIN)
			fds[1].fd = -1; /* the launcher has gone, and will end us */
	}
	return status;
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
	sync();
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	_exit(status);
}

int main(void)
{
	static struct conf conf;
	sigset_t child;
	pid_t program;
	int fd;

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
	program = start(&conf);
	finish(serve(program, fd));
}
