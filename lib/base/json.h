/* SPDX-License-Identifier: MIT */
/*
 * json.h - what we need of json-c: bounded parsing, and lookups that never trust a type.
 *
 * Every getter takes NULL for an object and gives "not there" for a wrong type,
 * so that a chain of them over hostile input needs one check at its end.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler.h"
#include "err.h"

#define JSON_DEPTH_MAX 64

static inline void json_putp(struct json_object **o)
{
	json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_putp)

/* The whole of @text must be one JSON value other than null. @ret is the caller's to json_object_put(). */
int json_parse(const char *text, size_t len, struct json_object **ret, struct err *e) _must_check_;

/* Read and parse the file @path below @dirfd, at most @max bytes. */
int json_read_at(int dirfd, const char *path, size_t max, struct json_object **ret, struct err *e)
	_must_check_;

/* The member @key of object @o, borrowed; NULL if @o is no object or has none. */
struct json_object *json_get(struct json_object *o, const char *key);
/* Follow a dotted path: json_path(o, "linux.seccomp"). Keys with dots need json_get(). */
struct json_object *json_path(struct json_object *o, const char *path);

/* Typed members by dotted path. The string is borrowed from @o, NULL if not there. */
const char *json_str(struct json_object *o, const char *path);
bool json_flag(struct json_object *o, const char *path);
/* Return: 0, or -ENOENT if there is no integer there. */
int json_int(struct json_object *o, const char *path, int64_t *ret) _must_check_;

/* An array's length (0 for anything else) and its elements, borrowed. */
size_t json_len(struct json_object *o);
struct json_object *json_at(struct json_object *o, size_t idx);

/* Add a member; NULL strings become null. */
void json_add_str(struct json_object *o, const char *key, const char *value);
void json_add_int(struct json_object *o, const char *key, int64_t value);
void json_add_bool(struct json_object *o, const char *key, bool value);

/*
 * json_print() - Print @o, indented, and a newline.
 *
 * Strings come from others: what a terminal would act on is printed as \uNNNN, bytes
 * that are not UTF-8 as \ufffd. Return: 0, -ENOMEM, what out_flush() returns.
 */
int json_print(struct json_object *o, FILE *f) _must_check_;

/* An array that is printed as it comes, since all of it may be too much for our memory: json_print() of one element at a time. */
struct json_stream {
	FILE *f;
	bool any; /* starts as false */
};
/* @o is taken, and may be NULL: there was no memory for it. Return: 0; -ENOMEM; -EIO it was not written, and json_stream_end() says why. */
int json_stream_add(struct json_stream *s, struct json_object *o) _must_check_;
/* Return: as json_print(). */
int json_stream_end(struct json_stream *s) _must_check_;

#endif
