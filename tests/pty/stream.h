/* SPDX-License-Identifier: MIT */
/* stream.h - bytes to send through something, and to recognise behind it. */
#ifndef TESTS_PTY_STREAM_H
#define TESTS_PTY_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* Every byte value is in it. */
struct stream {
	uint64_t state, sum;
	size_t size;
};

void stream_make(struct stream *s, uint8_t *buf, size_t len);
void stream_add(struct stream *s, const uint8_t *buf, size_t len);
uint64_t stream_sum(size_t size);

/*
 * Commands for inside a session: write @size bytes of the stream to stdout, or check that
 * stdin has them. A terminal is made raw before. They return the exit code.
 */
int stream_command_gen(size_t size);
int stream_command_sum(size_t size);

#endif
