/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "boot"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
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
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "cleanup.h"
#include "conf.h"
#include "core.h"
#include "initrd.h"
#include "log.h"
#include "pidfd.h"
#include "server.h"
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
	int image; /* of the disk, open as long as the machine is: it stays locked between two back ends */
	bool read_only;
	struct backend disk, net;
	int ready[2]; /* what the network's first back end has to say before it serves: ours, its */
	int panic[2]; /* ours, the kernel's; if a core is wanted */
	int stream[3]; /* copies of ours for the program, if it has no terminal */
	int signals;
	pid_t pid;
	int pidfd;
	bool ended;   /* the library OS has */
	bool started; /* the program, or it soon will be */
	int stopped;  /* by this signal, before that; or 0 */
	struct loop loop;
	struct server server;
};
#define RUN_INIT                                                                        \
	{                                                                               \
		.initrd = -1, .control = { -1, -1 }, .image = -1, .disk = BACKEND_INIT, \
		.net = BACKEND_INIT, .ready = { -1, -1 }, .panic = { -1, -1 },          \
		.stream = { -1, -1, -1 }, .signals = -1, .pidfd = -1                    \
	}

static void run_close(const struct run *r)
{
	const int fds[] = { r->initrd,   r->control[0], r->control[1], r->image,     r->signals,
			    r->pidfd,    r->stream[0],  r->stream[1],  r->stream[2], r->ready[0],
			    r->ready[1], r->panic[0],   r->panic[1] };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		closep(&fds[i]);
	backend_fini(&r->disk);
	backend_fini(&r->net);
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

static int make_initrd(struct run *r, struct err *e)
{
	_cleanup_boot_conf_ struct boot_conf conf = { .data = NULL };
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int init = -1;
	int ret = machine_file("rktio-init", &path, e);

	if (!ret && r->m->disk.path)
		ret = root_plan(&r->m->disk, &conf, &r->read_only, e);
	if (ret < 0)
		return ret;
	init = open(path, O_RDONLY | O_CLOEXEC);
	if (init < 0)
		return err_set(e, errno, "opening '%s': %s", path, err_str(errno));
	for (const char *const *arg = r->m->argv; *arg; arg++)
		boot_conf_add(&conf, "arg", "%s", *arg);
	add_environment(r, &conf);
	boot_conf_add(&conf, "cwd", "%s", r->m->workdir ? r->m->workdir : "/");
	if (r->m->user)
		boot_conf_add(&conf, "user", "%s", r->m->user);
	boot_conf_add(&conf, "hostname", "rktio");
	net_opts_plan(&r->m->net, &conf);
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

static void shut(int *fd)
{
	closep(fd);
	*fd = -1;
}

/* The image is open already; its name is for messages. */
static pid_t start_disk_at(void *arg, int sock, int alive, bool again, struct err *e)
{
	const struct run *r = arg;
	_cleanup_free_ char *path = NULL;
	char fd[24], image[24], life[24];
	char *argv[10] = { NULL };
	int ret = machine_file("rktio-blk", &path, e);
	size_t n = 0;

	if (ret < 0)
		return ret;
	(void)snprintf(fd, sizeof(fd), "%d", sock);
	(void)snprintf(image, sizeof(image), "--blk-fd=%d", r->image);
	(void)snprintf(life, sizeof(life), "--alive=%d", alive);
	argv[n++] = path;
	argv[n++] = (char *)(uintptr_t) "--fd";
	argv[n++] = fd;
	argv[n++] = (char *)(uintptr_t) "--blk-file";
	argv[n++] = (char *)(uintptr_t)r->m->disk.path;
	argv[n++] = image;
	argv[n++] = life;
	if (r->read_only)
		argv[n++] = (char *)(uintptr_t) "--read-only";
	if (again)
		argv[n++] = (char *)(uintptr_t) "--again";
	return start(argv, (const int[]){ sock, r->image, alive }, 3, true, e);
}

static int start_disk(struct run *r, struct err *e)
{
	const char *path = r->m->disk.path;
	int ret;

	r->image =
		open(path, (r->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (r->image < 0)
		return err_set(e, errno, "cannot open the image '%.150s': %s", path,
			       err_str(errno));
	r->disk.name = "disk";
	r->disk.start = start_disk_at;
	r->disk.arg = r;
	ret = backend_open(&r->disk, e);
	return ret < 0 ? ret : backend_start(&r->disk, e);
}

static pid_t start_net_at(void *arg, int sock, int alive, bool again, struct err *e)
{
	const struct run *r = arg;
	_cleanup_free_ char *path = NULL;
	char fd[16], say[16], *argv[NET_ARGS_MAX] = { NULL };
	int ret = machine_file("rktio-net", &path, e);
	struct net_scratch scratch;
	size_t n = 0;

	if (ret < 0)
		return ret;
	(void)snprintf(fd, sizeof(fd), "--fd=%d", sock);
	(void)snprintf(say, sizeof(say), "--ready=%d", r->ready[1]);
	argv[n++] = path;
	argv[n++] = fd;
	if (!again)
		argv[n++] = say;
	else if (r->m->net.kind == NET_VHOST_USER)
		argv[n++] = (char *)(uintptr_t) "--again";
	net_opts_argv(&r->m->net, &scratch, argv, n);
	return start(argv, (const int[]){ sock, alive, again ? -1 : r->ready[1] }, 3, true, e);
}

static int start_net(struct run *r, struct err *e)
{
	int ret;

	if (r->m->net.kind == NET_NONE)
		return 0;
	ret = backend_open(&r->net, e);
	if (ret < 0)
		return ret;
	if (pipe2(r->ready, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe: %s", err_str(errno));
	r->net.name = "network";
	r->net.start = start_net_at;
	r->net.arg = r;
	/* A port, or the tap, may not be free yet. */
	r->net.stubborn = true;
	ret = backend_start(&r->net, e);
	shut(&r->ready[1]);
	return ret;
}

/* Its sentence, if it cannot serve. */
static int await_net(const struct run *r, struct err *e)
{
	char text[sizeof(e->msg)];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 &&
	       (n = read(r->ready[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	if (!strcmp(text, NET_READY))
		return 0;
	return err_set(e, EIO, "%s", len ? text : "the network's back end was killed");
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

static int start_linux(struct run *r, struct err *e)
{
	static const char *const streams[] = { "stdin", "stdout", "stderr" };
	int keep[6 + 2 * BACKEND_FDS] = { r->initrd,    r->control[1], r->stream[0],
					  r->stream[1], r->stream[2],  r->panic[1] };
	_cleanup_free_ char *path = NULL;
	char word[BACKEND_WORD_MAX];
	struct words w = { .n = 0 };
	char name[MACHINE_NAME_MAX];
	int ret = machine_file(machine_linux(r->m->linux_version, name), &path, e);

	if (ret < 0)
		return ret;
	backend_fds(&r->disk, keep + 6);
	backend_fds(&r->net, keep + 6 + BACKEND_FDS);
	w.argv[w.n++] = path;
	add_word(&w, "mem=%lluM", (unsigned long long)(r->m->memory >> 20));
	add_word(&w, "initrd=fd:%d", r->initrd);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (r->stream[i] >= 0)
			add_word(&w, "hostfd=%s:%d", streams[i], r->stream[i]);
	add_word(&w, "hostfd=control:%d", r->control[1]);
	if (r->disk.sock[1] >= 0) {
		backend_word(&r->disk, "blk", word);
		add_word(&w, "%s", word);
	}
	if (r->net.sock[1] >= 0) {
		backend_word(&r->net, "net", word);
		add_word(&w, "%s", word);
	}
	if (r->panic[1] >= 0)
		add_word(&w, "panicfd=%d", r->panic[1]);
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

static void tell_size(const struct run *r)
{
	struct winsize size;

	if (r->terminal && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		server_tell(&r->server, FRAME_WINSIZE, (uint32_t)size.ws_row << 16 | size.ws_col);
}

static bool is_end(uint32_t signal)
{
	return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

static void on_signal(struct loop_src *src, uint32_t events)
{
	struct run *r = src->arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(src->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			tell_size(r);
		else if (!server_has_started(&r->server) && is_end(info.ssi_signo))
			r->stopped = (int)info.ssi_signo;
		else
			server_tell(&r->server, FRAME_SIGNAL, info.ssi_signo);
	}
}

static void on_end(struct loop_src *src, uint32_t events)
{
	(void)events;
	((struct run *)src->arg)->ended = true;
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

/* The kernel waits until we close our end. */
static void on_panic(struct loop_src *src, uint32_t events)
{
	struct run *r = src->arg;
	_cleanup_free_ char *path = NULL;
	struct lo_panic report;
	struct err e = { 0 };

	(void)events;
	if (recv(src->fd, &report, sizeof(report), 0) == sizeof(report)) {
		if (core_write(&report, r->pid, r->m->core, &path, &e) < 0)
			log_error("no core: %s", e.msg);
		else
			log_error("the core is '%s'; it holds all that was in memory, secrets too",
				  path);
	}
	loop_del(&r->loop, src);
	closep(&r->panic[0]);
	r->panic[0] = -1;
}

/* For rktio ps. Words that would take too much of a message are cut. */
static void describe(const struct run *r, char *to, size_t size)
{
	const struct machine *m = r->m;
	int n = snprintf(to, size, "started=%lld\nmemory=%llu\nimage=%.1000s\nprogram=%.1000s",
			 (long long)time(NULL), (unsigned long long)m->memory,
			 m->disk.path ? m->disk.path : "", m->argv[0]);

	for (const char *const *arg = m->argv + 1; *arg && (size_t)n < size; arg++)
		n += snprintf(to + n, size - (size_t)n, " %s", *arg);
	/* A line each, and the program is the last. */
	for (char *p = strstr(to, "\nprogram=") + 1; (p = strchr(p, '\n'));)
		*p = ' ';
}

static int reap(struct run *r, struct err *e)
{
	siginfo_t si = { 0 };

	if (waitid(P_PID, (id_t)r->pid, &si, WEXITED) < 0)
		return err_set(e, errno, "waiting: %s", err_str(errno));
	r->pid = 0;
	if (si.si_code == CLD_EXITED)
		return si.si_status;
	if (si.si_status == SIGKILL)
		return err_set(
			e, ECHILD,
			"the library OS was killed: by somebody, or the host was out of memory");
	return err_set(e, ECHILD, "the library OS was ended by signal %d", si.si_status);
}

static int attend(struct run *r, struct err *e)
{
	struct loop_src end = { .fd = r->pidfd, .fn = on_end, .arg = r };
	struct loop_src signals = { .fd = r->signals, .fn = on_signal, .arg = r };
	struct loop_src panic = { .fd = r->panic[0], .fn = on_panic, .arg = r };
	char info[FRAME_DATA_MAX];
	struct err why = { 0 };
	int ret = loop_init(&r->loop);

	describe(r, info, sizeof(info));
	if (!ret && server_start(&r->server, &r->loop, r->control[0], info, &why) < 0)
		log_warn("'rktio exec' and its like won't find this machine: %s", why.msg);
	if (!ret)
		ret = loop_add(&r->loop, &end, EPOLLIN);
	if (!ret)
		ret = loop_add(&r->loop, &signals, EPOLLIN);
	if (!ret && panic.fd >= 0)
		ret = loop_add(&r->loop, &panic, EPOLLIN);
	if (!ret)
		ret = backend_watch(&r->disk, &r->loop, r->pidfd);
	if (!ret)
		ret = backend_watch(&r->net, &r->loop, r->pidfd);
	while (!ret && !r->ended && !r->stopped) {
		ret = loop_once(&r->loop);
		/* From now on ^C is the program's. */
		if (r->server.started && !r->started)
			tty_set_interrupt(false);
		r->started = r->server.started;
	}
	server_drain(&r->server);
	server_fini(&r->server);
	loop_fini(&r->loop);
	if (ret < 0)
		return err_set(e, -ret, "waiting: %s", err_str(ret));
	return r->ended ? reap(r, e) : 128 + r->stopped;
}

static int run(struct run *r, struct err *e)
{
	int ret = r->m->core ? core_check(r->m->core, e) : 0;

	if (ret < 0)
		return err_wrap(e, ret, "no core");
	ret = start_net(r, e);
	if (!ret)
		ret = make_initrd(r, e);
	if (!ret && r->m->disk.path)
		ret = start_disk(r, e);
	if (!ret && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->control) < 0)
		ret = err_set(e, errno, "making a socket pair: %s", err_str(errno));
	if (!ret && r->m->core &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, r->panic) < 0)
		ret = err_set(e, errno, "making a socket pair: %s", err_str(errno));
	if (!ret)
		ret = catch_signals(r, e);
	if (!ret && r->terminal && tty_raw(STDIN_FILENO) < 0)
		ret = err_set(e, EIO, "setting the terminal to raw mode failed");
	if (!ret && r->terminal)
		tty_set_interrupt(true);
	if (!ret)
		ret = copy_streams(r, e);
	if (!ret && r->net.pid > 0)
		ret = await_net(r, e);
	if (!ret)
		ret = start_linux(r, e);
	if (ret < 0)
		return ret;
	shut(&r->initrd);
	shut(&r->control[1]);
	shut(&r->panic[1]);
	backend_started(&r->disk);
	backend_started(&r->net);
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
	end_child(r->net.pid);
	if (r->disk.pid <= 0)
		return;
	if (r->disk.sock[1] >= 0)
		end_child(r->disk.pid);
	else if (waitpid(r->disk.pid, &status, 0) == r->disk.pid && WIFSIGNALED(status))
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
