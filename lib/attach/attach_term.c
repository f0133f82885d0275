/* SPDX-License-Identifier: MIT */
/* attach_term.c - our terminal, streams and signals, and those of the command in the guest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach_private.h"
#include "cleanup.h"
#include "request.h"
#include "tty.h"

#define ASKED_MAX    3
#define RETRY_NS     200000000u
#define WAITING_MAX  (256u << 10) /* bytes for the guest that find no room: nothing more is read */
#define SHARED_CHUNK 4096         /* PIPE_BUF: a pipe that is writable takes it without waiting */
#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80

/* --- what there is --- */

void attach_term_choose(struct attach_term *t, enum pty_mode mode)
{
	bool pty = mode == PTY_ALWAYS || (mode == PTY_AUTO && isatty(STDOUT_FILENO));
	static const int order[] = { STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO };

	t->slaves = 0;
	t->size_fd = -1;
	for (int i = 0; i < ATTACH_INS; i++)
		t->in[i].src.fd = -1;
	for (int i = 0; i < ATTACH_SINKS; i++)
		t->sink[i].src.fd = -1;
	for (int fd = 0; pty && fd < 3; fd++)
		t->slaves |= mode == PTY_ALWAYS || isatty(fd) ? 1u << fd : 0;
	for (size_t i = 0; i < ARRAY_SIZE(order) && t->size_fd < 0; i++)
		if (isatty(order[i]))
			t->size_fd = order[i];
}

static struct wire_size size_of(const struct attach_term *t)
{
	struct winsize w = { .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLS };

	if (t->size_fd >= 0)
		(void)ioctl(t->size_fd, TIOCGWINSZ, &w);
	return (struct wire_size){ w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel };
}

int attach_term_request(const struct attach_term *t, struct wire_text *text)
{
	struct wire_size s = size_of(t);
	struct termios modes;
	char buf[64];
	int r;

	if (!t->slaves)
		return 0;
	(void)snprintf(buf, sizeof(buf), "%u", t->slaves);
	r = wire_text_put(text, "tty", buf);
	(void)snprintf(buf, sizeof(buf), "%u %u %u %u", s.rows, s.cols, s.xpixel, s.ypixel);
	if (!r)
		r = wire_text_put(text, "size", buf);
	if (!r && t->size_fd >= 0 && tcgetattr(t->size_fd, &modes) == 0)
		r = wire_text_put_termios(text, &modes);
	return r;
}

static void tell_size(struct attach_term *t)
{
	uint8_t buf[WIRE_WINSIZE_DATA];
	struct wire_size s = size_of(t);

	wire_put_size(buf, &s);
	if (t->slaves && t->started)
		attach_out_send(t->out, WIRE_WINSIZE, 0, buf, sizeof(buf));
}

/* --- to the guest --- */

static void want_in(const struct attach_term *t, struct attach_in *in)
{
	bool wanted = t->started && !in->idle && !in->tx.ended && in->tx.credit &&
		      t->out->bytes < WAITING_MAX;

	if (in->src.fd >= 0)
		loop_want(&in->src, wanted ? EPOLLIN : 0);
}

static void keys_pause(struct attach_term *t, struct attach_in *in)
{
	in->idle = true;
	loop_timer_set(&t->loop, &t->retry, loop_now_ns() + RETRY_NS);
	want_in(t, in);
}

/* In the foreground; and in "... | less" the keys are not ours, but who made the terminal raw has them. */
static bool is_keyboard_ours(const struct attach_in *in)
{
	return tty_is_ours(in->src.fd) &&
	       (in->stream == WIRE_TERMINAL || tty_is_canonical(in->src.fd));
}

/* Take or leave the keyboard: raw for a terminal in the guest, else while it is nobody else's. */
static void keys_update(struct attach_term *t)
{
	for (int i = 0; i < ATTACH_INS && t->started; i++) {
		struct attach_in *in = &t->in[i];
		int fd = in->src.fd;

		if (fd < 0 || !in->tty || in->tx.ended)
			continue;
		if (!is_keyboard_ours(in) || (i == ATTACH_KEYS && tty_raw(fd) < 0)) {
			keys_pause(t, in);
			continue;
		}
		in->idle = false;
		want_in(t, in);
	}
}

static void end_in(struct attach_term *t, struct attach_in *in)
{
	if (!in->tx.ended)
		attach_out_send(t->out, WIRE_DATA, in->stream, NULL, 0);
	in->tx.ended = true;
	loop_del(&t->loop, &in->src);
}

/* The terminal is gone. */
static void hang_up(struct attach_term *t, struct attach_in *in)
{
	if (in->stream == WIRE_TERMINAL)
		attach_out_say(t->out, WIRE_HANGUP, WIRE_TERMINAL, 0);
	else
		attach_out_send(t->out, WIRE_DATA, in->stream, NULL, 0);
	in->tx.ended = true;
	loop_del(&t->loop, &in->src);
}

static void on_retry(struct loop_timer *timer)
{
	keys_update(timer->arg);
}

/* Zero bytes or an error. */
static void keys_ended(struct attach_term *t, struct attach_in *in, ssize_t n)
{
	if (!in->tty || (n == 0 && in->stream == WIRE_STDIN))
		end_in(t, in);
	else if (tty_is_hung_up(in->src.fd))
		hang_up(t, in);
	else
		keys_pause(t, in); /* EIO: it is the background that we are in */
}

static void on_in(struct loop_src *s, uint32_t events)
{
	static uint8_t buf[WIRE_DATA_MAX];
	struct attach_term *t = s->arg;
	struct attach_in *in = s == &t->in[ATTACH_KEYS].src ? &t->in[ATTACH_KEYS]
							    : &t->in[ATTACH_INPUT];
	size_t most = in->tx.credit < sizeof(buf) ? in->tx.credit : sizeof(buf);
	ssize_t n;

	(void)events;
	if (in->tty && !is_keyboard_ours(in) && !tty_is_hung_up(s->fd)) {
		keys_pause(t, in);
		return;
	}
	n = most ? read(s->fd, buf, most) : -1;
	if (n > 0) {
		attach_out_send(t->out, WIRE_DATA, in->stream, buf, (size_t)n);
		wire_tx_sent(&in->tx, (uint32_t)n);
	} else if (most && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
		keys_ended(t, in, n);
	}
	want_in(t, in);
}

/* --- from the guest --- */

/* The next bytes, if those before are written. */
static void refill(struct attach_term *t, struct attach_sink *k)
{
	struct wire_rx *rx = &t->link->in.rx[k->stream];
	uint32_t credit = 0;

	if (k->len)
		return;
	pthread_mutex_lock(&t->link->lock);
	k->off = 0;
	k->len = ring_take(&rx->ring, k->buf, sizeof(k->buf));
	/* Behind the end of the session nothing comes, either. */
	k->ended = !k->len && !rx->ring.len && (rx->end || t->link->in.exited);
	if (k->src.fd < 0 || k->broken) {
		wire_rx_delivered(rx, (uint32_t)k->len);
		k->len = 0;
		credit = wire_rx_credit(rx);
	}
	pthread_mutex_unlock(&t->link->lock);
	if (credit)
		attach_out_say(t->out, WIRE_CREDIT, k->stream, credit);
	if (k->src.fd >= 0)
		loop_want(&k->src, k->len ? EPOLLOUT : 0);
}

static void delivered(struct attach_term *t, struct attach_sink *k, size_t n)
{
	struct wire_rx *rx = &t->link->in.rx[k->stream];
	uint32_t credit;

	k->off += n;
	k->len -= n;
	pthread_mutex_lock(&t->link->lock);
	wire_rx_delivered(rx, (uint32_t)n);
	credit = wire_rx_credit(rx);
	pthread_mutex_unlock(&t->link->lock);
	if (credit)
		attach_out_say(t->out, WIRE_CREDIT, k->stream, credit);
}

static void on_sink(struct loop_src *s, uint32_t events)
{
	struct attach_term *t = s->arg;
	struct attach_sink *k = t->sink;
	size_t most;
	ssize_t n;

	(void)events;
	while (&k->src != s)
		k++;
	most = k->shared && k->len > SHARED_CHUNK ? SHARED_CHUNK : k->len;
	n = most ? write(s->fd, k->buf + k->off, most) : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* As if the command's own were closed: SIGPIPE, or the terminal hangs up. */
		attach_out_say(t->out, WIRE_HANGUP, k->stream, 0);
		k->broken = true;
		n = (ssize_t)k->len;
	}
	if (n > 0)
		delivered(t, k, (size_t)n);
	refill(t, k);
}

int attach_term_look(struct attach_term *t, const uint32_t credit[WIRE_STREAMS])
{
	for (int i = 0; i < ATTACH_INS; i++) {
		struct attach_in *in = &t->in[i];
		int r = credit[in->stream] ? wire_tx_credit(&in->tx, credit[in->stream]) : 0;

		if (r < 0)
			return r;
		want_in(t, in);
	}
	for (int i = 0; i < ATTACH_SINKS; i++)
		refill(t, &t->sink[i]);
	return t->failed;
}

bool attach_term_done(const struct attach_term *t)
{
	for (int i = 0; i < ATTACH_SINKS; i++)
		if (t->sink[i].src.fd >= 0 && !t->sink[i].ended)
			return false;
	return true;
}

/* --- signals --- */

/* Without a terminal there, our shell's job is the command as well: its group is stopped with us. */
static void tell_group(struct attach_term *t, int sig)
{
	if (!t->slaves && t->started)
		attach_out_say(t->out, WIRE_SIGNAL, WIRE_GROUP, (uint32_t)sig);
}

static void stop(struct attach_term *t)
{
	tell_group(t, SIGSTOP);
	attach_out_say(t->out, WIRE_PING, WIRE_SILENT, 0);
	(void)attach_out_flush(t->out);
	tty_restore();
	(void)raise(SIGSTOP);
	attach_out_say(t->out, WIRE_PING, 0, 0);
	tell_group(t, SIGCONT);
	keys_update(t);
	tell_size(t);
}

static void on_signal(struct loop_signals *s, const struct signalfd_siginfo *si)
{
	struct attach_term *t = s->arg;
	int sig = (int)si->ssi_signo;

	if (sig == SIGTSTP) {
		stop(t);
		return;
	}
	if (sig == SIGWINCH || sig == SIGCONT) {
		if (sig == SIGCONT)
			tell_group(t, SIGCONT);
		keys_update(t);
		tell_size(t);
		return;
	}
	if (!t->started) { /* there is nobody to give it to */
		t->failed = -EINTR;
		return;
	}
	/* The guest, or a command in it, need not obey. */
	if ((sig == SIGTERM || sig == SIGHUP) && ++t->asked >= ASKED_MAX)
		t->failed = -EINTR;
	/* From the keys of our terminal: to all whom it would have reached there. */
	attach_out_say(t->out, WIRE_SIGNAL,
		       si->ssi_code == SI_KERNEL && !t->slaves ? WIRE_GROUP : 0, (uint32_t)sig);
}

/* What our caller ignores stays ignored. */
static int catch_signals(struct attach_term *t)
{
	static const int caught[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
				      SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };
	struct sigaction sa;
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		if (sigaction(caught[i], NULL, &sa) < 0 || sa.sa_handler != SIG_IGN)
			(void)sigaddset(&set, caught[i]);
	t->signals = (struct loop_signals){ .fn = on_signal, .arg = t };
	t->caught = loop_signals_add(&t->loop, &t->signals, &set) == 0;
	return t->caught ? 0 : -EIO;
}

/* --- beginning and end --- */

static int open_in(struct attach_term *t, int i, unsigned int stream, int fd)
{
	struct attach_in *in = &t->in[i];

	*in = (struct attach_in){ .src = { .fd = -1, .fn = on_in, .arg = t },
				  .tx = wire_tx_of(WIRE_WINDOW),
				  .stream = stream };
	if (fd < 0)
		return 0;
	in->tty = isatty(fd);
	in->src.fd = in->tty ? tty_reopen(fd, O_RDWR) : -1;
	if (in->src.fd < 0)
		in->src.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return in->src.fd < 0 ? -errno : loop_add(&t->loop, &in->src, 0);
}

static int open_sink(struct attach_term *t, int i, unsigned int stream, int fd)
{
	struct attach_sink *k = &t->sink[i];

	k->src = (struct loop_src){ .fd = -1, .fn = on_sink, .arg = t };
	k->stream = stream;
	if (fd < 0)
		return 0;
	k->src.fd = tty_reopen(fd, O_WRONLY);
	k->shared = k->src.fd < 0;
	if (k->shared)
		k->src.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return k->src.fd < 0 ? -errno : loop_add(&t->loop, &k->src, 0);
}

/* With a terminal there, the keyboard is that of stdin, else of stdout. */
static int keys_of(const struct attach_term *t)
{
	if (!t->slaves)
		return -1;
	return t->slaves & 1u << STDIN_FILENO ? STDIN_FILENO : STDOUT_FILENO;
}

int attach_term_init(struct attach_term *t, struct attach_link *l, struct attach_out *out)
{
	bool slave[3];
	int r;

	t->link = l;
	t->out = out;
	for (int i = 0; i < 3; i++)
		slave[i] = t->slaves >> i & 1;
	t->retry = (struct loop_timer){ .fn = on_retry, .arg = t };
	r = open_in(t, ATTACH_KEYS, WIRE_TERMINAL, keys_of(t));
	if (!r)
		r = open_in(t, ATTACH_INPUT, WIRE_STDIN, slave[0] ? -1 : STDIN_FILENO);
	if (!r)
		r = open_sink(t, 0, WIRE_STDOUT, slave[1] ? -1 : STDOUT_FILENO);
	if (!r)
		r = open_sink(t, 1, WIRE_STDERR, slave[2] ? -1 : STDERR_FILENO);
	if (!r)
		r = open_sink(t, 2, WIRE_TERMINAL, t->slaves ? STDOUT_FILENO : -1);
	return r ? r : catch_signals(t);
}

int attach_term_start(struct attach_term *t)
{
	t->started = true;
	keys_update(t);
	tell_size(t);
	for (int i = 0; i < ATTACH_INS; i++)
		want_in(t, &t->in[i]);
	return 0;
}

void attach_term_fini(struct attach_term *t)
{
	tty_restore();
	for (int i = 0; i < ATTACH_INS; i++)
		closep(&t->in[i].src.fd);
	for (int i = 0; i < ATTACH_SINKS; i++)
		closep(&t->sink[i].src.fd);
	if (t->caught)
		loop_signals_del(&t->loop, &t->signals);
	loop_fini(&t->loop);
}
