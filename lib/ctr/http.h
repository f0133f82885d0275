/* SPDX-License-Identifier: MIT */
/*
 * http.h - as much of HTTP/1.1 as a daemon behind a unix socket needs. Private to lib/ctr.
 *
 * Theory of operation
 *
 * http_get() sends one request and reads until http_parse() says that the
 * answer is whole; http_parse() sees all bytes so far, does no I/O and keeps
 * no state. RFC 9112: a body is chunked, or has a Content-Length, or ends with
 * the connection. A deadline covers the whole exchange, and a size its answer.
 */
#ifndef CTR_HTTP_H
#define CTR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_LINE_MAX    8192

struct http_response {
	int status;
	char *body; /* NUL-terminated beyond @len; never NULL */
	size_t len;
	bool close; /* the connection can't be used again */
};

/*
 * http_parse() - The answer in @size bytes; @eof: there will be no more.
 *
 * Return: 1 it is whole, *@ret is the caller's to http_response_fini();
 *	   0 more bytes are needed; -EPROTO it is none; -ENOMEM.
 */
int http_parse(const void *data, size_t size, bool eof, struct http_response *ret) _must_check_;
void http_response_fini(struct http_response *r);
#define _cleanup_http_response_ _cleanup_(http_response_fini)

/* Connect to the unix socket @path, of any length. Return: a descriptor or -errno. */
int http_connect(const char *path, uint64_t timeout_ns) _must_check_;

/*
 * http_get() - GET @target, which must be a valid request target.
 *
 * Return: 0; -ETIMEDOUT; -EFBIG if it is more than @max bytes; -EPROTO; another -errno.
 */
int http_get(int fd, const char *target, uint64_t timeout_ns, size_t max, struct http_response *ret)
	_must_check_;

#endif
