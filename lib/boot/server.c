/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "boot"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define BACKLOG       8
#define FRAMES_A_TURN 64 /* of init's, before others have theirs */

static uint16_t number_of(const struct server *s, const struct server_client *c)
{
	return (uint16_t)(c - s->client + 1);
}

static int send_frame(int fd, const struct frame *f, size_t size)
{
	return send(fd, f, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -errno;
}

void server_tell(const struct server *s, enum frame_kind kind, uint32_t value)
{
	struct frame f = { .kind = (uint8_t)kind, .value = value };

	(void)send_frame(s->control.fd, &f, FRAME_HEAD);
}

/* Room for a whole frame: a socket says that it is writable while three quarters are free. */
static bool has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && p.revents & POLLOUT;
}

static void want_all(struct server *s)
{
	for (size_t i = 0; i < FRAME_SESSIONS; i++)
		if (s->client[i].src.fd >= 0)
			loop_want(&s->client[i].src, s->full ? 0 : EPOLLIN);
	loop_want(&s->control, EPOLLIN | (s->full ? EPOLLOUT : 0));
}

/* Tell init who has gone, as far as there is room. */
static void tell_gone(struct server *s)
{
	for (size_t i = 0; i < FRAME_SESSIONS && !s->full; i++) {
		struct server_client *c = &s->client[i];
		struct frame f = { .kind = FRAME_END, .session = number_of(s, c) };

		if (!c->gone)
			continue;
		s->full = !has_room(s->control.fd);
		if (!s->full && send_frame(s->control.fd, &f, FRAME_HEAD) == 0)
			c->gone = false;
	}
	want_all(s);
}

static void drop(struct server *s, struct server_client *c, const char *why)
{
	log_debug("session %d: %s", number_of(s, c), why);
	loop_del(s->loop, &c->src);
	closep(&c->src.fd);
	c->src.fd = -1;
	c->gone = c->asked;
	tell_gone(s);
}

static void answer(int fd, enum frame_kind kind, const char *text, size_t size)
{
	struct frame f = { .kind = (uint8_t)kind };

	memcpy(f.data, text, size);
	(void)send_frame(fd, &f, FRAME_HEAD + size);
}

/* One frame at a time, so that there is room for it. */
static void on_client(struct loop_src *src, uint32_t events)
{
	struct server *s = src->arg;
	struct server_client *c = (void *)((char *)src - offsetof(struct server_client, src));
	struct frame f;
	ssize_t n;

	(void)events;
	s->full = !has_room(s->control.fd);
	if (s->full) {
		want_all(s);
		return;
	}
	n = recv(src->fd, &f, sizeof(f), MSG_DONTWAIT | MSG_TRUNC);
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		drop(s, c, "its client has gone");
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == FRAME_HEAD && f.kind == FRAME_INFO) {
		answer(src->fd, FRAME_INFO, s->info, s->info_size);
		return;
	}
	f.session = number_of(s, c);
	if (n < 0 || frame_check(&f, (size_t)n, true) < 0 || f.kind == FRAME_END ||
	    (!c->asked && f.kind != FRAME_REQUEST) || send_frame(s->control.fd, &f, (size_t)n) < 0)
		drop(s, c, "its client says what it can't mean");
	else
		c->asked = true;
}

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static struct server_client *free_client(struct server *s)
{
	for (size_t i = 0; i < FRAME_SESSIONS; i++)
		if (s->client[i].src.fd < 0 && !s->client[i].asked)
			return &s->client[i];
	return NULL;
}

static void on_listener(struct loop_src *src, uint32_t events)
{
	static const char many[] = "there are too many sessions already";
	struct server *s = src->arg;
	_cleanup_close_ int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct server_client *c = free_client(s);

	(void)events;
	if (fd < 0 || !is_ours(fd))
		return;
	if (!c) {
		answer(fd, FRAME_ERROR, many, sizeof(many) - 1);
		return;
	}
	c->src = (struct loop_src){ .fd = fd, .fn = on_client, .arg = s };
	if (loop_add(s->loop, &c->src, EPOLLIN) < 0)
		c->src.fd = -1;
	else
		fd = -1;
}

static void deliver(struct server *s, const struct frame *f, size_t size)
{
	struct server_client *c = &s->client[f->session - 1];
	bool end = f->kind == FRAME_END;

	if (end)
		c->asked = c->gone = false;
	if (c->src.fd < 0)
		return;
	/* The end of a session that nobody has asked for closes a connection, which then asks again. */
	if (send_frame(c->src.fd, f, size) < 0)
		drop(s, c, "its client does not listen");
	else if (end)
		drop(s, c, "it has ended");
}

/* False: there is nothing more now. */
static bool take_frame(struct server *s)
{
	struct frame f;
	ssize_t n = recv(s->control.fd, &f, sizeof(f), MSG_DONTWAIT | MSG_TRUNC);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			loop_del(s->loop, &s->control); /* it has ended, or soon will */
		return false;
	}
	if (frame_check(&f, (size_t)n, false) == 0 && !f.session && f.kind == FRAME_START)
		s->started = true;
	else if (frame_check(&f, (size_t)n, false) < 0 || !f.session)
		log_limited("init in the machine says what it can't mean");
	else
		deliver(s, &f, (size_t)n);
	return true;
}

static void on_control(struct loop_src *src, uint32_t events)
{
	struct server *s = src->arg;

	if (events & EPOLLOUT) {
		s->full = false;
		tell_gone(s);
	}
	for (int i = 0; events & ~(uint32_t)EPOLLOUT && i < FRAMES_A_TURN; i++)
		if (!take_frame(s))
			return;
}

bool server_has_started(struct server *s)
{
	for (int i = 0; !s->started && i < FRAMES_A_TURN && take_frame(s); i++)
		;
	return s->started;
}

void server_drain(struct server *s)
{
	while (take_frame(s))
		;
}

static int listen_here(struct err *e)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unsigned long long random;
	int len;

	if (fd < 0 || getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(e, errno, "making a socket: %s", err_str(errno));
	/* Who can't guess the name can't have it first. */
	len = snprintf(&name.sun_path[1], sizeof(name.sun_path) - 1, "rktio/%d/%016llx", getpid(),
		       random);
	if (bind(fd, (struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return err_set(e, errno, "listening on a socket: %s", err_str(errno));
	return take_fd(&fd);
}

int server_start(struct server *s, struct loop *l, int control, const char *info, struct err *e)
{
	int r;

	*s = (struct server){ .loop = l,
			      .listener = { .fd = -1, .fn = on_listener, .arg = s },
			      .control = { .fd = control, .fn = on_control, .arg = s } };
	for (size_t i = 0; i < FRAME_SESSIONS; i++)
		s->client[i].src.fd = -1;
	s->info_size = strnlen(info, sizeof(s->info));
	memcpy(s->info, info, s->info_size);
	r = loop_add(l, &s->control, EPOLLIN);
	if (!r) {
		r = s->listener.fd = listen_here(e);
		if (r < 0)
			return r;
		r = loop_add(l, &s->listener, EPOLLIN);
	}
	return r < 0 ? err_set(e, -r, "waiting for sessions: %s", err_str(r)) : 0;
}

void server_fini(struct server *s)
{
	for (size_t i = 0; s->loop && i < FRAME_SESSIONS; i++) {
		loop_del(s->loop, &s->client[i].src);
		closep(&s->client[i].src.fd);
	}
	if (!s->loop)
		return;
	loop_del(s->loop, &s->control);
	loop_del(s->loop, &s->listener);
	closep(&s->listener.fd);
	s->loop = NULL;
}
