/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "io.h"

void stream_make(struct stream *s, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		s->state = s->state * 6364136223846793005u + 1442695040888963407u;
		buf[i] = (uint8_t)(s->state >> 56);
	}
}

void stream_add(struct stream *s, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->sum = (s->sum ^ buf[i]) * 1099511628211u;
	s->size += len;
}

uint64_t stream_sum(size_t size)
{
	struct stream s = { 0 };
	uint8_t buf[4096];

	for (; s.size < size; stream_add(&s, buf, sizeof(buf)))
		stream_make(&s, buf, sizeof(buf));
	return s.sum;
}

int stream_command_gen(size_t size)
{
	struct stream s = { 0 };
	struct termios t;
	uint8_t buf[4096];

	if (tcgetattr(1, &t) == 0) {
		cfmakeraw(&t);
		(void)tcsetattr(1, TCSANOW, &t);
	}
	for (; s.size < size; s.size += sizeof(buf)) {
		stream_make(&s, buf, sizeof(buf));
		if (io_write_all(1, buf, sizeof(buf)) < 0)
			return 1;
	}
	return 0;
}

int stream_command_sum(size_t size)
{
	struct stream s = { 0 };
	struct termios t;
	uint8_t buf[4096];

	if (tcgetattr(0, &t) == 0) {
		cfmakeraw(&t);
		(void)tcsetattr(0, TCSANOW, &t);
		(void)dprintf(1, "ready\n");
	}
	while (s.size < size) {
		ssize_t n = read(0, buf, sizeof(buf));

		if (n <= 0)
			return 1;
		stream_add(&s, buf, (size_t)n);
	}
	return s.sum == stream_sum(size) ? 0 : 2;
}
