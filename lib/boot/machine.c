/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "boot"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "conf.h"
#include "initrd.h"
#include "log.h"
#include "pidfd.h"
#include "tty.h"

#define ARGS_MAX    24
#define ARG_SIZE    128
#define DEFAULT_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Descriptors of one run; our ends and those of the children. */
struct run {
	const struct machine *m;
	bool terminal; /* standard input is one, and ours to use */
	int initrd;
	int control[2]; /* ours, init's */
	int disk[2];    /* the back end's, the driver's */
	int stream[3];  /* copies of ours for the program, if it has no terminal */
	int signals;
	pid_t disk_pid, pid;
	int pidfd;
};
#define RUN_INIT                                                                                   \
	{                                                                                          \
		.initrd = -1, .control = { -1, -1 }, .disk = { -1, -1 }, .stream = { -1, -1, -1 }, \
		.signals = -1, .pidfd = -1                                                         \
	}

static void run_close(const struct run *r)
{
	const int fds[] = { r->initrd,  r->control[0], r->control[1], r->disk[0],   r->disk[1],
			    r->signals, r->pidfd,      r->stream[0],  r->stream[1], r->stream[2] };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		closep(&fds[i]);
}

/* --- what init is told --- */

static bool has_variable(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return true;
	return false;
}

static void add_environment(const struct run *r, struct boot_conf *conf)
{
	const char *const *env = r->m->env, *term = getenv("TERM");

	for (const char *const *v = env; v && *v; v++)
		boot_conf_add(conf, "env", "%s", *v);
	if (!has_variable(env, "PATH"))
		boot_conf_add(conf, "env", DEFAULT_ENV);
	if (!has_variable(env, "HOME"))
		boot_conf_add(conf, "env", "HOME=/root");
	if (r->terminal && term && !has_variable(env, "TERM"))
		boot_conf_add(conf, "env", "TERM=%s", term);
}

static int make_initrd(struct run *r, bool *ret_read_only, struct err *e)
{
	_cleanup_boot_conf_ struct boot_conf conf = { .data = NULL };
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int init = -1;
	int ret = machine_file("rktio-init", &path, e);

	if (!ret && r->m->disk.path)
		ret = root_plan(&r->m->disk, &conf, ret_read_only, e);
	if (ret < 0)
		return ret;
	init = open(path, O_RDONLY | O_CLOEXEC);
	if (init < 0)
		return err_set(e, errno, "opening '%s': %s", path, err_str(errno));
	for (const char *const *arg = r->m->argv; *arg; arg++)
		boot_conf_add(&conf, "arg", "%s", *arg);
	add_environment(r, &conf);
	boot_conf_add(&conf, "cwd", "%s", r->m->workdir ? r->m->workdir : "/");
	boot_conf_add(&conf, "hostname", "rktio");
	if (r->terminal)
		boot_conf_add(&conf, "tty", "1");
	r->initrd = initrd_make(init, &conf, e);
	return r->initrd < 0 ? r->initrd : 0;
}

/* --- children --- */

/* The console's input is nothing, and its output our stderr: the streams are the program's own. */
static void leave_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(MACHINE_EXIT_FAILED);
}

/* Between fork and exec: the @n descriptors of @keep survive, under their numbers. */
static _Noreturn void become(char *const *argv, const int *keep, size_t n)
{
	static const int keys[] = { SIGINT, SIGQUIT, SIGTSTP, SIGHUP };
	sigset_t none;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0 && fcntl(keep[i], F_SETFD, 0) < 0)
			_exit(MACHINE_EXIT_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)signal(keys[i], SIG_IGN); /* we pass them on */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(argv[0], argv);
	log_error("executing '%s': %s", argv[0], err_str(errno));
	_exit(MACHINE_EXIT_FAILED);
}

/* @detached: the terminal, if we have one, is not for it. Its keys are for us then, and we pass signals on. */
static pid_t start(char *const *argv, const int *keep, size_t n, bool detached, struct err *e)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(MACHINE_EXIT_FAILED);
		/* A group that may not read the terminal would be stopped when the program does. */
		if (!isatty(STDIN_FILENO))
			(void)setpgid(0, 0);
		if (detached)
			leave_streams();
		become(argv, keep, n);
	}
	return pid < 0 ? err_set(e, errno, "forking: %s", err_str(errno)) : pid;
}

static int start_disk(struct run *r, bool read_only, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	char fd[16];
	char *argv[] = { NULL, (char *)(uintptr_t) "--fd",
			 fd,   (char *)(uintptr_t) "--blk-file",
			 NULL, NULL,
			 NULL };
	int ret = machine_file("rktio-blk", &path, e);

	if (ret < 0)
		return ret;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->disk) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	(void)snprintf(fd, sizeof(fd), "%d", r->disk[0]);
	argv[0] = path;
	argv[4] = (char *)(uintptr_t)r->m->disk.path;
	if (read_only)
		argv[5] = (char *)(uintptr_t) "--read-only";
	r->disk_pid = start(argv, &r->disk[0], 1, true, e);
	if (r->disk_pid < 0)
		return r->disk_pid;
	closep(&r->disk[0]);
	r->disk[0] = -1;
	return 0;
}

/* The command line of the kernel, a word each; the first is the program. */
struct words {
	char text[ARGS_MAX][ARG_SIZE];
	char *argv[ARGS_MAX + 1];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) add_word(struct words *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(w->text[w->n], ARG_SIZE, format, args);
	va_end(args);
	w->argv[w->n] = w->text[w->n];
	w->argv[++w->n] = NULL;
}

static int find_linux(const struct machine *m, char **ret, struct err *e)
{
	const char *version = m->linux_version ?: getenv("RKTIO_LINUX") ?: MACHINE_LINUX;
	char name[64];

	(void)snprintf(name, sizeof(name), "rktio-linux-%.32s", version);
	return machine_file(name, ret, e);
}

static int start_linux(struct run *r, struct err *e)
{
	static const char *const streams[] = { "stdin", "stdout", "stderr" };
	const int keep[] = { r->initrd,    r->control[1], r->disk[1],
			     r->stream[0], r->stream[1],  r->stream[2] };
	_cleanup_free_ char *path = NULL;
	struct words w = { .n = 0 };
	int ret = find_linux(r->m, &path, e);

	if (ret < 0)
		return ret;
	w.argv[w.n++] = path;
	add_word(&w, "mem=%lluM", (unsigned long long)(r->m->memory >> 20));
	add_word(&w, "initrd=/proc/self/fd/%d", r->initrd);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (r->stream[i] >= 0)
			add_word(&w, "hostfd=%s:%d", streams[i], r->stream[i]);
	add_word(&w, "hostfd=control:%d", r->control[1]);
	if (r->disk[1] >= 0)
		add_word(&w, "vhost=blk:%d", r->disk[1]);
	if (!r->m->verbose)
		add_word(&w, "quiet");
	if (r->m->stats)
		add_word(&w, "stats");
	r->pid = start(w.argv, keep, ARRAY_SIZE(keep), !r->terminal, e);
	if (r->pid < 0)
		return r->pid;
	r->pidfd = pidfd_open_nr(r->pid);
	return r->pidfd < 0 ? err_set(e, -r->pidfd, "opening a pidfd: %s", err_str(r->pidfd)) : 0;
}

static int copy_streams(struct run *r, struct err *e)
{
	for (int i = 0; !r->terminal && i < 3; i++) {
		r->stream[i] = fcntl(i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (r->stream[i] < 0)
			return err_set(e, errno, "standard streams: %s", err_str(errno));
	}
	return 0;
}

/* --- while it runs --- */

static void tell(const struct run *r, struct control msg)
{
	(void)!send(r->control[0], &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_size(const struct run *r)
{
	struct winsize size;

	if (r->terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		tell(r, (struct control){ CONTROL_WINSIZE, size.ws_row, size.ws_col });
}

static void pass_on(const struct run *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			tell_size(r);
		else
			tell(r, (struct control){ CONTROL_SIGNAL, info.ssi_signo, 0 });
	}
}

static int catch_signals(struct run *r, struct err *e)
{
	static const int caught[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH
	};
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		(void)sigaddset(&set, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? err_set(e, errno, "making a signalfd: %s", err_str(errno)) : 0;
}

static int attend(struct run *r, struct err *e)
{
	struct pollfd fds[] = { { .fd = r->pidfd, .events = POLLIN },
				{ .fd = r->signals, .events = POLLIN } };
	siginfo_t si = { 0 };

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "waiting: %s", err_str(errno));
		if (fds[1].revents)
			pass_on(r);
	}
	if (waitid(P_PID, (id_t)r->pid, &si, WEXITED) < 0)
		return err_set(e, errno, "waiting: %s", err_str(errno));
	r->pid = 0;
	if (si.si_code == CLD_EXITED)
		return si.si_status;
	return err_set(e, ECHILD, "the library OS was ended by signal %d", si.si_status);
}

static int run(struct run *r, struct err *e)
{
	bool read_only = false;
	int ret = make_initrd(r, &read_only, e);

	if (!ret && r->m->disk.path)
		ret = start_disk(r, read_only, e);
	if (!ret && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->control) < 0)
		ret = err_set(e, errno, "making a socket pair: %s", err_str(errno));
	if (!ret)
		ret = catch_signals(r, e);
	if (!ret && r->terminal && tty_raw(STDIN_FILENO) < 0)
		ret = err_set(e, EIO, "setting the terminal to raw mode failed");
	if (!ret)
		ret = copy_streams(r, e);
	if (!ret)
		ret = start_linux(r, e);
	if (ret < 0)
		return ret;
	closep(&r->disk[1]);
	closep(&r->control[1]);
	r->disk[1] = r->control[1] = -1;
	return attend(r, e);
}

static void end_child(pid_t pid)
{
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
}

/* The disk goes when its front end has, with everything written; it is waited for. */
static void end_children(const struct run *r)
{
	int status;

	end_child(r->pid);
	if (r->disk_pid <= 0)
		return;
	if (r->disk[1] >= 0)
		end_child(r->disk_pid);
	else if (waitpid(r->disk_pid, &status, 0) == r->disk_pid && WIFSIGNALED(status))
		log_warn("the disk's back end was ended by signal %d", WTERMSIG(status));
}

int machine_run(const struct machine *m, int *ret_exit, struct err *e)
{
	_cleanup_(run_close) struct run r = RUN_INIT;
	int ret;

	*ret_exit = MACHINE_EXIT_FAILED;
	r.m = m;
	r.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && tty_is_ours(STDIN_FILENO);
	ret = run(&r, e);
	end_children(&r);
	tty_restore();
	if (ret < 0)
		return ret;
	*ret_exit = ret;
	return 0;
}
