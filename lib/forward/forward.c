/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "forward"
#include "forward.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "loop.h"

#define BUFFER     65536
#define ROUNDS     16 /* buffers that one direction moves before others have their turn */
#define EVENTS_MAX 256
/* A receiver that has no room in its queue of connections is asked again, ever more rarely. */
#define RETRY_MIN_MS 10
#define RETRY_MAX_MS 500
#define MS           UINT64_C(1000000)
#define ANYBODY      ((uid_t)-1)

struct conn;

/* What epoll tells of. */
struct end {
	struct conn *conn;           /* NULL: a listener, or the control */
	struct listening *listening; /* NULL: the control */
	int fd;
};

/* A listener while it is watched. */
struct listening {
	struct end end;
	struct forward_listener *l;
	bool dead;
	unsigned int conns; /* that it has; it stays for them */
	struct listening *next;
};

struct way {
	uint8_t *buf; /* what was received and not sent yet; NULL: nothing */
	size_t off, len;
	bool ended;  /* all there was has been read */
	bool closed; /* and the other end knows */
};

struct conn {
	struct end end[2]; /* the client's; the other, whose fd is -1 before it is dialled */
	struct listening *from;
	uid_t uid; /* of the client, if it is a process of this machine */
	bool connecting, dead;
	unsigned int retry_ms; /* not dialled yet: 0, not tried */
	uint64_t retry_ns;
	struct conn *next, **link; /* among the living, or the dead */
	struct way way[2];         /* from @end of the same index to the other */
};

struct forward_loop {
	struct forward *f;
	struct end control;
	struct listening *listening;
	int epoll;
	unsigned int conns, limit;
	unsigned int waiting; /* to be dialled again */
	uint64_t retry_ns;    /* when the first of them is due */
	uint64_t ticked_ns;
	bool full; /* nobody listens */
	struct conn *live, *dead;
	uint8_t scratch[FORWARD_PACKET_MAX];
};

static void watch(const struct forward_loop *l, int op, struct end *end, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = end };

	/* It can fail for lack of memory only; then the connection stands still until its ends give up. */
	(void)epoll_ctl(l->epoll, op, end->fd, &ev);
}

#define CONN_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void listen_all(struct forward_loop *l, bool on)
{
	l->full = !on;
	for (struct listening *s = l->listening; s; s = s->next)
		if (!s->dead)
			watch(l, EPOLL_CTL_MOD, &s->end, on ? EPOLLIN : 0);
}

static void link_conn(struct conn **head, struct conn *c)
{
	c->next = *head;
	c->link = head;
	if (c->next)
		c->next->link = &c->next;
	*head = c;
}

static void unlink_conn(struct conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
}

/* Closed now, freed when no event of this round can point to it any more. */
static void end_conn(struct forward_loop *l, struct conn *c)
{
	if (c->dead)
		return;
	for (unsigned int i = 0; i < 2; i++)
		closep(&c->end[i].fd);
	if (c->end[1].fd < 0)
		l->waiting--;
	c->dead = true;
	unlink_conn(c);
	link_conn(&l->dead, c);
}

static void end_listening(const struct forward_loop *l, struct listening *s)
{
	if (s->dead)
		return;
	watch(l, EPOLL_CTL_DEL, &s->end, 0);
	s->dead = true;
}

static void bury_listening(struct forward_loop *l)
{
	struct listening **p = &l->listening;

	while (*p) {
		struct listening *s = *p;

		if (!s->dead || s->conns) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		closep(&s->l->fd);
		if (s->l->end)
			s->l->end(s->l);
		free(s);
	}
}

static void bury(struct forward_loop *l)
{
	bool any = l->dead || !l->conns;

	while (l->dead) {
		struct conn *c = l->dead;

		unlink_conn(c);
		free(c->way[0].buf);
		free(c->way[1].buf);
		c->from->conns--;
		free(c);
		l->conns--;
	}
	bury_listening(l);
	if (any && l->full && l->conns < l->limit)
		listen_all(l, true);
}

/* --- bytes --- */

/* Return: as send(); -EAGAIN: the receiver has no room; another -errno. */
static ssize_t send_some(int to, const uint8_t *p, size_t len)
{
	ssize_t n = send(to, p, len, MSG_NOSIGNAL);

	if (n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

/* Return: 1 all is sent; 0 the receiver has no room; -1 it is gone. */
static int send_rest(struct way *w, int to)
{
	while (w->buf) {
		ssize_t n = send_some(to, w->buf + w->off, w->len);

		if (n < 0)
			return n == -EAGAIN ? 0 : -1;
		w->off += (size_t)n;
		w->len -= (size_t)n;
		if (!w->len)
			free(take_ptr(w->buf));
	}
	w->off = 0;
	if (w->ended && !w->closed) {
		w->closed = true;
		(void)shutdown(to, SHUT_WR);
	}
	return 1;
}

/* Send what is in @p, keep what does not go. Return: as send_rest(). */
static int pass_on(struct way *w, int to, const uint8_t *p, size_t len)
{
	ssize_t n = send_some(to, p, len);

	if (n == (ssize_t)len)
		return 1;
	if (n < 0 && n != -EAGAIN)
		return -1;
	if (n < 0)
		n = 0;
	/* A packet of no bytes waits as others do. */
	w->buf = malloc(len ? len - (size_t)n : 1);
	if (!w->buf)
		return -1;
	w->len = len - (size_t)n;
	memcpy(w->buf, p + n, w->len);
	/* Until it says that it has no room: only after that it tells when it has. */
	return send_rest(w, to);
}

/* Of packets one may be empty, which is not the end. */
static bool is_end(int from, const struct conn *c)
{
	struct pollfd p = { .fd = from, .events = POLLRDHUP };
	int left = 0;

	if (!c->from->l->packets)
		return true;
	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR) &&
	       ioctl(from, FIONREAD, &left) == 0 && !left;
}

/* Return: as recvmsg(); 0 is the end or an empty packet. -1 with EBADMSG: what cannot be passed on. */
static ssize_t receive(struct forward_loop *l, const struct conn *c, int from)
{
	struct iovec iov = { l->scratch, c->from->l->packets ? FORWARD_PACKET_MAX : BUFFER };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(from, &msg, 0);

	if (n < 0 || !(msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
		return n;
	if (msg.msg_flags & MSG_CTRUNC)
		log_warn_limited(
			"a connection was ended: it sent descriptors (SCM_RIGHTS), which cannot "
			"be carried on");
	else
		log_warn_limited("a connection was ended: it sent a packet of more than %d bytes",
				 FORWARD_PACKET_MAX);
	errno = EBADMSG;
	return -1;
}

/* Return: as send_rest(); 2: there may be more to move. */
static int move(struct forward_loop *l, struct conn *c, unsigned int i)
{
	int from = c->end[i].fd, to = c->end[1 - i].fd;
	struct way *w = &c->way[i];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		ssize_t n;
		int r = send_rest(w, to);

		if (r <= 0 || w->ended)
			return r;
		n = receive(l, c, from);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -1;
		w->ended = n == 0 && is_end(from, c);
		r = w->ended ? send_rest(w, to) : pass_on(w, to, l->scratch, (size_t)n);
		/* Less than was asked for is not all there is: reading stops before urgent data, too. */
		if (r <= 0 || w->ended)
			return r;
	}
	return 2;
}

static bool connected(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->end[1].fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
		return false;
	c->connecting = false;
	return true;
}

static void serve_conn(struct forward_loop *l, struct conn *c)
{
	bool more = false;

	for (unsigned int i = 0; i < 2; i++) {
		int r = move(l, c, i);

		if (r < 0) {
			end_conn(l, c);
			return;
		}
		more |= r == 2;
	}
	if (c->way[0].closed && c->way[1].closed)
		end_conn(l, c);
	else if (more)
		watch(l, EPOLL_CTL_MOD, &c->end[0], CONN_EVENTS); /* told again, later */
}

static void on_conn(struct forward_loop *l, const struct end *end, uint32_t events)
{
	struct conn *c = end->conn;

	if (c->dead)
		return;
	if (c->end[1].fd < 0) { /* not dialled yet: is it still wanted? */
		if (events & (EPOLLHUP | EPOLLERR))
			end_conn(l, c);
		return;
	}
	if (c->connecting) {
		if (end != &c->end[1] || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		if (!connected(c)) {
			end_conn(l, c);
			return;
		}
	}
	serve_conn(l, c);
}

/* --- connections --- */

/* Return: 1 under way; 0 to be tried again; -1. */
static int dial(struct forward_loop *l, struct conn *c)
{
	int one = 1, fd = c->from->l->dial(c->from->l, c->end[0].fd);

	if (fd < 0)
		return fd == -EAGAIN ? 0 : -1;
	c->end[1].fd = fd;
	/* A socket that is connected says so at once. */
	c->connecting = true;
	for (unsigned int i = 0; c->from->l->to.sin_family == AF_INET && i < 2; i++)
		(void)setsockopt(c->end[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(l, EPOLL_CTL_ADD, &c->end[1], CONN_EVENTS);
	return 1;
}

static void dial_later(struct forward_loop *l, struct conn *c, uint64_t now_ns)
{
	c->retry_ms = c->retry_ms ? 2 * c->retry_ms : RETRY_MIN_MS;
	if (c->retry_ms > RETRY_MAX_MS)
		c->retry_ms = RETRY_MAX_MS;
	c->retry_ns = now_ns + c->retry_ms * MS;
	if (c->retry_ns < l->retry_ns)
		l->retry_ns = c->retry_ns;
}

static void dial_first(struct forward_loop *l, struct conn *c, uint64_t now_ns)
{
	int r = dial(l, c);

	if (r > 0)
		l->waiting--;
	else if (r < 0)
		end_conn(l, c);
	else
		dial_later(l, c, now_ns);
}

static void dial_again(struct forward_loop *l)
{
	uint64_t now_ns = l->waiting ? loop_now_ns() : 0;
	struct conn *c, *next;

	if (now_ns < l->retry_ns)
		return;
	l->retry_ns = UINT64_MAX;
	for (c = l->waiting ? l->live : NULL; c; c = next) {
		next = c->next;
		if (c->end[1].fd >= 0)
			continue;
		if (c->retry_ns <= now_ns)
			dial_first(l, c, now_ns);
		else if (c->retry_ns < l->retry_ns)
			l->retry_ns = c->retry_ns;
	}
}

static uid_t uid_of(int client)
{
	struct ucred cred = { .uid = ANYBODY };
	socklen_t len = sizeof(cred);

	(void)getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len); /* of TCP: ANYBODY's */
	return cred.uid;
}

static bool has_too_many(const struct forward_loop *l, uid_t uid)
{
	unsigned int n = 0;

	if (uid == ANYBODY || l->conns < l->limit / 2)
		return false;
	for (const struct conn *c = l->live; c; c = c->next)
		n += c->uid == uid;
	return n >= l->limit / 2;
}

static void start_conn(struct forward_loop *l, struct listening *s, int client)
{
	_cleanup_close_ int from = client;
	uid_t uid = uid_of(client);
	struct conn *c;

	if (has_too_many(l, uid)) {
		log_warn_limited("a connection was refused: user %u has %u already", uid,
				 l->limit / 2);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->from = s;
	c->uid = uid;
	for (unsigned int i = 0; i < 2; i++)
		c->end[i] = (struct end){ .conn = c, .fd = -1 };
	c->end[0].fd = take_fd(&from);
	link_conn(&l->live, c);
	l->conns++;
	s->conns++;
	l->waiting++;
	dial_first(l, c, loop_now_ns());
	if (!c->dead)
		watch(l, EPOLL_CTL_ADD, &c->end[0], CONN_EVENTS);
}

static void on_listener(struct forward_loop *l, struct listening *s)
{
	int fd;

	if (s->dead)
		return;
	fd = accept4(s->end.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		start_conn(l, s, fd);
	else if (errno == EINVAL) /* shut down */
		end_listening(l, s);
	if (l->conns >= l->limit || (fd < 0 && (errno == EMFILE || errno == ENFILE)))
		listen_all(l, false);
}

/* Two descriptors a connection, and a few of our own. */
static unsigned int conns_allowed(void)
{
	struct rlimit r = { 256, 256 };
	rlim_t want = 2 * FORWARD_CONNS_MAX + 1024;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur >= want)
		return FORWARD_CONNS_MAX;
	return r.rlim_cur > 160 ? (unsigned int)(r.rlim_cur - 128) / 2 : 16;
}

/* --- the loop --- */

int forward_add(struct forward *f, struct forward_listener *l)
{
	struct listening *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->l = l;
	s->end = (struct end){ .listening = s, .fd = l->fd };
	s->next = f->loop->listening;
	f->loop->listening = s;
	watch(f->loop, EPOLL_CTL_ADD, &s->end, f->loop->full ? 0 : EPOLLIN);
	return 0;
}

static uint64_t tick_due_ns(const struct forward_loop *l)
{
	return l->f->tick_ms ? l->ticked_ns + (unsigned int)l->f->tick_ms * MS : UINT64_MAX;
}

static int timeout_of(const struct forward_loop *l)
{
	uint64_t due_ns = tick_due_ns(l), now_ns;

	if (l->waiting && l->retry_ns < due_ns)
		due_ns = l->retry_ns;
	if (due_ns == UINT64_MAX)
		return -1;
	now_ns = loop_now_ns();
	return due_ns > now_ns ? (int)((due_ns - now_ns + MS - 1) / MS) : 0;
}

static void tick(struct forward_loop *l)
{
	if (!l->f->on_tick || !l->f->tick_ms || loop_now_ns() < tick_due_ns(l))
		return;
	l->f->on_tick(l->f);
	l->ticked_ns = loop_now_ns();
}

static int run_once(struct forward_loop *l, struct err *e)
{
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_wait(l->epoll, ev, EVENTS_MAX, timeout_of(l)), r = 0;

	if (n < 0 && errno != EINTR)
		return err_set(e, errno, "cannot wait for connections: %s", err_str(errno));
	for (int i = 0; i < n && r == 0; i++) {
		struct end *end = ev[i].data.ptr;

		if (end->conn)
			on_conn(l, end, ev[i].events);
		else if (end->listening)
			on_listener(l, end->listening);
		else
			r = l->f->on_control(l->f);
	}
	dial_again(l);
	bury(l);
	tick(l);
	return r;
}

static void loop_free(struct forward_loop *l)
{
	while (l->live)
		end_conn(l, l->live);
	for (struct listening *s = l->listening; s; s = s->next)
		end_listening(l, s);
	bury(l);
	closep(&l->epoll);
	free(l);
}

int forward_run(struct forward *f, struct err *e)
{
	struct forward_loop *l = calloc(1, sizeof(*l));
	int r = 0;

	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	f->loop = l;
	l->f = f;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return err_set(e, errno, "cannot watch sockets: %s", err_str(errno));
	}
	l->limit = conns_allowed();
	l->retry_ns = UINT64_MAX;
	l->control.fd = f->control;
	if (f->control >= 0)
		watch(l, EPOLL_CTL_ADD, &l->control, EPOLLIN);
	for (; f->n && r == 0; f->n -= r == 0)
		r = forward_add(f, f->listener[f->n - 1]);
	if (r < 0)
		r = err_set(e, -r, "out of memory");
	while (r == 0)
		r = run_once(l, e);
	loop_free(l);
	f->loop = NULL;
	return r;
}
