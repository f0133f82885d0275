/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "attach_chan.h"

static int sock_fd(const struct attach_chan *c)
{
	return ((const struct attach_sock *)c)->fd; /* its first member */
}

static int sock_send(struct attach_chan *c, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };
	ssize_t r;

	do
		r = sendmsg(sock_fd(c), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static ssize_t sock_receive(struct attach_chan *c, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(sock_fd(c), buf, size, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	/* A reset, for it had not read all of ours, is told once, and before what it has sent. */
	if (n < 0)
		return errno == ECONNRESET ? -EAGAIN : -errno;
	return (size_t)n > size ? -EPROTO : n;
}

static short sock_wait(struct attach_chan *c, short events, int timeout_ms)
{
	struct pollfd p = { .fd = sock_fd(c), .events = events };

	return poll(&p, 1, timeout_ms) > 0 ? p.revents : 0;
}

static const struct attach_chan_ops sock_ops = { sock_send, sock_receive, sock_wait, NULL };

struct attach_sock attach_sock_of(int fd)
{
	return (struct attach_sock){ { &sock_ops }, fd };
}
