/* SPDX-License-Identifier: MIT */
#include "cursor.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

const void *cur_take(struct cursor *c, size_t len)
{
	const void *p;

	if (c->bad || len > c->size - c->off) {
		c->bad = true;
		return NULL;
	}
	p = c->data + c->off;
	c->off += len;
	return p;
}

void cur_skip(struct cursor *c, size_t len)
{
	(void)cur_take(c, len);
}

#define CUR_READ(name, type, convert)                      \
	type cur_##name(struct cursor *c)                  \
	{                                                  \
		const void *p = cur_take(c, sizeof(type)); \
		type v = 0;                                \
                                                           \
		if (p)                                     \
			memcpy(&v, p, sizeof(v));          \
		return (type)convert(v);                   \
	}

CUR_READ(u8, uint8_t, )
CUR_READ(le16, uint16_t, le16toh)
CUR_READ(le32, uint32_t, le32toh)
CUR_READ(le64, uint64_t, le64toh)

int cur_until(struct cursor *c, char delim, struct span *ret)
{
	size_t left = cur_left(c);
	const char *start, *end;

	if (!left)
		return 0;
	start = (const char *)c->data + c->off;
	end = memchr(start, delim, left);
	*ret = (struct span){ start, end ? (size_t)(end - start) : left };
	c->off += ret->len + (end != NULL);
	return 1;
}

/* An empty span may have no address, which memcmp() and its like must not be given. */
bool span_eq(struct span s, const char *text)
{
	return s.len == strlen(text) && (!s.len || !memcmp(s.p, text, s.len));
}

bool span_starts(struct span s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && (!len || !memcmp(s.p, prefix, len));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.p[0]))
		s = (struct span){ s.p + 1, s.len - 1 };
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return UINT32_MAX;
}

int span_u64(struct span s, unsigned int base, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned int d = digit(s.p[i]);

		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int span_word(struct span *rest, struct span *ret)
{
	struct span s = span_trim(*rest);
	size_t len = 0;

	if (!s.len)
		return 0;
	while (len < s.len && !is_blank(s.p[len]))
		len++;
	*ret = (struct span){ s.p, len };
	*rest = (struct span){ s.p + len, s.len - len };
	return 1;
}

char *span_dup(struct span s)
{
	return strndup(s.len ? s.p : "", s.len);
}
