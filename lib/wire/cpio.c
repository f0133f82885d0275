/* SPDX-License-Identifier: MIT */
#include "cpio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cursor.h"

#define FIELDS       13
#define FIELD_DIGITS 8
#define MAGIC        "070701" /* without checksums */
#define MAGIC_LEN    6
#define TRAILER      "TRAILER!!!"
#define ALIGN        4U

void cpio_init(struct cpio *c, const struct cpio_sink *sink, void *arg)
{
	*c = (struct cpio){ .sink = sink, .arg = arg, .left = CPIO_HEADER };
}

static uint32_t padding_of(uint32_t size)
{
	return (ALIGN - size % ALIGN) % ALIGN;
}

static void start_header(struct cpio *c)
{
	c->state = CPIO_IN_HEADER;
	c->left = CPIO_HEADER;
	c->have = 0;
}

/* In this order: ino mode uid gid nlink mtime size, two devices of two numbers, length of the name, check. */
static int take_header(struct cpio *c)
{
	uint32_t v[FIELDS];

	if (memcmp(c->text, MAGIC, MAGIC_LEN) != 0)
		return -EPROTO;
	for (size_t i = 0; i < FIELDS; i++) {
		struct span s = { c->text + MAGIC_LEN + i * FIELD_DIGITS, FIELD_DIGITS };
		uint64_t n;

		if (span_u64(s, 16, &n) < 0)
			return -EPROTO;
		v[i] = (uint32_t)n;
	}
	c->entry = (struct cpio_entry){ NULL, v[1], v[2], v[3], v[0],  v[4],
					v[5], v[7], v[8], v[9], v[10], v[6] };
	c->name = v[11];
	if (c->name < 2 || c->name > PATH_MAX)
		return -EPROTO;
	c->state = CPIO_IN_NAME;
	/* The header's own length is no multiple of four. */
	c->left = c->name + padding_of(CPIO_HEADER + c->name);
	c->have = 0;
	return 0;
}

/* Without what stands for the root; NULL if it leads out of it. */
static const char *clean_name(const char *name)
{
	while (*name == '/' || (name[0] == '.' && (name[1] == '/' || !name[1])))
		name++;
	for (const char *p = name; *p; p += strcspn(p, "/"), p += *p == '/')
		if (strcspn(p, "/") == 2 && p[0] == '.' && p[1] == '.')
			return NULL;
	return name;
}

static int finish_entry(struct cpio *c)
{
	int r = c->sink->done(c->arg);

	c->left = padding_of(c->entry.size);
	c->state = CPIO_IN_PADDING;
	if (!c->left)
		start_header(c);
	return r;
}

static int take_name(struct cpio *c)
{
	int r;

	if (memchr(c->text, '\0', c->name) != c->text + c->name - 1)
		return -EPROTO;
	if (!strcmp(c->text, TRAILER)) {
		c->state = CPIO_BEHIND;
		return 0;
	}
	c->entry.name = clean_name(c->text);
	/* Of what has no data, so many would be taken for the next entry. */
	if (!c->entry.name || (c->entry.size && !S_ISREG(c->entry.mode) && !S_ISLNK(c->entry.mode)))
		return -EPROTO;
	r = c->sink->entry(c->arg, &c->entry);
	c->state = CPIO_IN_DATA;
	c->left = c->entry.size;
	return r || c->left ? r : finish_entry(c);
}

/* @n bytes of what it is in. */
static int take(struct cpio *c, const uint8_t *data, size_t n)
{
	int r = 0;

	if (c->state == CPIO_IN_DATA)
		r = c->sink->data(c->arg, data, n);
	else if (c->state != CPIO_IN_PADDING)
		memcpy(c->text + c->have, data, n);
	c->have += c->state == CPIO_IN_HEADER || c->state == CPIO_IN_NAME ? n : 0;
	c->left -= (uint32_t)n;
	if (r || c->left)
		return r;
	switch (c->state) {
	case CPIO_IN_HEADER:
		return take_header(c);
	case CPIO_IN_NAME:
		return take_name(c);
	case CPIO_IN_DATA:
		return finish_entry(c);
	default:
		start_header(c);
		return 0;
	}
}

int cpio_feed(struct cpio *c, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size && c->state != CPIO_BEHIND) {
		size_t n = c->left < size ? c->left : size;
		int r = take(c, p, n);

		if (r < 0)
			return r;
		p += n;
		size -= n;
	}
	return 0;
}
