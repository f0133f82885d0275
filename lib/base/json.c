/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cleanup.h"
#include "io.h"
#include "out.h"
#include "text.h"

static void tokener_freep(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

int json_parse(const char *text, size_t len, struct json_object **ret, struct err *e)
{
	_cleanup_(tokener_freep) struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	_cleanup_json_ struct json_object *o = NULL;
	size_t off;

	if (!tok)
		return err_set(e, ENOMEM, "no memory for JSON");
	if (len > INT_MAX)
		return err_set(e, EFBIG, "JSON text of %zu bytes is too long", len);
	o = json_tokener_parse_ex(tok, text, (int)len);
	off = json_tokener_get_parse_end(tok);
	if (json_tokener_get_error(tok) == json_tokener_continue) {
		/* Only what follows says that a number or a word has ended: a NUL, for json-c. */
		o = json_tokener_parse_ex(tok, "", 1);
		off = len;
	}
	if (json_tokener_get_error(tok) != json_tokener_success)
		return err_set(e, EPROTO, "not JSON: %s",
			       json_tokener_error_desc(json_tokener_get_error(tok)));
	if (!o)
		return err_set(e, EPROTO, "JSON without a value: null");
	for (; off < len; off++)
		if (!strchr(" \t\r\n", text[off]) || !text[off])
			return err_set(e, EPROTO, "not JSON: text follows the value");
	*ret = take_ptr(o);
	return 0;
}

int json_read_at(int dirfd, const char *path, size_t max, struct json_object **ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = io_read_at(dirfd, path, max, &text, &len);

	if (r < 0)
		return err_set(e, -r, "reading '%s': %s", path, err_str(r));
	r = json_parse(text, len, ret, e);
	return r < 0 ? err_wrap(e, r, "'%s'", path) : 0;
}

struct json_object *json_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v))
		return NULL;
	return v;
}

struct json_object *json_path(struct json_object *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		o = json_get(o, key);
		path += len + (path[len] == '.');
	}
	return o;
}

const char *json_str(struct json_object *o, const char *path)
{
	struct json_object *v = json_path(o, path);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

bool json_flag(struct json_object *o, const char *path)
{
	struct json_object *v = json_path(o, path);

	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

int json_int(struct json_object *o, const char *path, int64_t *ret)
{
	struct json_object *v = json_path(o, path);

	if (!json_object_is_type(v, json_type_int))
		return -ENOENT;
	*ret = json_object_get_int64(v);
	return 0;
}

size_t json_len(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

struct json_object *json_at(struct json_object *o, size_t idx)
{
	return idx < json_len(o) ? json_object_array_get_idx(o, idx) : NULL;
}

void json_add_str(struct json_object *o, const char *key, const char *value)
{
	(void)json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void json_add_int(struct json_object *o, const char *key, int64_t value)
{
	(void)json_object_object_add(o, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *o, const char *key, bool value)
{
	(void)json_object_object_add(o, key, json_object_new_boolean(value));
}

/* UTF-16, as JSON wants it (RFC 8259, 7) */
static void put_escape(uint32_t c, FILE *f)
{
	if (c > 0xffff) {
		c -= 0x10000;
		(void)fprintf(f, "\\u%04x", (unsigned int)(0xd800 + (c >> 10)));
		c = 0xdc00 + (c & 0x3ff);
	}
	(void)fprintf(f, "\\u%04x", (unsigned int)c);
}

static int put(struct json_object *o, FILE *f)
{
	const char *s = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = s ? strlen(s) : 0;

	if (!s)
		return -ENOMEM;
	/* json-c escapes below 0x20; other such characters can only stand inside strings */
	for (size_t off = 0, n; off < len; off += n) {
		uint32_t c;

		n = text_decode(s + off, len - off, &c);
		if (n && (c < 0x7f || !text_invisible(c))) {
			(void)fwrite(s + off, 1, n, f);
			continue;
		}
		put_escape(n ? c : 0xfffd, f);
		n = n ? n : 1;
	}
	return 0;
}

int json_print(struct json_object *o, FILE *f)
{
	int r = put(o, f);

	if (r < 0)
		return r;
	(void)fputc('\n', f);
	return out_flush(f);
}

int json_stream_add(struct json_stream *s, struct json_object *o)
{
	int r;

	if (!o)
		return -ENOMEM;
	(void)fputs(s->any ? ",\n" : "[\n", s->f);
	s->any = true;
	r = put(o, s->f);
	json_object_put(o);
	return r ? r : ferror(s->f) ? -EIO : 0;
}

int json_stream_end(struct json_stream *s)
{
	(void)fputs(s->any ? "\n]\n" : "[]\n", s->f);
	return out_flush(s->f);
}
