/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "frame.h"
#include "loop.h"
#include "text.h"
#include "tty.h"

#define OUTS         2
#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80

struct run {
	const struct client *c;
	int sock;
	bool tty;
	struct loop loop;
	struct loop_src peer, in, out[OUTS];
	struct loop_signals signals;
	struct frame_queue queue[OUTS]; /* what has come of stdout and stderr */
	unsigned int credit;            /* of our stdin */
	bool ended;
	int status;
	int failed; /* -errno, and @e says it */
	struct err *e;
};

static int put(struct run *r, const struct frame *f, size_t data)
{
	ssize_t n;

	do
		n = send(r->sock, f, FRAME_HEAD + data, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* The other end may have gone: what it has said before is still to be read, and then its end. */
static void tell(struct run *r, enum frame_kind kind, int stream, uint32_t value)
{
	struct frame f = { .kind = (uint8_t)kind, .stream = (uint8_t)stream, .value = value };

	(void)put(r, &f, 0);
}

static void fail(struct run *r, int code, const char *what)
{
	if (!r->failed)
		r->failed = err_set(r->e, code, "%s", what);
}

/* --- the request --- */

struct request {
	struct frame f;
	size_t size;
	int r;
};

static void add_bytes(struct run *r, struct request *q, const char *p, size_t len)
{
	while (len && !q->r) {
		size_t n = FRAME_DATA_MAX - q->size < len ? FRAME_DATA_MAX - q->size : len;

		memcpy(q->f.data + q->size, p, n);
		p += n;
		len -= n;
		q->size += n;
		if (q->size < FRAME_DATA_MAX)
			continue;
		q->r = put(r, &q->f, q->size);
		q->size = 0;
	}
}

static void add(struct run *r, struct request *q, const char *key, const char *value)
{
	add_bytes(r, q, key, strlen(key));
	add_bytes(r, q, "=", 1);
	add_bytes(r, q, value, strlen(value) + 1);
}

static void tell_size(struct run *r)
{
	struct winsize size = { .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLS };

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	tell(r, FRAME_WINSIZE, 0, (uint32_t)size.ws_row << 16 | size.ws_col);
}

static bool has_variable(const struct client *c, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *v = c->env; v && *v; v++)
		if (!strncmp(*v, name, len) && (*v)[len] == '=')
			return true;
	return false;
}

static int ask(struct run *r)
{
	struct request q = { .f = { .kind = FRAME_REQUEST } };
	const struct client *c = r->c;
	const char *term = getenv("TERM");

	for (const char *const *v = c->argv; v && *v; v++)
		add(r, &q, "arg", *v);
	for (const char *const *v = c->env; v && *v; v++)
		add(r, &q, "env", *v);
	if (c->show)
		add(r, &q, "show", c->show);
	if (c->user)
		add(r, &q, "user", c->user);
	if (r->tty)
		add(r, &q, "tty", "1");
	if (r->tty && term && !has_variable(c, "TERM")) {
		add_bytes(r, &q, "env=TERM=", 9);
		add_bytes(r, &q, term, strlen(term) + 1);
	}
	add(r, &q, "cwd", c->workdir ? c->workdir : "/");
	if (!q.r && q.size)
		q.r = put(r, &q.f, q.size);
	/* It has been refused, and the reason is still to be read. */
	if (q.r == -EPIPE || q.r == -ECONNRESET)
		return 0;
	if (q.r < 0)
		return q.r;
	if (r->tty)
		tell_size(r);
	tell(r, FRAME_START, 0, 0);
	return 0;
}

/* --- while it runs --- */

static void on_input(struct loop_src *src, uint32_t events)
{
	struct run *r = src->arg;
	struct frame f = { .kind = FRAME_DATA, .stream = FRAME_STDIN };
	ssize_t n = read(src->fd, f.data, sizeof(f.data));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_del(&r->loop, src);
		n = 0;
	}
	(void)put(r, &f, (size_t)n);
	r->credit -= n > 0;
	if (!r->credit)
		loop_want(src, 0);
}

static void on_output(struct loop_src *src, uint32_t events)
{
	struct run *r = src->arg;
	int i = (int)(src - r->out);
	int n = frame_queue_write(&r->queue[i], src->fd);

	(void)events;
	if (n < 0 && n != -EAGAIN) {
		fail(r, -n, err_str(n));
		(void)err_wrap(r->e, n, "writing to standard %s", i ? "error" : "output");
	}
	if (n > 0)
		tell(r, FRAME_CREDIT, FRAME_STDOUT + i, (uint32_t)n);
	if (!r->queue[i].n)
		loop_want(src, 0);
}

static void take_error(struct run *r, const char *text, size_t len)
{
	_cleanup_free_ char *raw = strndup(text, len), *safe = raw ? text_safe(raw) : NULL;

	fail(r, EIO, safe ? safe : "no memory");
}

static void sink(struct run *r, const void *data, size_t size)
{
	if (!r->failed)
		r->failed = r->c->sink(r->c->arg, data, size, r->e);
	tell(r, FRAME_CREDIT, FRAME_STDOUT, 1);
}

static void take(struct run *r, const struct frame *f, size_t data)
{
	int i = f->stream - FRAME_STDOUT;

	switch (f->kind) {
	case FRAME_DATA:
		if (!i && r->c->sink) {
			sink(r, f->data, data);
			return;
		}
		if (frame_queue_put(&r->queue[i], f->data, data) < 0)
			fail(r, EPROTO, "the library OS sends more than it may");
		loop_want(&r->out[i], r->queue[i].n ? EPOLLOUT : 0);
		return;
	case FRAME_CREDIT:
		r->credit = r->credit + f->value > FRAME_WINDOW ? FRAME_WINDOW
								: r->credit + f->value;
		loop_want(&r->in, EPOLLIN);
		return;
	case FRAME_END:
		r->ended = true;
		r->status = (int)f->value;
		return;
	default:
		take_error(r, (const char *)f->data, data);
	}
}

static void on_peer(struct loop_src *src, uint32_t events)
{
	struct run *r = src->arg;
	struct frame f;
	ssize_t n = recv(src->fd, &f, sizeof(f), MSG_TRUNC);

	(void)events;
	/* A reset, for it had not read all of ours, comes before what it has sent. */
	if (n < 0 && (errno == EINTR || errno == ECONNRESET))
		return;
	if (n <= 0)
		fail(r, EPIPE, "the library OS has ended");
	else if (frame_check(&f, (size_t)n, false) < 0)
		fail(r, EPROTO, "the library OS says what it can't mean");
	else
		take(r, &f, (size_t)n - FRAME_HEAD);
	if (r->ended || r->failed)
		loop_del(&r->loop, src);
}

static void stop(struct run *r)
{
	tty_restore();
	(void)raise(SIGSTOP);
	if (r->tty && tty_is_ours(STDIN_FILENO) && tty_raw(STDIN_FILENO) == 0)
		tell_size(r);
}

static void on_signal(struct loop_signals *s, const struct signalfd_siginfo *si)
{
	struct run *r = s->arg;

	if (si->ssi_signo == SIGTSTP)
		stop(r);
	else if (si->ssi_signo != SIGWINCH)
		tell(r, FRAME_SIGNAL, si->ssi_code == SI_KERNEL, si->ssi_signo);
	else if (r->tty)
		tell_size(r);
}

static int catch_signals(struct run *r)
{
	static const int caught[] = { SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		(void)sigaddset(&set, caught[i]);
	return loop_signals_add(&r->loop, &r->signals, &set);
}

/* A background job mustn't read the terminal; and the keys are a pager's in "... | less". */
static bool may_read(const struct run *r)
{
	return r->c->argv && (r->tty || !isatty(STDIN_FILENO) || tty_is_ours(STDIN_FILENO));
}

static int start(struct run *r)
{
	int ret = ask(r);

	if (!ret)
		ret = loop_add(&r->loop, &r->peer, EPOLLIN);
	for (int i = 0; !ret && i < OUTS; i++)
		ret = loop_add(&r->loop, &r->out[i], 0);
	if (!ret && may_read(r))
		ret = loop_add(&r->loop, &r->in, EPOLLIN);
	if (!ret && r->tty && isatty(STDIN_FILENO) && tty_raw(STDIN_FILENO) < 0)
		ret = -EIO;
	return ret;
}

static bool is_done(const struct run *r)
{
	return r->failed || (r->ended && !r->queue[0].n && !r->queue[1].n);
}

static bool wants_terminal(const struct client *c)
{
	if (c->mode != PTY_AUTO)
		return c->mode == PTY_ALWAYS;
	return c->argv && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       tty_is_ours(STDIN_FILENO);
}

static int run(struct run *r)
{
	int ret = loop_init(&r->loop);

	if (!ret)
		ret = catch_signals(r);
	if (ret < 0)
		return ret;
	ret = start(r);
	while (!ret && !is_done(r))
		ret = loop_once(&r->loop);
	tty_restore();
	loop_signals_del(&r->loop, &r->signals);
	return ret;
}

int client_run(int sock, const struct client *c, int *ret_exit, struct err *e)
{
	_cleanup_free_ struct run *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return err_set(e, ENOMEM, "no memory");
	r->c = c;
	r->e = e;
	r->sock = sock;
	r->tty = wants_terminal(c);
	r->credit = FRAME_WINDOW;
	r->peer = (struct loop_src){ .fd = sock, .fn = on_peer, .arg = r };
	r->in = (struct loop_src){ .fd = STDIN_FILENO, .fn = on_input, .arg = r };
	for (int i = 0; i < OUTS; i++)
		r->out[i] = (struct loop_src){ .fd = STDOUT_FILENO + i, .fn = on_output, .arg = r };
	r->signals = (struct loop_signals){ .fn = on_signal, .arg = r };
	ret = run(r);
	loop_fini(&r->loop);
	if (ret < 0)
		return err_set(e, -ret, "a session: %s", err_str(ret));
	if (r->failed)
		return r->failed;
	*ret_exit = r->status;
	return 0;
}
