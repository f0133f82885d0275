/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS (WIRE_BEAT_MS * WIRE_BEATS)

int link_read(struct link *l, struct wire_msg *ret)
{
	uint8_t *in = l->in + LINK_IN_AT;
	ssize_t n = read(l->fd, in, WIRE_MAX);
	int r;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return 0;
	r = wire_parse(in, (size_t)n, WIRE_TO_GUEST, ret);
	return r < 0 ? r : 1;
}

static int wait_for(const struct link *l, short events)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	int n;

	do
		n = poll(&p, 1, PATIENCE_MS);
	while ((n < 0 && errno == EINTR) || (!n && l->silent));
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

int link_wait(struct link *l, struct wire_msg *ret)
{
	int r;

	do {
		r = wait_for(l, POLLIN);
		if (!r)
			r = link_read(l, ret);
	} while (r == -EAGAIN);
	return r;
}

static int put(struct link *l, size_t size)
{
	ssize_t n;

	while ((n = write(l->fd, l->out, size)) < 0) {
		int r = errno == EAGAIN ? wait_for(l, POLLOUT) : errno == EINTR ? 0 : -errno;

		if (r < 0)
			return r;
	}
	return (size_t)n == size ? 0 : -EIO;
}

int link_send_room(struct link *l, enum wire_kind kind, unsigned int stream, size_t size)
{
	wire_head(l->out, kind, stream, 0);
	return put(l, WIRE_HEAD + size);
}

int link_tell(struct link *l, enum wire_kind kind, unsigned int stream, uint32_t value)
{
	wire_head(l->out, kind, stream, value);
	return put(l, WIRE_HEAD);
}

int link_say(struct link *l, enum wire_kind kind, uint32_t value, const char *text, size_t len)
{
	if (len > WIRE_SENTENCE_MAX)
		len = WIRE_SENTENCE_MAX;
	wire_head(l->out, kind, 0, value);
	memcpy(link_room(l), text, len);
	return put(l, WIRE_HEAD + len);
}
