/* SPDX-License-Identifier: MIT */
/* sockproxy_carrier.c - the process that accepts and carries. */
#define LOG_MODULE "sockets"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward.h"
#include "forward_unix.h"
#include "io.h"
#include "log.h"
#include "loop.h"
#include "sockproxy_private.h"

#define MS 1000000u
/* When who bound a node is looked for: soon after, for most begin to listen then. */
#define SOON_MS      2
#define LATER_MS     200
#define RARELY_MS    2000
#define SOON_FOR_MS  1000u
#define LATER_FOR_MS 30000u

/* A socket of ours behind a node that somebody in the file system has bound, or is about to. */
struct inward {
	int sock, node;
	uint64_t since_ns;
	bool listens;
	struct inward *next;
};

struct carrier {
	struct forward f; /* first */
	struct inward *inward;
};

static void inward_free(struct inward *in)
{
	(void)shutdown(in->sock,
		       SHUT_RDWR); /* others have it, too: the file system, our own listener */
	(void)close(in->sock);
	(void)close(in->node);
	free(in);
}

static int begin(struct carrier *c, struct inward *in)
{
	_cleanup_close_ int sock = fcntl(in->sock, F_DUPFD_CLOEXEC, 0);
	_cleanup_close_ int node = fcntl(in->node, F_DUPFD_CLOEXEC, 0);
	struct forward_listener *l;
	struct stat st;

	/* As the one whose server it is: whoever connects behind is not to take that for us. */
	if (sock < 0 || node < 0 || fstat(node, &st) < 0)
		return -errno;
	if (forward_unix_listen(sock, st.st_uid, st.st_gid) < 0)
		return -EPERM;
	l = forward_unix_new(take_fd(&sock), take_fd(&node), SOCK_STREAM);
	if (!l)
		return -ENOMEM;
	if (forward_add(&c->f, l) < 0) {
		(void)close(l->fd);
		l->end(l);
		return -ENOMEM;
	}
	in->listens = true;
	return 0;
}

/* Is it still of use? */
static bool look_at(struct carrier *c, struct inward *in)
{
	int type = forward_unix_type(in->node);
	uint64_t age_ns = loop_now_ns() - in->since_ns;

	if (in->listens || type < 0)
		return type == SOCK_STREAM;
	if (type == SOCK_STREAM)
		return begin(c, in) == 0;
	if (type != 0 || forward_unix_other(in->node, SOCK_STREAM)) /* packets, datagrams */
		return false;
	/* A stream that does not listen yet; or nobody, for the node is made before it is bound. */
	return forward_unix_other(in->node, SOCK_SEQPACKET) || age_ns < SOON_FOR_MS * (uint64_t)MS;
}

static int gap_ms(const struct inward *in)
{
	uint64_t age_ns = loop_now_ns() - in->since_ns;

	if (in->listens)
		return RARELY_MS;
	if (age_ns < SOON_FOR_MS * (uint64_t)MS)
		return SOON_MS;
	return age_ns < LATER_FOR_MS * (uint64_t)MS ? LATER_MS : RARELY_MS;
}

static void look_at_all(struct forward *f)
{
	struct carrier *c = (struct carrier *)f; /* its first member */
	struct inward **p = &c->inward;

	f->tick_ms = 0;
	while (*p) {
		struct inward *in = *p;

		if (!look_at(c, in)) {
			*p = in->next;
			inward_free(in);
			continue;
		}
		if (!f->tick_ms || gap_ms(in) < f->tick_ms)
			f->tick_ms = gap_ms(in);
		p = &in->next;
	}
}

static void add_inward(struct carrier *c, int sock, int node)
{
	struct inward *in = calloc(1, sizeof(*in));

	if (!in) {
		(void)shutdown(sock, SHUT_RDWR);
		(void)close(sock);
		(void)close(node);
		return;
	}
	*in = (struct inward){
		.sock = sock, .node = node, .since_ns = loop_now_ns(), .next = c->inward
	};
	c->inward = in;
	c->f.tick_ms = SOON_MS;
}

static void add_listener(struct carrier *c, int sock, int target, int type)
{
	struct forward_listener *l = forward_unix_new(sock, target, type);

	if (l && forward_add(&c->f, l) < 0) {
		(void)close(l->fd);
		l->end(l);
	}
}

static int take_made(struct forward *f)
{
	struct carrier *c = (struct carrier *)f; /* its first member */
	struct sockproxy_made made;
	size_t n = 0;
	int fds[2];

	if (io_recv_fds(f->control, &made, sizeof(made), fds, 2, &n) != sizeof(made))
		return 1; /* the binder is gone */
	if (n < 2) {      /* there was no descriptor left for them */
		if (n)
			(void)close(fds[0]);
	} else if (made.inwards) {
		add_inward(c, fds[0], fds[1]);
	} else {
		add_listener(c, fds[0], fds[1], made.type);
	}
	return 0;
}

_Noreturn void sockproxy_carry(int binder, pid_t parent)
{
	struct carrier c = {
		.f = { .control = binder, .on_control = take_made, .on_tick = look_at_all }
	};
	struct err e = { 0 };

	sockproxy_become(parent, "sockets-carrier", &binder, 1);
	if (forward_run(&c.f, &e) < 0)
		log_warn("%s", e.msg);
	_exit(0);
}
