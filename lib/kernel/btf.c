/* SPDX-License-Identifier: MIT */
#include "btf.h"

#include <errno.h>
#include <stdbool.h>

#include "cursor.h"

#define MAGIC        0xeb9f
#define HEADER       24
#define TYPE         12    /* name_off, info, size or type */
#define MEMBER       12    /* name_off, type, offset */
#define CHAIN_MAX    32    /* typedefs, qualifiers and arrays around a type */
#define DEPTH_MAX    8     /* anonymous structures in one another */
#define MEMBERS_MAX  65536 /* looked at for one member */
#define LOCATE_LEAST 65536 /* bytes of types that a kernel's own description has at least */

enum {
	KIND_INT = 1,
	KIND_PTR,
	KIND_ARRAY,
	KIND_STRUCT,
	KIND_UNION,
	KIND_ENUM,
	KIND_FWD,
	KIND_TYPEDEF,
	KIND_VOLATILE,
	KIND_CONST,
	KIND_RESTRICT,
	KIND_FUNC,
	KIND_FUNC_PROTO,
	KIND_VAR,
	KIND_DATASEC,
	KIND_FLOAT,
	KIND_DECL_TAG,
	KIND_TYPE_TAG,
	KIND_ENUM64,
	KINDS
};

struct type {
	const uint8_t *p;
	uint32_t name, kind, vlen, size; /* size, or the type that it refers to */
	bool flag;
};

static struct type type_of(const uint8_t *p)
{
	uint32_t info = kload32(p + 4);

	return (struct type){ .p = p,
			      .name = kload32(p),
			      .kind = info >> 24 & 31,
			      .vlen = info & 0xffff,
			      .size = kload32(p + 8),
			      .flag = info >> 31 };
}

/* Bytes of a type with all that follows it; 0 for a kind that is not known. */
static size_t type_bytes(const struct type *t)
{
	static const struct {
		uint8_t fixed, each;
	} more[KINDS] = {
		[KIND_INT] = { 4, 0 },         [KIND_ARRAY] = { 12, 0 },
		[KIND_STRUCT] = { 0, MEMBER }, [KIND_UNION] = { 0, MEMBER },
		[KIND_ENUM] = { 0, 8 },        [KIND_FUNC_PROTO] = { 0, 8 },
		[KIND_VAR] = { 4, 0 },         [KIND_DATASEC] = { 0, 12 },
		[KIND_DECL_TAG] = { 4, 0 },    [KIND_ENUM64] = { 0, 12 },
	};

	if (!t->kind || t->kind >= KINDS)
		return 0;
	return TYPE + more[t->kind].fixed + (size_t)more[t->kind].each * t->vlen;
}

/* Where types and strings are. */
static int parse_header(const uint8_t *data, size_t size, struct btf *ret)
{
	uint32_t hdr, type_off, type_len, str_off, str_len;
	size_t room;

	if (size < HEADER || kload16(data) != MAGIC || data[2] != 1)
		return -EPROTO;
	hdr = kload32(data + 4);
	type_off = kload32(data + 8);
	type_len = kload32(data + 12);
	str_off = kload32(data + 16);
	str_len = kload32(data + 20);
	if (hdr < HEADER || hdr > size || type_len > BTF_BYTES_MAX || str_len > BTF_BYTES_MAX)
		return -EPROTO;
	room = size - hdr;
	if (type_off > room || type_len > room - type_off || str_off > room ||
	    str_len > room - str_off)
		return -EPROTO;
	*ret = (struct btf){ .types = data + hdr + type_off,
			     .types_size = type_len,
			     .strings = data + hdr + str_off,
			     .strings_size = str_len };
	/* the first string is the empty one */
	if (!str_len || ret->strings[0] || ret->strings[str_len - 1])
		return -EPROTO;
	return 0;
}

int btf_locate(const struct kimage *k, const uint8_t **ret, size_t *ret_size)
{
	static const uint8_t word[] = { MAGIC & 0xff, MAGIC >> 8, 1, 0 };
	const uint8_t *p = k->data, *end = k->data + k->size;
	struct btf b;

	for (; (p = memmem(p, (size_t)(end - p), word, sizeof(word))); p++) {
		size_t room = (size_t)(end - p);

		if (parse_header(p, room, &b) < 0 || b.types_size < LOCATE_LEAST)
			continue;
		*ret = p;
		*ret_size = (size_t)((b.strings > b.types ? b.strings + b.strings_size
							  : b.types + b.types_size) -
				     p);
		return 0;
	}
	return -ENOENT;
}

static int scan(const struct btf *b, uint32_t *index, uint32_t room, uint32_t *ret)
{
	size_t off = 0;
	uint32_t n = 1; /* 0 is void */

	while (off < b->types_size) {
		struct type t;
		size_t bytes;

		if (b->types_size - off < TYPE)
			return -EPROTO;
		t = type_of(b->types + off);
		bytes = type_bytes(&t);
		if (!bytes || bytes > b->types_size - off || n >= BTF_TYPES_MAX ||
		    t.name >= b->strings_size)
			return -EPROTO;
		if (index) {
			if (n >= room)
				return -EPROTO;
			index[n] = (uint32_t)off;
		}
		n++;
		off += bytes;
	}
	*ret = n;
	return 0;
}

int btf_count(const uint8_t *data, size_t size, uint32_t *ret)
{
	struct btf b;
	int r = parse_header(data, size, &b);

	return r < 0 ? r : scan(&b, NULL, 0, ret);
}

int btf_open(struct btf *b, const uint8_t *data, size_t size, uint32_t *index, uint32_t count)
{
	struct btf made;
	int r = parse_header(data, size, &made);

	if (!r)
		r = scan(&made, index, count, &made.count);
	if (r < 0)
		return r;
	made.index = index;
	*b = made;
	return 0;
}

static const char *string(const struct btf *b, uint32_t off)
{
	return off < b->strings_size ? (const char *)b->strings + off : "";
}

static int get(const struct btf *b, uint32_t id, struct type *ret)
{
	if (!id || id >= b->count)
		return -EPROTO;
	*ret = type_of(b->types + b->index[id]);
	return 0;
}

static bool composite(const struct type *t)
{
	return t->kind == KIND_STRUCT || t->kind == KIND_UNION;
}

/* Behind typedefs and qualifiers. */
static int resolve(const struct btf *b, uint32_t id, struct type *ret)
{
	for (unsigned int i = 0; i < CHAIN_MAX; i++) {
		int r = get(b, id, ret);

		if (r < 0)
			return r;
		switch (ret->kind) {
		case KIND_TYPEDEF:
		case KIND_VOLATILE:
		case KIND_CONST:
		case KIND_RESTRICT:
		case KIND_TYPE_TAG:
			id = ret->size;
			break;
		default:
			return 0;
		}
	}
	return -EPROTO;
}

/* The structure whose name is the string at @off. */
static int find_by_offset(const struct btf *b, uint32_t off, uint32_t *ret)
{
	for (uint32_t id = 1; id < b->count; id++) {
		const uint8_t *p = b->types + b->index[id];
		struct type t;

		if (kload32(p) != off)
			continue;
		t = type_of(p);
		if (composite(&t)) {
			*ret = id;
			return 0;
		}
	}
	return -ENOENT;
}

/* Each string is there once, in all kernels seen: then only numbers are to be compared. The types are looked through but once. */
static int find_fast(const struct btf *b, const char *name, uint32_t *ret)
{
	const uint8_t *p = b->strings, *end = b->strings + b->strings_size;
	const size_t n = strlen(name) + 1;

	while ((p = memmem(p, (size_t)(end - p), name, n))) {
		if (p > b->strings && !p[-1])
			return find_by_offset(b, (uint32_t)(p - b->strings), ret);
		p++;
	}
	return -ENOENT;
}

int btf_find(const struct btf *b, const char *name, uint32_t *ret)
{
	if (!find_fast(b, name, ret))
		return 0;
	for (uint32_t id = 1; id < b->count; id++) {
		struct type t = type_of(b->types + b->index[id]);

		if (composite(&t) && !strcmp(string(b, t.name), name)) {
			*ret = id;
			return 0;
		}
	}
	return -ENOENT;
}

/* One anonymous structure that is being looked through. */
struct level {
	struct type t;
	uint32_t next;
	uint64_t bit;
};

static bool name_is(const char *s, const char *name, size_t len)
{
	return !strncmp(s, name, len) && !s[len];
}

/* The member @name of structure @outer, at any depth of anonymous ones. */
static int find_member(const struct btf *b, struct type outer, struct span name,
		       struct btf_member *ret)
{
	struct level level[DEPTH_MAX] = { { .t = outer } };
	unsigned int depth = 1, budget = MEMBERS_MAX;

	while (depth) {
		struct level *l = &level[depth - 1];
		const uint8_t *p = l->t.p + TYPE + (size_t)l->next * MEMBER;
		struct btf_member m;
		struct type t;
		uint32_t off;

		if (l->next == l->t.vlen) {
			depth--;
			continue;
		}
		if (!budget--)
			return -EPROTO;
		l->next++;
		off = kload32(p + 8);
		m = (struct btf_member){ .type = kload32(p + 4),
					 .bit = l->bit + (l->t.flag ? off & 0xffffff : off),
					 .bits = l->t.flag ? off >> 24 : 0 };
		if (name_is(string(b, kload32(p)), name.p, name.len)) {
			*ret = m;
			return 0;
		}
		if (*string(b, kload32(p)) || resolve(b, m.type, &t) < 0 || !composite(&t))
			continue;
		if (depth == DEPTH_MAX)
			return -EPROTO;
		level[depth++] = (struct level){ .t = t, .bit = m.bit };
	}
	return -ENOENT;
}

int btf_member(const struct btf *b, uint32_t type, const char *path, struct btf_member *ret)
{
	struct btf_member m = { .type = type };

	while (*path) {
		struct span name = { path, strcspn(path, ".") };
		struct btf_member inner;
		struct type t;
		int r = resolve(b, m.type, &t);

		if (r < 0)
			return r;
		if (!name.len || !composite(&t))
			return -ENOENT;
		r = find_member(b, t, name, &inner);
		if (r < 0)
			return r;
		inner.bit += m.bit;
		m = inner;
		path += name.len + (path[name.len] == '.');
	}
	*ret = m;
	return 0;
}

int btf_array(const struct btf *b, uint32_t type, uint32_t *ret_element, uint32_t *ret_n)
{
	struct type t;

	if (resolve(b, type, &t) < 0 || t.kind != KIND_ARRAY)
		return -ENOENT;
	*ret_element = kload32(t.p + TYPE);
	*ret_n = kload32(t.p + TYPE + 8);
	return 0;
}

int btf_size(const struct btf *b, uint32_t type, uint64_t *ret)
{
	uint64_t size = 1;

	for (unsigned int i = 0; i < CHAIN_MAX; i++) {
		struct type t;
		int r = resolve(b, type, &t);

		if (r < 0)
			return r;
		switch (t.kind) {
		case KIND_ARRAY:
			if (__builtin_mul_overflow(size, kload32(t.p + TYPE + 8), &size))
				return -EPROTO;
			type = kload32(t.p + TYPE);
			continue;
		case KIND_PTR:
			t.size = 8;
			break;
		case KIND_INT:
		case KIND_STRUCT:
		case KIND_UNION:
		case KIND_ENUM:
		case KIND_FLOAT:
		case KIND_ENUM64:
			break;
		default:
			return -EPROTO;
		}
		return __builtin_mul_overflow(size, t.size, ret) ? -EPROTO : 0;
	}
	return -EPROTO;
}
