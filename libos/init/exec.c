/* SPDX-License-Identifier: MIT */
/*
 * exec.c - further programs, for clients of the launcher.
 *
 * Theory of operation
 *
 * frame.h has the protocol. A session is a program of its own with a terminal, or with three
 * pipes; we hold the other ends and never wait for one of them: what a program doesn't read lies in the
 * session's queue, which its window bounds, and what a client doesn't read isn't read from the program.
 *
 *	REQUEST	START			start(): the program runs
 *	...				exec_poll(), exec_ready(): bytes, both ways
 *	exec_reaped()			it has ended; what it has written is still read, and what
 *					others that hold its pipes go on writing is not
 *	finish()			END
 *
 * Writing to the control channel waits: the launcher always reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "init.h"

#define PTY_DRAIN_MAX (128 << 10) /* more than a terminal holds */

enum state {
	FREE,
	ASKED, /* its request is coming in */
	RUNNING,
	EXITED /* what is left of its output goes out */
};

/* What one of its output streams still is. */
struct output {
	int fd; /* -1: it has ended */
	unsigned int credit;
	size_t left; /* may still be read after the exit */
};

static struct session {
	enum state state;
	struct conf request;
	struct winsize size;
	bool tty;
	pid_t pid;
	int status;
	int in;
	struct output out[2]; /* stdout and stderr; a terminal is stdout alone */
	struct frame_queue queue;
} sessions[FRAME_SESSIONS];

static const struct conf *base;
static int control;

void exec_init(const struct conf *first, int fd)
{
	base = first;
	control = fd;
}

static uint16_t number_of(const struct session *s)
{
	return (uint16_t)(s - sessions + 1);
}

static void tell(struct session *s, enum frame_kind kind, int stream, uint32_t value)
{
	struct frame f = { .kind = (uint8_t)kind,
			   .stream = (uint8_t)stream,
			   .session = number_of(s),
			   .value = value };

	(void)!write(control, &f, FRAME_HEAD);
}

void exec_tell_started(void)
{
	struct frame f = { .kind = FRAME_START };

	(void)!write(control, &f, FRAME_HEAD);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void finish(struct session *s)
{
	close_fd(&s->in);
	close_fd(&s->out[0].fd);
	close_fd(&s->out[1].fd);
	free(s->request.text);
	s->request = (struct conf){ .text = NULL };
	s->state = FREE;
	tell(s, FRAME_END, 0, (uint32_t)s->status);
}

static void refuse(struct session *s, const char *why)
{
	struct frame f = { .kind = FRAME_ERROR, .session = number_of(s) };
	size_t len = strlen(why);

	memcpy(f.data, why, len);
	(void)!write(control, &f, FRAME_HEAD + len);
	s->status = EXIT_FAILED;
	finish(s);
}

/* --- its start --- */

static bool is_set(const struct conf *c, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (const char *p = NULL; (p = conf_next(c, "env", p));)
		if (!strncmp(p, variable, len))
			return true;
	return false;
}

/* The first program's, and the request's over it. */
static char **environment(const struct conf *request)
{
	char **ours = conf_list(request, "env"), **first = conf_list(base, "env"), **env;
	size_t n = 0, m = 0;

	while (ours && ours[n])
		n++;
	while (first && first[m])
		m++;
	env = calloc(n + m + 1, sizeof(*env));
	if (!ours || !first || !env)
		return NULL;
	memcpy(env, ours, n * sizeof(*env));
	for (char **v = first; *v; v++)
		if (!is_set(request, *v))
			env[n++] = *v;
	return env;
}

static void show(const char *name)
{
	char path[64], buf[4096];
	ssize_t n = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/lo/%s", name);
	fd = strchr(name, '/') ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		init_fail("opening", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			break;
	_exit(n < 0 ? EXIT_FAILED : 0);
}

static void __attribute__((noreturn)) run_child(struct session *s, const int fds[3])
{
	const char *name = conf_next(&s->request, "show", NULL);
	sigset_t none;

	(void)setsid();
	if (s->tty && ioctl(fds[0], TIOCSCTTY, 0) < 0)
		init_fail("taking the terminal of", "a session");
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			init_fail("taking the streams of", "a session");
	if (!name)
		become(&s->request, environment(&s->request));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	show(name);
	_exit(0);
}

/* *@ret_slave is all three streams of the program. */
static int open_terminal(struct session *s, int *ret_slave)
{
	int unlock = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (master < 0)
		return -1;
	s->in = master;
	s->out[0].fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (s->out[0].fd < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(master, TIOCSWINSZ, &s->size) < 0)
		return -1;
	*ret_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave < 0 ? -1 : 0;
}

/* @ours does not wait; the program's end is a file of its own, and does. */
static int open_pipe(int *ours, int *theirs, bool to_program)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ours = fds[to_program];
	*theirs = fds[!to_program];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int open_streams(struct session *s, int fds[3])
{
	if (s->tty) {
		int r = open_terminal(s, &fds[0]);

		fds[1] = fds[2] = fds[0];
		return r;
	}
	if (open_pipe(&s->in, &fds[0], true) < 0 || open_pipe(&s->out[0].fd, &fds[1], false) < 0)
		return -1;
	return open_pipe(&s->out[1].fd, &fds[2], false);
}

static void start(struct session *s)
{
	int fds[3] = { -1, -1, -1 };

	if (!s->request.size || s->request.text[s->request.size - 1] ||
	    (!conf_next(&s->request, "arg", NULL) && !conf_next(&s->request, "show", NULL))) {
		refuse(s, "the request has no program");
		return;
	}
	s->tty = conf_next(&s->request, "tty", NULL);
	s->pid = open_streams(s, fds) < 0 ? -1 : fork();
	if (!s->pid)
		run_child(s, fds);
	for (int i = 0; i < (s->tty ? 1 : 3); i++)
		close_fd(&fds[i]);
	if (s->pid < 0)
		refuse(s, "there is no memory, process or terminal left for one more program");
	else
		s->state = RUNNING;
}

static void add_request(struct session *s, const uint8_t *data, size_t size)
{
	struct conf *c = &s->request;
	char *text;

	if (s->state == FREE) {
		*s = (struct session){ .state = ASKED, .in = -1 };
		for (int i = 0; i < 2; i++)
			s->out[i] = (struct output){ .fd = -1, .credit = FRAME_WINDOW };
	}
	text = c->size + size > FRAME_REQUEST_MAX ? NULL : realloc(c->text, c->size + size);
	if (!text) {
		refuse(s, "arguments and environment are too long");
		return;
	}
	c->text = text;
	memcpy(c->text + c->size, data, size);
	c->size += size;
}

/* --- while it runs --- */

/* As when a terminal hangs up, or a network connection is lost: nobody listens any more. */
static void abandon(struct session *s)
{
	int sig = s->tty ? SIGHUP : SIGKILL;

	/* A child that hasn't come as far as having a group is meant too. */
	if (s->state == RUNNING && kill(-s->pid, sig) < 0)
		(void)kill(s->pid, sig);
	finish(s);
}

static void give_input(struct session *s, const uint8_t *data, size_t size)
{
	if (s->in >= 0 && frame_queue_put(&s->queue, data, size) < 0)
		abandon(s);
}

/* A terminal has no end of file but the character for it. */
static void end_input(struct session *s)
{
	static const char eof = 4;

	if (s->tty)
		(void)!write(s->in, &eof, 1);
	else
		close_fd(&s->in);
	s->queue.end = false;
}

static void signal_program(struct session *s, const struct frame *f)
{
	if (s->state == RUNNING)
		(void)kill(f->stream ? -s->pid : s->pid, (int)f->value);
}

static void resize(struct session *s, uint32_t value)
{
	s->size.ws_row = (unsigned short)(value >> 16);
	s->size.ws_col = (unsigned short)value;
	if (s->tty && s->in >= 0)
		(void)ioctl(s->in, TIOCSWINSZ, &s->size);
}

static void add_credit(struct session *s, const struct frame *f)
{
	struct output *o = &s->out[f->stream - FRAME_STDOUT];

	o->credit = o->credit + f->value > FRAME_WINDOW ? FRAME_WINDOW : o->credit + f->value;
}

void exec_frame(const struct frame *f, size_t size)
{
	struct session *s = &sessions[f->session - 1];
	size_t data = size - FRAME_HEAD;

	if (f->kind == FRAME_REQUEST && (s->state == FREE || s->state == ASKED))
		add_request(s, f->data, data);
	else if (s->state == FREE)
		return; /* it crossed our FRAME_END */
	else if (f->kind == FRAME_START && s->state == ASKED)
		start(s);
	else if (f->kind == FRAME_END)
		abandon(s);
	else if (f->kind == FRAME_WINSIZE)
		resize(s, f->value);
	else if (f->kind == FRAME_DATA && s->state != ASKED)
		give_input(s, f->data, data);
	else if (f->kind == FRAME_CREDIT)
		add_credit(s, f);
	else if (f->kind == FRAME_SIGNAL)
		signal_program(s, f);
}

static bool is_done(const struct session *s)
{
	return s->state == EXITED && s->out[0].fd < 0 && s->out[1].fd < 0;
}

void exec_stop(int status)
{
	for (struct session *s = sessions; s < sessions + FRAME_SESSIONS; s++) {
		if (s->state == FREE)
			continue;
		s->status = status;
		finish(s);
	}
}

/* What it has written before its end; others may hold the same pipe and go on. */
static void limit_rest(struct session *s, struct output *o)
{
	int waiting = 0;

	if (o->fd < 0)
		return;
	o->left = PTY_DRAIN_MAX;
	if (!s->tty && ioctl(o->fd, FIONREAD, &waiting) == 0)
		o->left = (size_t)waiting;
	if (!o->left)
		close_fd(&o->fd);
}

void exec_reaped(pid_t pid, int status)
{
	for (struct session *s = sessions; s < sessions + FRAME_SESSIONS; s++) {
		if (s->state != RUNNING || s->pid != pid)
			continue;
		s->state = EXITED;
		s->status = status;
		close_fd(&s->in);
		limit_rest(s, &s->out[0]);
		limit_rest(s, &s->out[1]);
		if (is_done(s))
			finish(s);
	}
}

/* One read of one stream becomes one frame. */
static void take_output(struct session *s, int i)
{
	struct output *o = &s->out[i];
	struct frame f = { .kind = FRAME_DATA,
			   .stream = (uint8_t)(FRAME_STDOUT + i),
			   .session = number_of(s) };
	size_t most = FRAME_DATA_MAX;
	ssize_t n;

	if (s->state == EXITED && o->left < most)
		most = o->left;
	n = read(o->fd, f.data, most);
	if (n > 0) {
		(void)!write(control, &f, FRAME_HEAD + (size_t)n);
		o->credit--;
		o->left -= s->state == EXITED ? (size_t)n : 0;
		if (s->state == EXITED && !o->left)
			close_fd(&o->fd);
		return;
	}
	/* Nothing is no end while it runs; afterwards it is, and EIO is a terminal's. */
	if (!n || (errno != EAGAIN && errno != EINTR) || s->state == EXITED)
		close_fd(&o->fd);
}

static void put_input(struct session *s)
{
	int n = frame_queue_write(&s->queue, s->in);

	if (n > 0)
		tell(s, FRAME_CREDIT, FRAME_STDIN, (uint32_t)n);
	if (n < 0 && n != -EAGAIN) {
		close_fd(&s->in); /* nobody reads it: what comes is dropped */
		return;
	}
	if (!s->queue.n && s->queue.end)
		end_input(s);
}

size_t exec_poll(struct pollfd *fds)
{
	for (struct session *s = sessions; s < sessions + FRAME_SESSIONS; s++) {
		bool waits = s->queue.n || s->queue.end;

		*fds++ = (struct pollfd){ .fd = s->state != FREE && waits ? s->in : -1,
					  .events = POLLOUT };
		for (int i = 0; i < 2; i++)
			*fds++ = (struct pollfd){ .fd = s->state != FREE && s->out[i].credit
								? s->out[i].fd
								: -1,
						  .events = POLLIN };
	}
	return EXEC_POLL_MAX;
}

/* @fds is what exec_poll() filled; what has ended since has no descriptor any more. */
void exec_ready(const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct session *s = &sessions[i / 3];
		int out = (int)(i % 3) - 1;

		if (fds[i].fd < 0 || !fds[i].revents || s->state == FREE)
			continue;
		if (out < 0 && s->in == fds[i].fd)
			put_input(s);
		else if (out >= 0 && s->out[out].fd == fds[i].fd && s->out[out].credit)
			take_output(s, out);
		if (is_done(s))
			finish(s);
	}
}
