/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "array.h"
#include "cleanup.h"

#define GAP        2  /* blanks between columns */
#define ESCAPE_MAX 12 /* "\u{10ffff}" and its NUL */

struct range {
	uint32_t first, last;
};

static bool within(uint32_t c, const struct range *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= v[i].first && c <= v[i].last)
			return true;
	return false;
}

/* With these a name could pose as another one. */
bool text_invisible(uint32_t c)
{
	static const struct range v[] = {
		{ 0x00, 0x1f },       { 0x7f, 0x9f },     /* C0, DEL, C1 */
		{ 0xad, 0xad },       { 0x61c, 0x61c },   /* soft hyphen, Arabic letter mark */
		{ 0x180e, 0x180e },   { 0x200b, 0x200f }, /* zero-width characters, marks */
		{ 0x2028, 0x202e },   { 0x2060, 0x206f }, /* separators, overrides, isolates */
		{ 0xfeff, 0xfeff },   { 0xfff9, 0xfffb }, /* byte order mark, annotations */
		{ 0xe0000, 0xe0fff },                     /* tags */
	};

	return within(c, v, ARRAY_SIZE(v));
}

/* Combining marks: the blocks, not every single character of each script. */
static bool is_combining(uint32_t c)
{
	static const struct range v[] = {
		{ 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },
		{ 0x64b, 0x65f },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff },
		{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	};

	return within(c, v, ARRAY_SIZE(v));
}

/* Unicode's East Asian Width "W" and "F", by block (UAX #11). */
static bool is_wide(uint32_t c)
{
	static const struct range v[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
		{ 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
		{ 0x20000, 0x3fffd },
	};

	return within(c, v, ARRAY_SIZE(v));
}

size_t text_decode(const char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c;

	if (!n || p[0] > 0xf4 || n > len)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* overlong forms, surrogates, beyond Unicode */
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*ret = c;
	return n;
}

/* What stands for the character (or the stray byte) at @s. Return: its bytes consumed. */
static size_t escape_one(const char *s, size_t len, char out[ESCAPE_MAX])
{
	uint32_t c;
	size_t n = text_decode(s, len, &c);

	if (!n) {
		(void)snprintf(out, ESCAPE_MAX, "\\x%02x", (unsigned int)(uint8_t)s[0]);
		return 1;
	}
	if (c == '\n' || c == '\t' || c == '\\')
		(void)snprintf(out, ESCAPE_MAX, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : '\\');
	else if (text_invisible(c))
		(void)snprintf(out, ESCAPE_MAX, c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned int)c);
	else
		(void)snprintf(out, ESCAPE_MAX, "%.*s", (int)n, s);
	return n;
}

char *text_safe(const char *s)
{
	size_t len = strlen(s), used = 0;
	_cleanup_free_ char *out = NULL;
	size_t room;

	/* each byte gives at most four; a two-byte character at most eight, "\u{9f}" */
	if (__builtin_mul_overflow(len, 4, &room))
		return NULL;
	out = malloc(room + 1);
	if (!out)
		return NULL;
	for (size_t off = 0; off < len;) {
		char one[ESCAPE_MAX];
		size_t n;

		off += escape_one(s + off, len - off, one);
		n = strlen(one);
		assert(used + n <= room);
		memcpy(out + used, one, n);
		used += n;
	}
	out[used] = '\0';
	return take_ptr(out);
}

/* Columns of the character at @s and its length in bytes. */
static size_t width_one(const char *s, size_t len, size_t *ret_bytes)
{
	uint32_t c;
	size_t n = text_decode(s, len, &c);

	*ret_bytes = n ? n : 1;
	if (!n)
		return 1;
	return is_combining(c) ? 0 : is_wide(c) ? 2 : 1;
}

size_t text_width(const char *s)
{
	size_t len = strlen(s), columns = 0;

	for (size_t off = 0, n; off < len; off += n)
		columns += width_one(s + off, len - off, &n);
	return columns;
}

/* How many bytes of @s fill at most @columns. */
static size_t bytes_within(const char *s, size_t columns)
{
	size_t len = strlen(s), off = 0, n;

	while (off < len) {
		size_t w = width_one(s + off, len - off, &n);

		if (w > columns)
			break;
		columns -= w;
		off += n;
	}
	return off;
}

void text_cut(char *s, size_t columns)
{
	size_t dots = columns > 3 ? 3 : 0, end;

	if (text_width(s) <= columns)
		return;
	end = bytes_within(s, columns - dots);
	/* no character is wider than its bytes are many, so the dots fit in what they replace */
	memcpy(s + end, "...", dots);
	s[end + dots] = '\0';
}

void text_cut_front(char *s, size_t columns)
{
	size_t dots = columns > 3 ? 3 : 0, width = text_width(s), len = strlen(s), off = 0, n;

	if (width <= columns)
		return;
	while (width > columns - dots) {
		width -= width_one(s + off, len - off, &n);
		off += n;
	}
	/* as above: what went has at least as many bytes as columns */
	memcpy(s, "...", dots);
	memmove(s + dots, s + off, len - off + 1);
}

size_t text_columns(int fd)
{
	struct winsize ws;

	return ioctl(fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_col : 0;
}

int text_table_add(struct text_table *t, const char *const *row)
{
	assert(t->ncolumns && t->ncolumns <= TEXT_COLUMNS_MAX);
	if (array_room(&t->cells, &t->room, t->n + t->ncolumns, sizeof(*t->cells)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < t->ncolumns; i++) {
		t->cells[t->n + i] = text_safe(row[i] ? row[i] : "");
		if (t->cells[t->n + i])
			continue;
		while (i--)
			free(t->cells[t->n + i]);
		return -ENOMEM;
	}
	t->n += t->ncolumns;
	return 0;
}

/* Make the columns narrower until a row fits, or nothing more may be cut. */
static void squeeze(size_t *widest, size_t ncolumns, size_t width, const struct text_flex *flex,
		    size_t nflex)
{
	size_t total = (ncolumns - 1) * GAP;

	for (size_t i = 0; i < ncolumns; i++)
		total += widest[i];
	for (size_t i = 0; i < nflex && total > width; i++) {
		size_t *w = &widest[flex[i].column], over = total - width, spare;

		if (*w <= flex[i].least)
			continue;
		spare = *w - flex[i].least;
		*w -= over < spare ? over : spare;
		total -= over < spare ? over : spare;
	}
}

/* Is there nothing but empty cells behind @i, in its row? */
static bool is_last(const struct text_table *t, size_t i)
{
	while (++i % t->ncolumns)
		if (*t->cells[i])
			return false;
	return true;
}

static void print_cell(const struct text_table *t, size_t i, size_t width, FILE *f)
{
	size_t used = text_width(t->cells[i]);

	(void)fputs(t->cells[i], f);
	if (!is_last(t, i))
		(void)fprintf(f, "%*s", (int)(width + GAP - used), "");
	if ((i + 1) % t->ncolumns == 0)
		(void)fputc('\n', f);
}

void text_table_print(struct text_table *t, FILE *f, size_t width, const struct text_flex *flex,
		      size_t nflex)
{
	size_t widest[TEXT_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		size_t w = text_width(t->cells[i]);

		if (w > widest[i % t->ncolumns])
			widest[i % t->ncolumns] = w;
	}
	if (width)
		squeeze(widest, t->ncolumns, width, flex, nflex);
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < nflex; k++) {
			if (flex[k].column != i % t->ncolumns)
				continue;
			if (flex[k].keep_end)
				text_cut_front(t->cells[i], widest[flex[k].column]);
			else
				text_cut(t->cells[i], widest[flex[k].column]);
		}
		print_cell(t, i, widest[i % t->ncolumns], f);
	}
}

void text_table_fini(struct text_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct text_table){ .ncolumns = t->ncolumns };
}
