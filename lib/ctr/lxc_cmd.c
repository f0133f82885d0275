/* SPDX-License-Identifier: MIT */
#include "lxc_cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "cleanup.h"

#define HASH_DIGITS 16
#define COMMAND     "/command"

/* in a line of /proc/net/unix */
#define FIELDS      7 /* before the path */
#define FIELD_FLAGS 3
#define LISTENING   "00010000" /* __SO_ACCEPTCON */

union control {
	char raw[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 4)];
	struct cmsghdr align;
};

int lxc_reply_parse(const void *buf, size_t size, struct lxc_reply *ret)
{
	struct cursor c = cur_of(buf, size);
	struct lxc_reply v;

	/* a C struct in the byte order of this machine, and that is little-endian */
	v.ret = (int32_t)cur_le32(&c);
	v.datalen = cur_le32(&c);
	v.value = cur_le64(&c);
	if (!cur_ok(&c) || cur_left(&c) || v.ret > 0 || v.datalen > LXC_DATA_MAX)
		return -EPROTO;
	*ret = v;
	return 0;
}

int lxc_socket_parse(struct span s, struct lxc_socket *ret)
{
	struct lxc_socket v = { .hashed = false };
	size_t tail = strlen(COMMAND);
	const char *slash;

	if (s.len <= tail || memcmp(s.p + s.len - tail, COMMAND, tail) != 0)
		return -ENOENT;
	s.len -= tail;
	slash = memrchr(s.p, '/', s.len);
	if (!slash)
		return -ENOENT;
	v.lxcpath = (struct span){ s.p, (size_t)(slash - s.p) };
	v.name = (struct span){ slash + 1, s.len - v.lxcpath.len - 1 };
	if (!v.name.len)
		return -ENOENT;
	if (span_eq(v.lxcpath, "lxc")) {
		uint64_t hash;

		if (v.name.len != HASH_DIGITS || span_u64(v.name, 16, &hash) < 0)
			return -ENOENT;
		v.hashed = true;
		v.lxcpath.len = 0;
	} else if (!v.lxcpath.len || v.lxcpath.p[0] != '/') {
		return -ENOENT;
	}
	*ret = v;
	return 0;
}

/* "ADDRESS: REFS PROTOCOL FLAGS TYPE STATE INODE PATH"; '@' stands for the NUL of an abstract PATH */
int lxc_socket_next(struct cursor *c, struct span *ret_name, struct lxc_socket *ret)
{
	struct span line;

	while (cur_until(c, '\n', &line) == 1) { /* bounded by the caller's buffer */
		struct span flags = { 0 }, word, path;
		int i;

		for (i = 0; i < FIELDS && span_word(&line, &word) == 1; i++)
			if (i == FIELD_FLAGS)
				flags = word;
		path = span_trim(line);
		/* connections show the name of the listener too */
		if (i < FIELDS || !span_eq(flags, LISTENING) || !span_starts(path, "@"))
			continue;
		*ret_name = (struct span){ path.p + 1, path.len - 1 };
		if (!lxc_socket_parse(*ret_name, ret))
			return 1;
	}
	return 0;
}

void lxc_answer_fini(struct lxc_answer *a)
{
	free(a->data);
	closep(&a->fd);
	*a = (struct lxc_answer){ .fd = -1 };
}

/* On an abstract socket a listener whose queue is full gives EAGAIN: it does not serve. */
static int connect_to(const char *name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (len + 1 > sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path + 1, name, len);
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    connect(fd, (const struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return take_fd(&fd);
}

/*
 * The credentials go explicitly: the monitor may ask for them only after our
 * message has arrived, and then the kernel would not have added them.
 */
static int send_request(int fd, enum lxc_cmd cmd)
{
	struct {
		int32_t cmd, datalen;
		uint64_t data;
	} req = { .cmd = (int32_t)cmd };
	struct ucred me = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	struct iovec iov = { .iov_base = &req, .iov_len = sizeof(req) };
	union control u = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = u.raw,
			      .msg_controllen = CMSG_SPACE(sizeof(me)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(me));
	memcpy(CMSG_DATA(c), &me, sizeof(me));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) != sizeof(req))
		return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until @fd can be read, at most until @deadline (ms). */
static int wait_for(int fd, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r < 0 && errno == EINTR)
			continue;
		return r < 0 ? -errno : r ? 0 : -ETIMEDOUT;
	}
}

static void take_control(struct msghdr *msg, struct lxc_answer *a)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(cred))) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			a->monitor = cred.pid;
		}
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (a->fd < 0)
				a->fd = fd;
			else
				(void)close(fd);
		}
	}
}

/* Receive exactly @size bytes and what comes along with them. */
static int receive(int fd, int64_t deadline, void *buf, size_t size, struct lxc_answer *a)
{
	for (size_t got = 0; got < size;) {
		struct iovec iov = { .iov_base = (char *)buf + got, .iov_len = size - got };
		union control u = { 0 };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = u.raw,
				      .msg_controllen = sizeof(u.raw) };
		int r = wait_for(fd, deadline);
		ssize_t n;

		if (r < 0)
			return r;
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		take_control(&msg, a);
		if (!n)
			return got ? -EPROTO : -EACCES; /* a monitor of another user hangs up */
		got += (size_t)n;
	}
	return 0;
}

static int receive_answer(int fd, int64_t deadline, struct lxc_answer *a)
{
	uint8_t raw[LXC_REPLY_SIZE];
	int r = receive(fd, deadline, raw, sizeof(raw), a);

	if (r < 0)
		return r;
	r = lxc_reply_parse(raw, sizeof(raw), &a->reply);
	if (r < 0)
		return r;
	if (a->reply.ret < 0)
		return a->reply.ret == -EPERM ? -EACCES : 0;
	if (!a->reply.datalen)
		return 0;
	a->data = calloc(1, a->reply.datalen + 1);
	return a->data ? receive(fd, deadline, a->data, a->reply.datalen, a) : -ENOMEM;
}

int lxc_ask(const char *socket, enum lxc_cmd cmd, int *strange_ms, struct lxc_answer *ret)
{
	_cleanup_lxc_answer_ struct lxc_answer a = { .fd = -1 };
	_cleanup_close_ int fd = connect_to(socket);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int64_t start = now_ms();
	bool strange;
	int r;

	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	a.uid = peer.uid;
	strange = peer.uid != 0 && peer.uid != geteuid();
	if (strange && *strange_ms <= 0)
		return -ETIMEDOUT;
	r = send_request(fd, cmd);
	if (!r)
		r = receive_answer(fd, start + (strange ? *strange_ms : LXC_WAIT_MS), &a);
	if (strange)
		*strange_ms -= (int)(now_ms() - start);
	if (r < 0)
		return r;
	*ret = a;
	a = (struct lxc_answer){ .fd = -1 };
	return 0;
}
