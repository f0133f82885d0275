/* SPDX-License-Identifier: MIT */
/* relay.c - the parent's loop. The theory of operation is in relay.h. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "cleanup.h"
#include "pidfd.h"
#include "tty.h"

/* More than the kernel keeps of a pty's output: 64 KiB of flip buffers and a 4 KiB read buffer. */
#define DRAIN_MAX (128u << 10)
/* How often we look whether the keyboard has become ours. */
#define KEYS_RETRY_NS 200000000u

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1u << 2) /* Linux 6.9 */
#endif

enum {
	IN, /* keyboard to command */
	OUT,
	ERR,
	NCHANS
};

struct run {
	struct relay *relay;
	struct loop loop;
	struct loop_signals signals;
	struct loop_timer retry;
	struct loop_src child;
	struct chan chan[NCHANS];
	int slave; /* kept open, so that the master sees no hang-up while the command runs */
	int failed;
	bool exited;
	siginfo_t status;
};

/* Taken by the command in our place. */
static const int forwarded[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2 };

/* The terminal is gone: with no master left, the kernel hangs up the session inside. */
static void hang_up(struct run *run)
{
	closep(&run->slave);
	run->slave = -1;
	chan_break(&run->chan[IN]);
	if (run->relay->pty)
		chan_break(&run->chan[OUT]);
}

static void chan_broken(struct chan *c)
{
	struct run *run = c->arg;

	if (run->relay->pty)
		hang_up(run);
	else
		chan_break(c);
}

static void keys_pause(struct run *run)
{
	run->chan[IN].on = false;
	loop_timer_set(&run->loop, &run->retry, loop_now_ns() + KEYS_RETRY_NS);
	chan_update(&run->chan[IN]);
}

/* Take or leave the keyboard. */
static void keys_update(struct run *run)
{
	struct chan *c = &run->chan[IN];
	bool pty = run->relay->pty;
	int fd = c->src.fd;

	if (c->eof || !run->relay->keys_tty)
		return;
	if (!tty_is_ours(fd) || (pty ? tty_raw(fd) < 0 : !tty_is_canonical(fd))) {
		keys_pause(run);
		return;
	}
	loop_timer_clear(&run->loop, &run->retry);
	c->on = true;
	chan_update(c);
}

static void on_retry(struct loop_timer *t)
{
	struct run *run = t->arg;

	if (tty_is_hung_up(run->chan[IN].src.fd))
		hang_up(run);
	else
		keys_update(run);
}

/*
 * No more input for the pty: as if the user had typed ^D. The first ends a line that
 * is unfinished, the second the input.
 */
static void put_eof(struct chan *c)
{
	struct termios t;

	c->eof = true;
	if (tcgetattr(c->dst.fd, &t) < 0 || !(t.c_lflag & ICANON) ||
	    t.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	for (int i = 0; i < 2; i++) {
		if (ring_put(&c->ring, t.c_cc[VEOF]) < 0)
			return;
	}
}

/* Zero bytes or an error from the keyboard. */
static void keys_ended(struct run *run, ssize_t n)
{
	struct chan *c = &run->chan[IN];

	if (!run->relay->keys_tty)
		put_eof(c);
	else if (tty_is_hung_up(c->src.fd))
		hang_up(run);
	else if (n == 0 && !run->relay->pty)
		c->eof = true; /* ^D */
	else
		keys_pause(run); /* EIO: it is the background that we are in */
}

static void on_keys(struct loop_src *s, uint32_t events)
{
	struct chan *c = s->arg;
	struct run *run = c->arg;
	ssize_t n;

	(void)events;
	if (!run->relay->pty && !tty_is_canonical(s->fd) && !tty_is_hung_up(s->fd)) {
		keys_pause(run);
		return;
	}
	n = ring_fill(&c->ring, s->fd, SIZE_MAX);
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		keys_ended(run, n);
	chan_flush(c);
	chan_update(c);
}

static void resize(struct run *run)
{
	struct relay *r = run->relay;
	int master = run->chan[OUT].src.fd;

	if (r->pty && r->size_fd >= 0 && master >= 0 &&
	    ioctl(r->size_fd, TIOCGWINSZ, &r->winsize) == 0)
		(void)ioctl(master, TIOCSWINSZ, &r->winsize);
}

/* The pid behind a pidfd, for kernels that cannot signal its group; 0 if /proc does not tell. */
static pid_t pid_of(int pidfd)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[40], line[64];
	int pid = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	}
	return pid > 1 ? pid : 0;
}

/* To the command's process group: it leads one, by relay_child_take(). */
static void signal_group(struct run *run, int sig)
{
	int fd = run->child.fd;
	pid_t pid;

	if (run->exited ||
	    syscall(SYS_pidfd_send_signal, fd, sig, NULL, PIDFD_SIGNAL_PROCESS_GROUP) == 0)
		return;
	pid = pid_of(fd); /* not reaped yet, so it is nobody else's */
	if (!pid || kill(-pid, sig) < 0)
		(void)pidfd_signal(fd, sig);
}

/* Let @sig do to us what it would have done, with the terminal as it was. */
static void let_through(struct run *run, int sig)
{
	sigset_t one, old;

	tty_restore();
	sigemptyset(&one);
	sigaddset(&one, sig);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, &old);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	keys_update(run);
	resize(run);
}

static void stop(struct run *run)
{
	bool pipes = !run->relay->pty;

	if (pipes)
		signal_group(run, SIGSTOP);
	let_through(run, SIGTSTP);
	/* SIGCONT will say it again, but if we are an orphan we were not stopped and get none. */
	if (pipes)
		signal_group(run, SIGCONT);
}

static void forward(struct run *run, const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;

	if (run->exited)
		let_through(run, sig); /* the user does not want to wait for the rest */
	else if (si->ssi_code == SI_KERNEL && !run->relay->pty)
		signal_group(run, sig);
	else
		(void)pidfd_signal(run->child.fd, sig);
}

static void on_signal(struct loop_signals *s, const struct signalfd_siginfo *si)
{
	struct run *run = s->arg;
	int sig = (int)si->ssi_signo;

	switch (sig) {
	case SIGWINCH:
		resize(run);
		return;
	case SIGCONT:
		keys_update(run);
		resize(run);
		if (!run->relay->pty)
			signal_group(run, SIGCONT);
		return;
	case SIGTSTP:
		stop(run);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		if (sig == forwarded[i]) {
			forward(run, si);
			return;
		}
	}
	let_through(run, sig);
}

static void unmask_ignored(sigset_t *mask, int sig)
{
	struct sigaction sa;

	if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		(void)sigdelset(mask, sig);
}

/* All signals but those that cannot wait or that we leave alone, and what our caller ignores. */
static void signal_mask(sigset_t *mask)
{
	static const int left_alone[] = { SIGCHLD, SIGTTOU, SIGSEGV, SIGBUS, SIGFPE,
					  SIGILL,  SIGABRT, SIGSYS,  SIGTRAP };

	(void)sigfillset(mask);
	for (size_t i = 0; i < ARRAY_SIZE(left_alone); i++)
		(void)sigdelset(mask, left_alone[i]);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		unmask_ignored(mask, forwarded[i]);
	unmask_ignored(mask, SIGTSTP);
}

static void on_child(struct loop_src *s, uint32_t events)
{
	struct run *run = s->arg;
	struct chan *in = &run->chan[IN];

	(void)events;
	/* It is dead, so this does not wait; only a tracer may hold it, and spinning until
	 * that lets go would be worse. */
	if (waitid(P_PIDFD, (id_t)s->fd, &run->status, WEXITED | __WALL) < 0) {
		run->failed = errno == EINTR ? 0 : -errno;
		return;
	}
	run->exited = true;
	loop_del(&run->loop, s);
	loop_timer_clear(&run->loop, &run->retry);
	in->eof = true;
	ring_clear(&in->ring);
	chan_update(in);
	for (int i = OUT; i <= ERR; i++) {
		int waiting = (int)DRAIN_MAX;

		/* A pipe tells what is in it; a pty does not count its flip buffers. */
		if (!run->relay->pty && run->chan[i].src.fd >= 0)
			(void)ioctl(run->chan[i].src.fd, FIONREAD, &waiting);
		chan_drain(&run->chan[i], (size_t)waiting);
	}
}

static bool finished(const struct run *run)
{
	return run->exited && chan_done(&run->chan[OUT]) && chan_done(&run->chan[ERR]);
}

static int open_keys(struct run *run)
{
	struct chan *in = &run->chan[IN];
	int fd = run->relay->keys_fd;

	if (fd < 0)
		return 0;
	in->src.fn = on_keys;
	in->src.fd = run->relay->keys_tty ? tty_reopen(fd, O_RDWR) : -1;
	if (in->src.fd < 0)
		in->src.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return in->src.fd < 0 ? -errno : 0;
}

static int open_master(struct run *run, int *master)
{
	struct chan *in = &run->chan[IN], *out = &run->chan[OUT];
	int flags = fcntl(*master, F_GETFL);

	if (flags < 0 || fcntl(*master, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	/* Without it, all slaves closed counts as the end of the output: a little worse. */
	run->slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	in->dst.fd = fcntl(*master, F_DUPFD_CLOEXEC, 0);
	if (in->dst.fd < 0)
		return -errno;
	out->src.fd = take_fd(master);
	return chan_own_dst(out, run->relay->user_fd[STDOUT_FILENO]);
}

static int open_pipes(struct run *run)
{
	struct relay *r = run->relay;

	run->chan[IN].dst.fd = take_fd(&r->pipe_fd[STDIN_FILENO]);
	run->chan[IN].dst_close = true;
	for (int i = OUT; i <= ERR; i++) {
		int res = 0;

		run->chan[i].src.fd = take_fd(&r->pipe_fd[i]);
		if (run->chan[i].src.fd >= 0)
			res = chan_own_dst(&run->chan[i], r->user_fd[i]);
		if (res < 0)
			return res;
	}
	return 0;
}

static int run_start(struct run *run, int *master)
{
	struct relay *r = run->relay;
	int res = open_keys(run);

	if (res >= 0)
		res = r->pty ? open_master(run, master) : open_pipes(run);
	for (int i = IN; i < NCHANS && res >= 0; i++)
		res = chan_start(&run->chan[i], i != IN || !r->keys_tty);
	if (res >= 0)
		res = loop_add(&run->loop, &run->child, EPOLLIN);
	return res;
}

/* With the signals in our hands. */
static int run_loop(struct run *run, int *master)
{
	int r = run_start(run, master);

	if (r < 0)
		return r;
	keys_update(run);
	resize(run);
	while (!finished(run) && r >= 0) {
		r = loop_once(&run->loop);
		if (run->failed < 0)
			r = run->failed;
	}
	tty_restore();
	return r;
}

static void run_init(struct run *run, struct relay *r, int pidfd)
{
	*run = (struct run){
		.relay = r,
		.slave = -1,
		.child = { .fd = pidfd, .fn = on_child, .arg = run },
		.retry = { .fn = on_retry, .arg = run },
		.signals = { .fn = on_signal, .arg = run },
	};
	for (int i = IN; i < NCHANS; i++)
		chan_init(&run->chan[i], &run->loop, chan_broken, run);
}

static void run_fini(struct run *run)
{
	for (int i = IN; i < NCHANS; i++)
		chan_fini(&run->chan[i]);
	closep(&run->slave);
	loop_fini(&run->loop);
}

int relay_run(struct relay *r, int pidfd, int master, struct err *e)
{
	_cleanup_close_ int master_fd = master;
	struct sigaction old_pipe, ignore = { .sa_handler = SIG_IGN };
	struct run run;
	sigset_t mask;
	int res;

	/* The command has them now; an end kept here would hide its end of file from it. */
	for (int i = 0; i < 3; i++) {
		closep(&r->pipe_child[i]);
		r->pipe_child[i] = -1;
	}
	run_init(&run, r, pidfd);
	signal_mask(&mask);
	(void)sigaction(SIGPIPE, &ignore, &old_pipe);
	res = loop_init(&run.loop);
	if (res >= 0)
		res = loop_signals_add(&run.loop, &run.signals, &mask);
	if (res >= 0) {
		res = run_loop(&run, &master_fd);
		loop_signals_del(&run.loop, &run.signals);
	}
	run_fini(&run);
	(void)sigaction(SIGPIPE, &old_pipe, NULL);
	if (res < 0)
		return err_set(e, -res, "relaying the terminal: %s", err_str(res));
	return pty_exit_code(&run.status);
}
