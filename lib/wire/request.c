/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"

#define PID_MAX   (1U << 22) /* PID_MAX_LIMIT of Linux */
#define TTY_BITS  7U
#define MODE_FLAG 4 /* words of flags before the characters */
/* "iflag:oflag:cflag:lflag:" and two digits and a colon for each character. */
#define MODES_TEXT (MODE_FLAG * 9 + NCCS * 3 + 1)

void wire_text_fini(struct wire_text *t)
{
	free(t->p);
	*t = (struct wire_text){ .p = NULL };
}

int wire_text_add(struct wire_text *t, const void *data, size_t size)
{
	if (size > WIRE_REQUEST_MAX - t->size)
		return -E2BIG;
	if (array_room(&t->p, &t->room, t->size + size, 1) < 0)
		return -ENOMEM;
	if (size)
		memcpy(t->p + t->size, data, size);
	t->size += size;
	return 0;
}

int wire_text_put(struct wire_text *t, const char *key, const char *value)
{
	int r = wire_text_add(t, key, strlen(key));

	if (!r)
		r = wire_text_add(t, "=", 1);
	return r ? r : wire_text_add(t, value, strlen(value) + 1);
}

int wire_text_put_termios(struct wire_text *t, const struct termios *modes)
{
	char text[MODES_TEXT];
	int n = snprintf(text, sizeof(text), "%x:%x:%x:%x", modes->c_iflag, modes->c_oflag,
			 modes->c_cflag, modes->c_lflag);

	for (int i = 0; i < NCCS; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ":%x", modes->c_cc[i]);
	return wire_text_put(t, "termios", text);
}

static int number(struct span s, unsigned int base, uint64_t max, uint64_t *ret)
{
	return span_u64(s, base, ret) < 0 || *ret > max ? -EPROTO : 0;
}

static int take_modes(struct span text, struct termios *ret)
{
	struct cursor c = cur_of(text.p, text.len);
	tcflag_t *const flag[MODE_FLAG] = { &ret->c_iflag, &ret->c_oflag, &ret->c_cflag,
					    &ret->c_lflag };
	struct span s;
	uint64_t v;
	int n = 0;

	while (cur_until(&c, ':', &s) == 1) {
		if (n == MODE_FLAG + NCCS ||
		    number(s, 16, n < MODE_FLAG ? UINT32_MAX : UINT8_MAX, &v) < 0)
			return -EPROTO;
		if (n < MODE_FLAG)
			*flag[n] = (tcflag_t)v;
		else
			ret->c_cc[n - MODE_FLAG] = (cc_t)v;
		n++;
	}
	return n < MODE_FLAG ? -EPROTO : 0;
}

static int take_size(struct span text, struct wire_size *ret)
{
	uint16_t *const part[4] = { &ret->rows, &ret->cols, &ret->xpixel, &ret->ypixel };
	struct span s;
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++) {
		if (span_word(&text, &s) != 1 || number(s, 10, UINT16_MAX, &v) < 0)
			return -EPROTO;
		*part[i] = (uint16_t)v;
	}
	return span_word(&text, &s) == 0 ? 0 : -EPROTO;
}

static int take_tools(struct span s, enum wire_tools *ret)
{
	if (span_eq(s, "fuse"))
		*ret = WIRE_TOOLS_FUSE;
	else if (span_eq(s, "archive"))
		*ret = WIRE_TOOLS_ARCHIVE;
	else if (span_eq(s, "disk"))
		*ret = WIRE_TOOLS_DISK;
	else
		return -EPROTO;
	return 0;
}

static int take_yes(struct span s, bool *ret)
{
	*ret = span_eq(s, "1");
	return *ret ? 0 : -EPROTO;
}

static int add_word(const char ***list, size_t *n, const char *word)
{
	if (*n == WIRE_WORDS_MAX)
		return -EPROTO;
	(*list)[(*n)++] = word;
	return 0;
}

/* @value ends with the text's NUL. */
static int take(struct wire_request *r, struct span key, struct span value)
{
	uint64_t v = 0;
	int ret;

	if (span_eq(key, "arg"))
		return add_word(&r->argv, &r->argc, value.p);
	if (span_eq(key, "env"))
		return add_word(&r->env, &r->nenv, value.p);
	if (span_eq(key, "cwd"))
		r->cwd = value.p;
	else if (span_eq(key, "user"))
		r->user = value.p;
	else if (span_eq(key, "container"))
		r->container = value.p;
	else if (span_eq(key, "disk"))
		r->disk = value.p;
	else if (span_eq(key, "type"))
		r->type = value.p;
	else if (span_eq(key, "privileged"))
		return take_yes(value, &r->privileged);
	else if (span_eq(key, "rw"))
		return take_yes(value, &r->writable);
	else if (span_eq(key, "tools"))
		return take_tools(value, &r->tools);
	else if (span_eq(key, "size"))
		return take_size(value, &r->size);
	else if (span_eq(key, "termios"))
		return r->has_termios = true, take_modes(value, &r->termios);
	else if (span_eq(key, "pid")) {
		ret = number(value, 10, PID_MAX, &v);
		r->pid = (pid_t)v;
		return v ? ret : -EPROTO;
	} else if (span_eq(key, "tty")) {
		ret = number(value, 10, TTY_BITS, &v);
		r->tty = (unsigned int)v;
		return ret;
	} else {
		return -EPROTO;
	}
	return 0;
}

static size_t count_words(const struct wire_text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->size; i++)
		n += !t->p[i];
	return n < WIRE_WORDS_MAX ? n : WIRE_WORDS_MAX;
}

static int take_all(const struct wire_text *t, struct wire_request *r)
{
	struct cursor c = cur_of(t->p, t->size);
	struct span s;

	while (cur_until(&c, '\0', &s) == 1) {
		const char *eq = memchr(s.p, '=', s.len);
		size_t len = eq ? (size_t)(eq - s.p) : 0;
		int ret;

		if (!eq)
			return -EPROTO;
		ret = take(r, (struct span){ s.p, len }, (struct span){ eq + 1, s.len - len - 1 });
		if (ret < 0)
			return ret;
	}
	return r->argc && (r->tools != WIRE_TOOLS_DISK || (r->disk && r->type)) ? 0 : -EPROTO;
}

int wire_request_parse(const struct wire_text *t, struct wire_request *ret)
{
	_cleanup_wire_request_ struct wire_request r = { .pid = 1 };
	size_t n = count_words(t) + 1;
	int error;

	if (!t->size || t->p[t->size - 1])
		return -EPROTO;
	r.argv = calloc(n, sizeof(*r.argv));
	r.env = calloc(n, sizeof(*r.env));
	if (!r.argv || !r.env)
		return -ENOMEM;
	error = take_all(t, &r);
	if (error < 0)
		return error;
	*ret = r;
	r.argv = r.env = NULL;
	return 0;
}

void wire_request_fini(struct wire_request *r)
{
	free(r->argv);
	free(r->env);
	r->argv = r->env = NULL;
}
