/* SPDX-License-Identifier: MIT */
#include "vu_sock.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"

static int address_of(const char *path, struct sockaddr_un *ret, struct err *e)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(ret->sun_path))
		return err_set(e, ENAMETOOLONG, "'%.100s' cannot be a socket: 1 to %zu bytes can",
			       path, sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

int vu_sock_connect(const char *path, int *ret, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r = address_of(path, &a, e);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(e, errno, "cannot connect to '%s': %s", path, err_str(errno));
	*ret = take_fd(&fd);
	return 0;
}

/* A socket that nobody listens at any more. */
static bool is_left_over(const char *path, const struct sockaddr_un *a)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	return fd >= 0 && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED;
}

int vu_sock_listen(const char *path, int *ret, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r = address_of(path, &a, e);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(e, errno, "cannot make a socket: %s", err_str(errno));
	r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	if (r < 0 && errno == EADDRINUSE && is_left_over(path, &a)) {
		(void)unlink(path);
		r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	}
	if (r < 0 || listen(fd, 1) < 0)
		return err_set(e, errno, "cannot listen at '%s': %s", path, err_str(errno));
	*ret = take_fd(&fd);
	return 0;
}

int vu_sock_accept(int listener, int *ret, struct err *e)
{
	int fd;

	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return err_set(e, errno, "cannot wait for a front end: %s", err_str(errno));
	*ret = fd;
	return 0;
}

static int front_send(void *arg, const void *buf, size_t len, const int *fds, size_t nfds)
{
	return io_send_fds(*(int *)arg, buf, len, fds, nfds);
}

static int front_recv(void *arg, void *buf, size_t len)
{
	int r = io_read_all(*(int *)arg, buf, len);

	return r == -ENODATA ? -ECONNRESET : r;
}

struct vu_io vu_sock_io(int *fd)
{
	return (struct vu_io){ .send = front_send, .recv = front_recv, .arg = fd };
}

void vu_msg_close_fds(struct vu_msg *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		(void)close(m->fd[i]);
	m->nfds = 0;
}

/* Descriptors come beside the first byte, so the header is taken in pieces only after that. */
static int recv_header(int fd, struct vu_msg *m)
{
	uint8_t *p = (uint8_t *)&m->h;
	ssize_t n = io_recv_fds(fd, p, sizeof(m->h), m->fd, ARRAY_SIZE(m->fd), &m->nfds);

	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(m->h)) {
		int r = io_read_all(fd, p + n, sizeof(m->h) - (size_t)n);

		if (r < 0)
			return r;
	}
	return 1;
}

static int recv_all(int fd, struct vu_msg *m, struct err *e)
{
	const char *why;
	int r = recv_header(fd, m);

	if (r == 0)
		return 0;
	if (r < 0)
		return err_set(e, -r, "cannot receive from the front end: %s", err_str(r));
	if (vu_header_check(&m->h, VU_FROM_FRONT, &why) < 0)
		return err_set(e, EPROTO, "the front end sent %s (%u): %s",
			       vu_request_name(m->h.request), m->h.request, why);
	r = m->h.size ? io_read_all(fd, &m->p, m->h.size) : 0;
	if (r < 0)
		return err_set(e, -r, "the front end broke off in %s",
			       vu_request_name(m->h.request));
	if (vu_payload_check(m, VU_FROM_FRONT, &why) < 0)
		return err_set(e, EPROTO, "the front end sent %s: %s",
			       vu_request_name(m->h.request), why);
	return 1;
}

int vu_sock_recv(int fd, struct vu_msg *m, struct err *e)
{
	int r;

	*m = (struct vu_msg){ .nfds = 0 };
	r = recv_all(fd, m, e);
	if (r < 0)
		vu_msg_close_fds(m);
	return r;
}

static int send_all(int fd, const struct vu_msg *m)
{
	uint8_t wire[sizeof(m->h) + sizeof(m->p)];

	memcpy(wire, &m->h, sizeof(m->h));
	memcpy(wire + sizeof(m->h), &m->p, m->h.size);
	return io_send_fds(fd, wire, sizeof(m->h) + m->h.size, m->fd, m->nfds);
}

int vu_sock_send(int fd, const struct vu_msg *m)
{
	struct vu_msg bare = { .h = m->h, .p = m->p };

	return send_all(fd, &bare);
}

/* As vu_sock_recv(), but nothing is looked at. */
static int recv_any(int fd, struct vu_msg *m)
{
	int r = recv_header(fd, m);

	if (r > 0 && m->h.size > sizeof(m->p))
		return -EMSGSIZE;
	if (r > 0 && m->h.size) {
		r = io_read_all(fd, &m->p, m->h.size);
		r = r < 0 ? r : 1;
	}
	return r == -ENODATA || r == -ECONNRESET ? 0 : r;
}

int vu_sock_pass(int from, int to)
{
	struct vu_msg m = { .nfds = 0 };
	int r = recv_any(from, &m);

	if (r > 0) {
		r = send_all(to, &m);
		r = r < 0 ? r : 1;
	}
	vu_msg_close_fds(&m);
	return r;
}
