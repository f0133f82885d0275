/* SPDX-License-Identifier: MIT */
/*
 * cursor.h - reads bytes that somebody else wrote, in order and within bounds.
 *
 * Theory of operation
 *
 * Every read checks what is left. The first that does not fit sets @bad and
 * moves nothing; from then on all reads give zeros and empty spans. So a
 * parser is straight-line and asks cur_ok() once, at its end. @off stays where
 * the first error was, for the message.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct cursor {
	const uint8_t *data; /* borrowed */
	size_t size;
	size_t off;
	bool bad;
};

/* Bytes inside the cursor's buffer; not NUL-terminated. */
struct span {
	const char *p;
	size_t len;
};

static inline struct cursor cur_of(const void *data, size_t size)
{
	return (struct cursor){ .data = data, .size = size };
}

static inline bool cur_ok(const struct cursor *c)
{
	return !c->bad;
}

static inline size_t cur_left(const struct cursor *c)
{
	return c->bad ? 0 : c->size - c->off;
}

/* The next @len bytes, or NULL and bad. */
const void *cur_take(struct cursor *c, size_t len);
void cur_skip(struct cursor *c, size_t len);

uint8_t cur_u8(struct cursor *c);
uint16_t cur_le16(struct cursor *c);
uint32_t cur_le32(struct cursor *c);
uint64_t cur_le64(struct cursor *c);

/*
 * cur_until() - The bytes up to the next @delim, which is consumed, or up to the end.
 *
 * Return: 1 and a span; 0 at the end (nothing left).
 */
int cur_until(struct cursor *c, char delim, struct span *ret) _must_check_;

/* Text helpers over a span. Numbers take the whole span or fail with -EINVAL / -ERANGE. */
bool span_eq(struct span s, const char *text);
bool span_starts(struct span s, const char *prefix);
struct span span_trim(struct span s);
int span_u64(struct span s, unsigned int base, uint64_t *ret) _must_check_;
/* Split off the first word (blanks and tabs separate). 1 a word, 0 none left. */
int span_word(struct span *rest, struct span *ret) _must_check_;
/* A copy, NUL-terminated, the caller's to free; NULL without memory. */
char *span_dup(struct span s) _must_check_;

#endif
