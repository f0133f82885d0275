/* SPDX-License-Identifier: MIT */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "abi/fuse.h"
#include "cleanup.h"
#include "flow.h"
#include "inside.h"
#include "io.h"
#include "loop.h"
#include "relay.h"

#define NS_PER_MS     1000000ULL
#define MESSAGES_MAX  16           /* of the host's, before others have their turn */
#define PTY_DRAIN_MAX (128u << 10) /* more than the kernel keeps of a terminal's output */
#define GOODBYE_BEATS 5            /* for the host to say that it has all */
/* What there has to be for a request, so that the kernel gives one: the largest write (fuse_dev_do_read() of Linux) */
#define FUSE_ROOM (WIRE_FUSE_WRITE + sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

enum {
	OUT,
	ERR,
	TERM,
	OUTS
};

struct out {
	struct loop_src src; /* fd -1: there is none, or it has ended */
	struct wire_tx tx;
	size_t left; /* may still be read, once the command has ended */
	bool told;   /* the host knows of the end */
};

struct in {
	struct loop_src src;
	struct wire_rx rx;
	bool closed; /* nobody reads it: what comes is dropped */
};

struct pump {
	struct link *link;
	struct loop loop;
	struct loop_src chan, fuse, ctl, notes;
	struct loop_timer beat;
	struct out out[OUTS];
	struct in keys, input;
	struct wire_tx places; /* of FUSE requests */
	int slave;             /* kept, so that the master sees no hang-up while the command runs */
	struct wire_size size;
	unsigned int missed; /* beats */
	bool heard;          /* since the last */
	bool exited, said;   /* the command; and the host was told */
	bool over;
	struct inside_msg end;
	int failed;
};

static const unsigned int stream_of[OUTS] = { WIRE_STDOUT, WIRE_STDERR, WIRE_TERMINAL };

static void fail(struct pump *p, int r)
{
	if (r < 0 && !p->failed)
		p->failed = r;
	p->over |= r < 0;
}

static void drop(struct pump *p, struct loop_src *s)
{
	loop_del(&p->loop, s);
	closep(&s->fd);
	s->fd = -1;
}

/* --- from the session to the host --- */

static void want_out(struct out *o)
{
	loop_want(&o->src, o->tx.credit ? EPOLLIN : 0);
}

static void end_out(struct pump *p, int i)
{
	struct out *o = &p->out[i];

	drop(p, &o->src);
	if (!o->told)
		fail(p, link_tell(p->link, WIRE_DATA, stream_of[i], 0));
	o->told = true;
}

/* All that the command has written was sent: it may be told that it has ended. */
static void say_end(struct pump *p)
{
	const struct err *e = &p->end.err;

	for (int i = 0; i < OUTS; i++)
		if (p->out[i].src.fd >= 0)
			return;
	if (!p->exited || p->said || p->over)
		return;
	p->said = true;
	p->missed = 0;
	if (e->code)
		fail(p, link_say(p->link, WIRE_ERROR, (uint32_t)p->end.exit_code, e->msg,
				 strnlen(e->msg, sizeof(e->msg))));
	else
		fail(p, link_tell(p->link, WIRE_EXIT, 0, (uint32_t)p->end.exit_code));
}

static void on_out(struct loop_src *s, uint32_t events)
{
	struct pump *p = s->arg;
	int i = s == &p->out[OUT].src ? OUT : s == &p->out[ERR].src ? ERR : TERM;
	struct out *o = &p->out[i];
	size_t most = o->tx.credit < WIRE_DATA_MAX ? o->tx.credit : WIRE_DATA_MAX;
	ssize_t n;

	(void)events;
	if (p->exited && o->left < most)
		most = o->left;
	n = most ? read(s->fd, link_room(p->link), most) : 0;
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !p->exited)))
		return;
	if (n <= 0) {
		/* EIO is a terminal's: nobody has it open any more. */
		end_out(p, i);
		say_end(p);
		return;
	}
	fail(p, link_send_room(p->link, WIRE_DATA, stream_of[i], (size_t)n));
	wire_tx_sent(&o->tx, (uint32_t)n);
	o->left -= p->exited ? (size_t)n : 0;
	want_out(o);
}

/* What it has written before its end; others may hold the same pipe and go on. */
static void limit_rest(struct pump *p)
{
	for (int i = 0; i < OUTS; i++) {
		struct out *o = &p->out[i];
		int waiting = 0;

		if (o->src.fd < 0)
			continue;
		o->left = PTY_DRAIN_MAX;
		if (i != TERM && ioctl(o->src.fd, FIONREAD, &waiting) == 0)
			o->left = (size_t)waiting;
		if (!o->left)
			end_out(p, i);
	}
}

/* A file that is read in a row: several such requests come together. */
static bool is_ahead(const uint8_t *request, size_t size)
{
	struct {
		struct fuse_in_header h;
		struct fuse_read_in in;
	} r;

	if (size < sizeof(r))
		return false;
	memcpy(&r, request, sizeof(r));
	return r.h.opcode == FUSE_READ && r.in.size >= WIRE_FUSE_WRITE;
}

/*
 * All requests that there are, as far as there are places, in one message: for each the host has to be woken. Who reads a file in a row has been
 * interrupted by our wake-up if there is no other processor: before it is sent he says the rest.
 */
static void on_fuse(struct loop_src *s, uint32_t events)
{
	struct pump *p = s->arg;
	uint8_t *room = link_room(p->link);
	bool over = false, waited = false;
	size_t at = 0, last = 0;

	(void)events;
	while (p->places.credit && at <= WIRE_PAYLOAD_MAX - FUSE_ROOM) {
		ssize_t n = read(s->fd, room + at, WIRE_PAYLOAD_MAX - at);

		if (n > 0) {
			last = at;
			at += (size_t)n;
			wire_tx_sent(&p->places, 1);
			continue;
		}
		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		/* nobody has it mounted any more */
		over = n == 0 || errno != EAGAIN;
		if (over || waited || !is_ahead(room + last, at - last))
			break;
		waited = true;
		(void)sched_yield();
	}
	if (at)
		fail(p, link_send_room(p->link, WIRE_FUSE, 0, at));
	if (over)
		loop_del(&p->loop, s);
	else
		loop_want(s, p->places.credit ? EPOLLIN : 0);
}

/* A line is one write, and a note. */
static void on_notes(struct loop_src *s, uint32_t events)
{
	struct pump *p = s->arg;
	char text[WIRE_SENTENCE_MAX];
	ssize_t n = read(s->fd, text, sizeof(text));

	(void)events;
	if (n > 0)
		fail(p, link_say(p->link, WIRE_NOTE, 0, text, (size_t)n));
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		drop(p, s);
}

/* --- from the host to the session --- */

static void on_in(struct loop_src *s, uint32_t events);

static int open_in(struct pump *p, struct in *in, int fd)
{
	in->src = (struct loop_src){ .fd = fd, .fn = on_in, .arg = p };
	in->closed = fd < 0;
	return fd < 0 ? 0 : loop_add(&p->loop, &in->src, 0);
}

static void give_credit(struct pump *p, struct in *in, unsigned int stream)
{
	uint32_t n;

	if (in->closed)
		wire_rx_drop(&in->rx);
	n = wire_rx_credit(&in->rx);
	if (n)
		fail(p, link_tell(p->link, WIRE_CREDIT, stream, n));
}

/*
 * No more keys, as if the user had typed ^D: the first ends a line that is unfinished, the second the
 * input. As in lib/pty/relay.c.
 */
static void end_keys(struct in *keys)
{
	struct termios t;
	char eof[2];

	if (tcgetattr(keys->src.fd, &t) < 0 || !(t.c_lflag & ICANON) ||
	    t.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	eof[0] = eof[1] = (char)t.c_cc[VEOF];
	(void)!write(keys->src.fd, eof, sizeof(eof));
}

static void want_in(struct pump *p, struct in *in)
{
	if (wire_rx_done(&in->rx) && !in->closed) {
		if (in == &p->keys)
			end_keys(in);
		else
			drop(p, &in->src);
		in->closed = true;
	}
	if (in->src.fd >= 0)
		loop_want(&in->src, in->rx.ring.len ? EPOLLOUT : 0);
}

static void on_in(struct loop_src *s, uint32_t events)
{
	struct pump *p = s->arg;
	struct in *in = s == &p->keys.src ? &p->keys : &p->input;
	ssize_t n = in->rx.ring.len ? wire_rx_write(&in->rx, s->fd, SIZE_MAX) : 0;

	(void)events;
	if (n < 0 && n != -EAGAIN) {
		in->closed = true;
		drop(p, s);
	}
	give_credit(p, in, in == &p->keys ? WIRE_TERMINAL : WIRE_STDIN);
	want_in(p, in);
}

static int take_data(struct pump *p, const struct wire_msg *m)
{
	struct in *in = m->stream == WIRE_TERMINAL ? &p->keys : &p->input;
	bool waits = in == &p->keys && !p->exited && p->out[TERM].src.fd < 0;
	int r;

	if (m->stream != WIRE_TERMINAL && m->stream != WIRE_STDIN)
		return -EPROTO;
	r = wire_rx_put(&in->rx, m->data, m->size);
	if (r < 0)
		return r;
	/* Keys wait for their terminal to be there. */
	if (in->src.fd >= 0)
		on_in(&in->src, 0);
	else if (!waits)
		give_credit(p, in, m->stream);
	return 0;
}

static int take_credit(struct pump *p, const struct wire_msg *m)
{
	int r;

	if (m->stream == WIRE_REQUESTS) {
		r = wire_tx_credit(&p->places, m->value);
		if (p->fuse.fd >= 0)
			loop_want(&p->fuse, EPOLLIN);
		return r;
	}
	for (int i = 0; i < OUTS; i++) {
		if (stream_of[i] != m->stream)
			continue;
		r = wire_tx_credit(&p->out[i].tx, m->value);
		if (p->out[i].src.fd >= 0)
			want_out(&p->out[i]);
		return r;
	}
	return -EPROTO;
}

static void resize(const struct pump *p)
{
	const struct winsize w = { p->size.rows, p->size.cols, p->size.xpixel, p->size.ypixel };

	if (p->keys.src.fd >= 0)
		(void)ioctl(p->keys.src.fd, TIOCSWINSZ, &w);
}

static void tell_inside(const struct pump *p, const struct wire_msg *m)
{
	const struct inside_signal s = { (int)m->value, m->stream == WIRE_GROUP };

	if (p->ctl.fd >= 0)
		(void)!send(p->ctl.fd, &s, sizeof(s), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* With no master left the kernel hangs up the session. */
static void hang_up(struct pump *p)
{
	closep(&p->slave);
	p->slave = -1;
	drop(p, &p->keys.src);
	p->keys.closed = true;
	if (p->out[TERM].src.fd >= 0)
		end_out(p, TERM);
	give_credit(p, &p->keys, WIRE_TERMINAL);
}

static int take(struct pump *p, const struct wire_msg *m)
{
	switch (m->kind) {
	case WIRE_FUSE:
		/* A reply that nobody waits for any more, or that the kernel refuses, is the host's affair. */
		if (p->fuse.fd >= 0)
			(void)!write(p->fuse.fd, m->data, m->size);
		return 0;
	case WIRE_DATA:
		return take_data(p, m);
	case WIRE_CREDIT:
		return take_credit(p, m);
	case WIRE_WINSIZE:
		p->size = wire_get_size(m);
		resize(p);
		return 0;
	case WIRE_SIGNAL:
		tell_inside(p, m);
		return 0;
	case WIRE_HANGUP:
		if (m->stream == WIRE_TERMINAL)
			hang_up(p);
		else
			end_out(p, m->stream == WIRE_STDOUT ? OUT : ERR);
		say_end(p);
		return 0;
	case WIRE_PING:
		p->link->silent = m->stream == WIRE_SILENT;
		return link_tell(p->link, WIRE_PONG, 0, m->value);
	case WIRE_END:
		p->over = true;
		return 0;
	default:
		return -EPROTO;
	}
}

static void on_chan(struct loop_src *s, uint32_t events)
{
	struct pump *p = s->arg;
	struct wire_msg m;

	(void)events;
	for (int i = 0; i < MESSAGES_MAX && !p->over; i++) {
		int r = link_read(p->link, &m);

		if (r == -EAGAIN)
			return;
		if (!r)
			p->over = true;
		p->heard = true;
		fail(p, r > 0 ? take(p, &m) : r);
	}
}

/* --- the session's beginning and end --- */

static int take_master(struct pump *p, int master)
{
	struct out *o = &p->out[TERM];
	int r, fd;

	if (p->keys.closed) { /* it has hung up already */
		(void)close(master);
		return 0;
	}
	fd = fcntl(master, F_DUPFD_CLOEXEC, 0);

	p->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); /* Linux 4.13 */
	if (fd < 0 || fcntl(master, F_SETFL, O_NONBLOCK) < 0) {
		closep(&fd);
		(void)close(master);
		return -errno;
	}
	o->src = (struct loop_src){ .fd = fd, .fn = on_out, .arg = p };
	r = loop_add(&p->loop, &o->src, EPOLLIN);
	if (!r)
		r = open_in(p, &p->keys, master);
	if (r < 0)
		return r;
	want_out(o);
	if (p->size.rows || p->size.cols)
		resize(p);
	on_in(&p->keys.src, 0);
	return 0;
}

static void ended(struct pump *p, const struct inside_msg *msg)
{
	p->end = *msg;
	p->exited = true;
	drop(p, &p->ctl);
	closep(&p->slave);
	p->slave = -1;
	p->keys.closed = p->input.closed = true;
	drop(p, &p->keys.src);
	drop(p, &p->input.src);
	/* What it said is in the pipe: before the end is told. */
	while (p->notes.fd >= 0) {
		int waiting = 0;

		if (ioctl(p->notes.fd, FIONREAD, &waiting) < 0 || !waiting)
			break;
		on_notes(&p->notes, 0);
	}
	limit_rest(p);
	say_end(p);
}

static void on_ctl(struct loop_src *s, uint32_t events)
{
	static const char killed[] = "the process of the session in the guest was killed";
	struct pump *p = s->arg;
	struct inside_msg msg;
	size_t nfds = 0;
	int master = -1;
	ssize_t n = io_recv_fds(s->fd, &msg, sizeof(msg), &master, 1, &nfds);

	(void)events;
	if (n == -EINTR)
		return;
	if (n == sizeof(msg) && msg.kind == INSIDE_READY) {
		fail(p, link_tell(p->link, WIRE_READY, 0, 0));
		if (nfds)
			fail(p, take_master(p, master));
		return;
	}
	if (n != sizeof(msg)) {
		msg = (struct inside_msg){ .kind = INSIDE_ENDED, .exit_code = PTY_EXIT_FAILED };
		(void)err_set(&msg.err, ECHILD, "%s", killed);
	}
	ended(p, &msg);
}

static void on_beat(struct loop_timer *t)
{
	struct pump *p = t->arg;
	unsigned int most = p->said ? GOODBYE_BEATS : WIRE_BEATS;

	/* Beats, not time: a guest that stood still has missed none. */
	p->missed = (p->heard || p->link->silent) && !p->said ? 0 : p->missed + 1;
	p->heard = false;
	if (p->missed >= most)
		fail(p, p->said ? 0 : -ETIMEDOUT);
	p->over |= p->missed >= most;
	loop_timer_set(&p->loop, t, loop_now_ns() + WIRE_BEAT_MS * NS_PER_MS);
}

static int open_out(struct pump *p, int i, int fd)
{
	p->out[i] = (struct out){ .src = { .fd = fd, .fn = on_out, .arg = p },
				  .tx = wire_tx_of(WIRE_WINDOW) };
	return fd < 0 ? 0 : loop_add(&p->loop, &p->out[i].src, EPOLLIN);
}

static int start(struct pump *p, const struct pump_conf *c)
{
	int r = loop_init(&p->loop);

	p->chan = (struct loop_src){ .fd = c->link->fd, .fn = on_chan, .arg = p };
	p->fuse = (struct loop_src){ .fd = c->fuse, .fn = on_fuse, .arg = p };
	p->ctl = (struct loop_src){ .fd = c->sock, .fn = on_ctl, .arg = p };
	p->notes = (struct loop_src){ .fd = c->notes, .fn = on_notes, .arg = p };
	p->beat = (struct loop_timer){ .fn = on_beat, .arg = p };
	p->places = wire_tx_of(WIRE_FUSE_WINDOW);
	p->slave = p->keys.src.fd = -1;
	if (!r)
		r = wire_rx_init(&p->keys.rx);
	if (!r)
		r = wire_rx_init(&p->input.rx);
	if (!r)
		r = open_in(p, &p->input, c->in);
	if (!r)
		r = open_out(p, OUT, c->out);
	if (!r)
		r = open_out(p, ERR, c->err);
	if (!r)
		r = open_out(p, TERM, -1);
	if (!r)
		r = loop_add(&p->loop, &p->chan, EPOLLIN);
	if (!r && c->fuse >= 0)
		r = fcntl(c->fuse, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (!r && c->fuse >= 0)
		r = loop_add(&p->loop, &p->fuse, EPOLLIN);
	if (!r)
		r = loop_add(&p->loop, &p->ctl, EPOLLIN);
	if (!r)
		r = loop_add(&p->loop, &p->notes, EPOLLIN);
	loop_timer_set(&p->loop, &p->beat, loop_now_ns() + WIRE_BEAT_MS * NS_PER_MS);
	return r;
}

/* The device first: who waits for a file of the view can be killed only then. */
static void stop(struct pump *p)
{
	drop(p, &p->fuse);
	drop(p, &p->keys.src);
	drop(p, &p->input.src);
	for (int i = 0; i < OUTS; i++)
		drop(p, &p->out[i].src);
	closep(&p->slave);
	drop(p, &p->ctl);
	drop(p, &p->notes);
	loop_del(&p->loop, &p->chan);
	wire_rx_fini(&p->keys.rx);
	wire_rx_fini(&p->input.rx);
	loop_fini(&p->loop);
}

int pump_run(const struct pump_conf *conf)
{
	_cleanup_free_ struct pump *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->link = conf->link;
	p->size = conf->req->size;
	r = start(p, conf);
	while (!r && !p->over)
		r = loop_once(&p->loop);
	stop(p);
	return r < 0 ? r : p->failed;
}
