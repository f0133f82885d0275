/* SPDX-License-Identifier: MIT */
#include "forward.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define BUFFER     65536
#define ROUNDS     16 /* buffers that one direction moves before others have their turn */
#define EVENTS_MAX 256

struct conn;

/* What epoll tells of. */
struct end {
	struct conn *conn; /* NULL: a listener */
	int fd;
	unsigned int port; /* of a listener */
};

struct way {
	size_t off, len; /* in @buf, not sent yet */
	bool hung_up;    /* the end of it has come: read on until it is reached */
	bool ended;      /* all there was has been read */
	bool closed;     /* and the other end knows */
	uint8_t buf[BUFFER];
};

struct conn {
	struct end end[2]; /* the client's, the guest's */
	bool connecting, dead;
	struct conn *next; /* among the dead */
	struct way way[2]; /* from @end of the same index to the other */
};

struct loop {
	struct forward *f;
	struct end listener[FORWARD_PORTS_MAX];
	int epoll;
	unsigned int conns, limit;
	bool full; /* nobody listens */
	struct conn *dead;
};

static void watch(const struct loop *l, int op, struct end *end, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = end };

	/* It can fail for lack of memory only; then the connection stands still until its ends give up. */
	(void)epoll_ctl(l->epoll, op, end->fd, &ev);
}

#define CONN_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void listen_all(struct loop *l, bool on)
{
	l->full = !on;
	for (unsigned int i = 0; i < l->f->n; i++)
		watch(l, EPOLL_CTL_MOD, &l->listener[i], on ? EPOLLIN : 0);
}

/* Closed now, freed when no event of this round can point to it any more. */
static void end_conn(struct loop *l, struct conn *c)
{
	if (c->dead)
		return;
	for (unsigned int i = 0; i < 2; i++)
		closep(&c->end[i].fd);
	c->dead = true;
	c->next = l->dead;
	l->dead = c;
}

static void bury(struct loop *l)
{
	bool any = l->dead || !l->conns;

	while (l->dead) {
		struct conn *c = l->dead;

		l->dead = c->next;
		free(c);
		l->conns--;
	}
	if (any && l->full && l->conns < l->limit)
		listen_all(l, true);
}

/* Return: 1 all is sent; 0 the receiver has no room; -1 it is gone. */
static int send_rest(struct way *w, int to)
{
	while (w->len) {
		ssize_t n = send(to, w->buf + w->off, w->len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		w->off += (size_t)n;
		w->len -= (size_t)n;
	}
	w->off = 0;
	if (w->ended && !w->closed) {
		w->closed = true;
		(void)shutdown(to, SHUT_WR);
	}
	return 1;
}

/* Return: as send_rest(); 2: there may be more to move. */
static int move(struct way *w, int from, int to)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		ssize_t n;
		int r = send_rest(w, to);

		if (r <= 0 || w->ended)
			return r;
		n = recv(from, w->buf, BUFFER, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -1;
		w->len = (size_t)n;
		w->ended = n == 0;
		/* Less than was asked for: there is no more, and what comes is told (epoll(7)). */
		if (n > 0 && n < BUFFER && !w->hung_up)
			return send_rest(w, to);
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

static void serve_conn(struct loop *l, struct conn *c)
{
	bool more = false;

	for (unsigned int i = 0; i < 2; i++) {
		int r = move(&c->way[i], c->end[i].fd, c->end[1 - i].fd);

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

static void on_conn(struct loop *l, const struct end *end, uint32_t events)
{
	struct conn *c = end->conn;

	if (c->dead)
		return;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->way[end - c->end].hung_up = true;
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

static int open_guest(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	    errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void start_conn(struct loop *l, int client, const struct sockaddr_in *to)
{
	_cleanup_close_ int from = client, guest = open_guest(to);
	struct conn *c = guest < 0 ? NULL : malloc(sizeof(*c));
	int one = 1;

	if (!c)
		return;
	c->connecting = true;
	c->dead = false;
	for (unsigned int i = 0; i < 2; i++) {
		c->way[i].off = c->way[i].len = 0;
		c->way[i].hung_up = c->way[i].ended = c->way[i].closed = false;
	}
	c->end[0] = (struct end){ .conn = c, .fd = take_fd(&from) };
	c->end[1] = (struct end){ .conn = c, .fd = take_fd(&guest) };
	for (unsigned int i = 0; i < 2; i++) {
		(void)setsockopt(c->end[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(l, EPOLL_CTL_ADD, &c->end[i], CONN_EVENTS);
	}
	l->conns++;
}

static void on_listener(struct loop *l, const struct end *end)
{
	int fd = accept4(end->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		start_conn(l, fd, &l->f->to[end->port]);
	if (l->conns >= l->limit || (fd < 0 && (errno == EMFILE || errno == ENFILE)))
		listen_all(l, false);
}

/* Two descriptors a connection, and a few of our own. */
static unsigned int conns_allowed(void)
{
	struct rlimit r = { 256, 256 };

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 2 * FORWARD_CONNS_MAX + 128 ? r.rlim_max
								      : 2 * FORWARD_CONNS_MAX + 128;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur >= 2 * FORWARD_CONNS_MAX + 128)
		return FORWARD_CONNS_MAX;
	return r.rlim_cur > 160 ? (unsigned int)(r.rlim_cur - 128) / 2 : 16;
}

int forward_run(struct forward *f, struct err *e)
{
	struct loop l = { .f = f, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct epoll_event ev[EVENTS_MAX];
	int n;

	if (l.epoll < 0)
		return err_set(e, errno, "cannot watch sockets: %s", err_str(errno));
	l.limit = conns_allowed();
	for (unsigned int i = 0; i < f->n; i++) {
		l.listener[i] = (struct end){ .fd = f->listener[i], .port = i };
		watch(&l, EPOLL_CTL_ADD, &l.listener[i], EPOLLIN);
	}
	while ((n = epoll_wait(l.epoll, ev, EVENTS_MAX, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			struct end *end = ev[i].data.ptr;

			if (end->conn)
				on_conn(&l, end, ev[i].events);
			else
				on_listener(&l, end);
		}
		bury(&l);
	}
	return err_set(e, errno, "cannot wait for connections: %s", err_str(errno));
}
