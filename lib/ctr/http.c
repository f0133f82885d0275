/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cursor.h"

#define READ_STEP 65536

enum body_kind {
	BODY_TO_END,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_NONE
};

struct head {
	int status;
	enum body_kind kind;
	uint64_t length;
	bool close;
};

/* A line without its end. 1; 0 if its end is not there yet; -EPROTO if it is too long. */
static int take_line(struct cursor *c, struct span *ret)
{
	const char *start = (const char *)c->data + c->off, *end;
	size_t left = cur_left(c);

	end = left ? memchr(start, '\n', left) : NULL;
	if ((end ? (size_t)(end - start) : left) > HTTP_LINE_MAX)
		return -EPROTO;
	if (!end)
		return 0;
	*ret = (struct span){ start, (size_t)(end - start) };
	if (ret->len && ret->p[ret->len - 1] == '\r')
		ret->len--;
	c->off += (size_t)(end - start) + 1;
	return 1;
}

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && !strncasecmp(s.p, word, s.len);
}

/* "HTTP/1.1 200 OK" */
static int parse_status(struct span line, struct head *ret)
{
	uint64_t status;

	if (!span_starts(line, "HTTP/1.") || line.len < 12 || line.p[8] != ' ')
		return -EPROTO;
	if (span_u64((struct span){ line.p + 9, 3 }, 10, &status) < 0 || status < 200 ||
	    status > 599 || (line.len > 12 && line.p[12] != ' '))
		return -EPROTO;
	*ret = (struct head){ .status = (int)status, .close = line.p[7] == '0' };
	if (status == 204 || status == 304)
		ret->kind = BODY_NONE;
	return 0;
}

static int parse_header(struct span line, struct head *h)
{
	struct cursor c = cur_of(line.p, line.len);
	struct span name, value;

	if (cur_until(&c, ':', &name) != 1 || name.len == line.len)
		return -EPROTO;
	value = span_trim((struct span){ line.p + name.len + 1, line.len - name.len - 1 });
	if (span_is(name, "Connection") && span_is(value, "close"))
		h->close = true;
	if (h->kind == BODY_NONE)
		return 0;
	if (span_is(name, "Transfer-Encoding")) {
		if (!span_is(value, "chunked"))
			return -EPROTO;
		h->kind = BODY_CHUNKED;
	} else if (span_is(name, "Content-Length") && h->kind != BODY_CHUNKED) {
		if (h->kind == BODY_LENGTH || span_u64(value, 10, &h->length) < 0)
			return -EPROTO;
		h->kind = BODY_LENGTH;
	}
	return 0;
}

static int parse_head(struct cursor *c, struct head *ret)
{
	struct span line;
	int r = take_line(c, &line);

	if (r != 1)
		return r;
	r = parse_status(line, ret);
	for (int i = 0; !r && i < HTTP_HEADERS_MAX; i++) {
		r = take_line(c, &line);
		if (r != 1)
			return r;
		if (!line.len)
			return 1;
		r = parse_header(line, ret);
	}
	return r < 0 ? r : -EPROTO;
}

/* One chunk's data; empty for the last. 1, 0, -EPROTO as for a line. */
static int take_chunk(struct cursor *c, struct span *ret)
{
	struct span line, size;
	struct cursor lc;
	uint64_t n;
	int r = take_line(c, &line);

	if (r != 1)
		return r;
	lc = cur_of(line.p, line.len);
	if (cur_until(&lc, ';', &size) != 1 || span_u64(span_trim(size), 16, &n) < 0)
		return -EPROTO;
	if (!n) {
		*ret = (struct span){ "", 0 };
		return 1;
	}
	if (n >= SIZE_MAX / 2)
		return -EPROTO;
	if (cur_left(c) < n + 1)
		return 0;
	*ret = (struct span){ cur_take(c, n), n };
	r = take_line(c, &line);
	return r == 1 && line.len ? -EPROTO : r;
}

/* The data of all chunks into @out, which has room for what is left in @c. */
static int take_chunks(struct cursor *c, char *out, size_t *ret_len)
{
	struct span data, line;
	size_t len = 0;
	int r;

	while ((r = take_chunk(c, &data)) == 1 && data.len) {
		memcpy(out + len, data.p, data.len);
		len += data.len;
	}
	/* Trailers, as bounded as headers, up to an empty line. */
	for (int i = 0; r == 1 && i < HTTP_HEADERS_MAX; i++) {
		r = take_line(c, &line);
		if (r == 1 && !line.len) {
			*ret_len = len;
			return 1;
		}
	}
	return r == 1 ? -EPROTO : r;
}

static int take_body(struct cursor *c, struct head *h, bool eof, char *out, size_t *ret_len)
{
	size_t len = 0;

	if (h->kind == BODY_CHUNKED)
		return take_chunks(c, out, ret_len);
	if (h->kind == BODY_LENGTH && h->length > cur_left(c))
		return 0;
	if (h->kind == BODY_TO_END && !eof)
		return 0;
	if (h->kind == BODY_LENGTH)
		len = (size_t)h->length;
	if (h->kind == BODY_TO_END) {
		len = cur_left(c);
		h->close = true;
	}
	if (len)
		memcpy(out, cur_take(c, len), len);
	*ret_len = len;
	return 1;
}

int http_parse(const void *data, size_t size, bool eof, struct http_response *ret)
{
	_cleanup_free_ char *body = NULL;
	struct cursor c = cur_of(data, size);
	struct head h = { 0 };
	size_t len = 0;
	int r = parse_head(&c, &h);

	if (r == 1) {
		body = malloc(cur_left(&c) + 1);
		if (!body)
			return -ENOMEM;
		r = take_body(&c, &h, eof, body, &len);
	}
	if (!r && eof)
		return -EPROTO; /* cut off */
	if (r != 1)
		return r;
	body[len] = '\0';
	*ret = (struct http_response){ .status = h.status,
				       .body = take_ptr(body),
				       .len = len,
				       .close = h.close || eof || cur_left(&c) };
	return 1;
}

void http_response_fini(struct http_response *r)
{
	free(r->body);
	*r = (struct http_response){ 0 };
}

int http_connect(const char *path, uint64_t timeout_ns)
{
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct timeval tv = { .tv_sec = (time_t)(timeout_ns / 1000000000),
			      .tv_usec = (suseconds_t)(timeout_ns % 1000000000 / 1000) };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int r;

	if (place < 0)
		return -errno;
	/* sun_path has 108 bytes; a descriptor's name is short whatever the path. */
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", place);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	r = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	if (r < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return take_fd(&fd);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Wait until there is something to read. */
static int wait_readable(int fd, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now = now_ns();
		int n;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline_ns - now) / 1000000) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_request(int fd, const char *target)
{
	char req[HTTP_LINE_MAX];
	int len = snprintf(req, sizeof(req),
			   "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
			   "User-Agent: dvs\r\n\r\n",
			   target);
	ssize_t n;

	if (len < 0 || (size_t)len >= sizeof(req))
		return -ENAMETOOLONG;
	n = send(fd, req, (size_t)len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n == len ? 0 : -EIO;
}

int http_get(int fd, const char *target, uint64_t timeout_ns, size_t max, struct http_response *ret)
{
	uint64_t deadline = now_ns() + timeout_ns;
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, room = 0;
	int r = send_request(fd, target);

	while (!r) {
		ssize_t n;

		if (len > max)
			return -EFBIG;
		if (room - len < READ_STEP / 2) {
			char *bigger = realloc(buf, room = room * 2 + READ_STEP);

			if (!bigger)
				return -ENOMEM;
			buf = bigger;
		}
		r = wait_readable(fd, deadline);
		if (r < 0)
			return r;
		n = recv(fd, buf + len, room - len, 0);
		if (n < 0)
			return -errno;
		len += (size_t)n;
		r = http_parse(buf, len, n == 0, ret);
	}
	return r == 1 ? 0 : r;
}
