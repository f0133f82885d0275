/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int ring_init(struct ring *r, size_t size)
{
	*r = (struct ring){ .buf = malloc(size), .size = size };
	return r->buf ? 0 : -ENOMEM;
}

void ring_fini(struct ring *r)
{
	free(r->buf);
	memset(r, 0, sizeof(*r));
}

/* @len <= size bytes from offset @off on, in one or two pieces. */
static int pieces(const struct ring *r, size_t off, size_t len, struct iovec iov[2])
{
	size_t first;

	off %= r->size;
	first = r->size - off < len ? r->size - off : len;
	iov[0] = (struct iovec){ r->buf + off, first };
	iov[1] = (struct iovec){ r->buf, len - first };
	return len > first ? 2 : 1;
}

ssize_t ring_fill(struct ring *r, int fd, size_t max)
{
	size_t room = ring_room(r);
	struct iovec iov[2];
	ssize_t n;
	int count = pieces(r, r->start + r->len, room < max ? room : max, iov);

	do
		n = readv(fd, iov, count);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->len += (size_t)n;
	return n;
}

ssize_t ring_drain(struct ring *r, int fd, size_t max)
{
	struct iovec iov[2];
	ssize_t n;
	int count = pieces(r, r->start, r->len < max ? r->len : max, iov);

	do
		n = writev(fd, iov, count);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->len -= (size_t)n;
	r->start = r->len ? (r->start + (size_t)n) % r->size : 0;
	return n;
}

int ring_put(struct ring *r, uint8_t byte)
{
	if (!ring_room(r))
		return -ENOSPC;
	r->buf[(r->start + r->len) % r->size] = byte;
	r->len++;
	return 0;
}

int ring_add(struct ring *r, const void *data, size_t len)
{
	struct iovec iov[2];

	if (len > ring_room(r))
		return -ENOSPC;
	if (!len)
		return 0;
	(void)pieces(r, r->start + r->len, len, iov);
	memcpy(iov[0].iov_base, data, iov[0].iov_len);
	if (iov[1].iov_len)
		memcpy(iov[1].iov_base, (const uint8_t *)data + iov[0].iov_len, iov[1].iov_len);
	r->len += len;
	return 0;
}

size_t ring_take(struct ring *r, void *buf, size_t max)
{
	size_t len = r->len < max ? r->len : max;
	struct iovec iov[2];

	if (!len)
		return 0;
	(void)pieces(r, r->start, len, iov);
	memcpy(buf, iov[0].iov_base, iov[0].iov_len);
	if (iov[1].iov_len)
		memcpy((uint8_t *)buf + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	r->len -= len;
	r->start = r->len ? (r->start + len) % r->size : 0;
	return len;
}
