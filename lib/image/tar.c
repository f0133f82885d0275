/* SPDX-License-Identifier: MIT */
/*
 * tar.c - the tar parser.
 *
 * A header is collected in t->block; read_header() checks it and either takes
 * it as an entry or, for the types that describe the next one ('x', 'L', 'K'),
 * collects its payload. header_to_entry() then lays pax over GNU over
 * the header's own fields. Formats: POSIX.1-2017 pax "ustar Interchange
 * Format" and "pax Extended Header"; the GNU tar manual, "Basic Tar Format".
 */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tar_pax.h"

#define WHY_SPARSE   "a sparse file, which images do not have"
#define WHY_LONG     "a name of more than 4095 bytes"
#define WHY_NOT_TAR  "not a tar archive"
#define WHY_CHECKSUM "a header with a wrong checksum"

struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* with the version: "ustar\0" "00", or GNU's "ustar  \0" */
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char unused[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

static int broken(struct tar *t, int code, const char *why)
{
	t->state = TAR_BROKEN;
	t->why = why;
	return -code;
}

/* Base-256: the first byte is 0x80 (positive) or 0xff (negative), the rest a big-endian number. */
static int base256(const char *field, size_t size, int64_t *ret)
{
	uint8_t first = (uint8_t)field[0];
	uint64_t fill = first == 0xff ? UINT64_MAX : 0, v = fill;

	if (first != 0x80 && first != 0xff)
		return -ERANGE;
	for (size_t i = 1; i < size; i++) {
		/* What is shifted out must be sign and nothing else. */
		if (size - i >= 8 && (uint8_t)field[i] != (uint8_t)fill)
			return -ERANGE;
		v = v << 8 | (uint8_t)field[i];
	}
	if (((int64_t)v < 0) != (fill != 0))
		return -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

/* Octal digits between blanks or NULs; an empty field is 0. */
static int number(const char *field, size_t size, int64_t *ret)
{
	size_t start = 0, end;
	uint64_t v = 0;
	int r;

	if (field[0] & 0x80)
		return base256(field, size, ret);
	while (start < size && field[start] == ' ')
		start++;
	for (end = start; end < size && field[end] != ' ' && field[end];)
		end++;
	for (size_t i = end; i < size; i++)
		if (field[i] != ' ' && field[i])
			return -EINVAL;
	if (start == end) {
		*ret = 0;
		return 0;
	}
	r = span_u64((struct span){ field + start, end - start }, 8, &v);
	if (r < 0 || v > INT64_MAX)
		return r < 0 ? r : -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

static int number_u32(const char *field, size_t size, uint32_t *ret)
{
	int64_t v;
	int r = number(field, size, &v);

	if (r < 0 || v < 0 || v > UINT32_MAX)
		return r < 0 ? r : -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

/* The sum of all bytes, the checksum itself as blanks. Some old writers added signed chars. */
static bool checksum_ok(const struct tar *t)
{
	const struct header *h = (const void *)t->block;
	int64_t want, sum = 0, signed_sum = 0;

	if (number(h->checksum, sizeof(h->checksum), &want) < 0)
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool own = i >= offsetof(struct header, checksum) &&
			   i < offsetof(struct header, type);

		sum += own ? ' ' : t->block[i];
		signed_sum += own ? ' ' : (int8_t)t->block[i];
	}
	return sum == want || signed_sum == want;
}

static bool block_is_zero(const struct tar *t)
{
	return !t->block[0] && !memcmp(t->block, t->block + 1, TAR_BLOCK - 1);
}

/* GNU's long name: the payload up to its NUL. */
static int gnu_name(struct tar *t, char *dst, bool *has)
{
	struct span s = { t->name_buf, strnlen(t->name_buf, t->meta_len) };

	*has = s.len != 0;
	return tar_path_set(dst, s);
}

static int meta_done(struct tar *t)
{
	int r = 0;

	t->state = TAR_AT_HEADER;
	if (t->meta_type == 'x')
		r = tar_pax_parse(t);
	else if (t->meta_type == 'L')
		r = gnu_name(t, t->gnu.path, &t->gnu.has_path);
	else if (t->meta_type == 'K')
		r = gnu_name(t, t->gnu.link, &t->gnu.has_link);
	if (!r)
		return 0;
	if (r == -EOPNOTSUPP)
		return broken(t, EOPNOTSUPP, WHY_SPARSE);
	if (r == -ENAMETOOLONG)
		return broken(t, ENAMETOOLONG, WHY_LONG);
	if (r == -E2BIG)
		return broken(t, E2BIG, "an entry with more than 64 extended attributes");
	return broken(t, EPROTO,
		      t->meta_type == 'x' ? "a malformed pax header" : "a malformed long name");
}

/* Each type has its own place, so that one may follow the other; the run has an end, so that they stop. */
static int meta_begin(struct tar *t, char type, uint64_t size)
{
	bool again = (type == 'x' && t->pax_seen) || (type == 'L' && t->gnu.has_path) ||
		     (type == 'K' && t->gnu.has_link);

	if (again || ++t->run > TAR_META_RUN)
		return broken(t, EPROTO, "extended headers without an entry");
	if (size > TAR_META_MAX)
		return broken(t, E2BIG, "an extended header of more than 1 MiB");
	if ((type == 'L' || type == 'K') && size > TAR_PATH_MAX)
		return broken(t, ENAMETOOLONG, WHY_LONG);
	if (type == 'x' && !t->pax_buf)
		t->pax_buf = malloc(TAR_META_MAX + 1);
	if (type == 'x' && !t->pax_buf)
		return broken(t, ENOMEM, "no memory");
	t->pax_seen |= type == 'x';
	t->meta = type == 'x' ? t->pax_buf : type == 'g' ? NULL : t->name_buf;
	t->meta_type = type;
	t->meta_len = 0;
	t->left = size;
	t->pad = (size_t)(-size % TAR_BLOCK);
	t->state = TAR_AT_META;
	return 0;
}

/* A field that ends with its NUL or with its last byte. */
static struct span text(const char *field, size_t size)
{
	return (struct span){ field, strnlen(field, size) };
}

/* A POSIX header may put the path's first part into its prefix; GNU keeps other things there. */
static void header_path(const struct header *h, char *dst)
{
	struct span name = text(h->name, sizeof(h->name));
	struct span prefix = text(h->prefix, sizeof(h->prefix));
	size_t len = 0;

	if (memcmp(h->magic, "ustar", 6) != 0)
		prefix.len = 0;
	if (prefix.len) {
		memcpy(dst, prefix.p, prefix.len);
		dst[prefix.len] = '/';
		len = prefix.len + 1;
	}
	memcpy(dst + len, name.p, name.len);
	dst[len + name.len] = '\0';
}

static int header_kind(const struct header *h, enum tar_kind *ret)
{
	switch (h->type) {
	case '\0':
	case '0':
	case '7': /* "contiguous": a plain file everywhere */
		*ret = TAR_FILE;
		return 0;
	case '1':
		*ret = TAR_HARDLINK;
		return 0;
	case '2':
		*ret = TAR_SYMLINK;
		return 0;
	case '3':
		*ret = TAR_CHAR;
		return 0;
	case '4':
		*ret = TAR_BLOCKDEV;
		return 0;
	case '5':
		*ret = TAR_DIR;
		return 0;
	case '6':
		*ret = TAR_FIFO;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int header_numbers(struct tar *t, int64_t *ret_size)
{
	const struct header *h = (const void *)t->block;
	struct tar_entry *en = &t->entry;

	if (number_u32(h->mode, sizeof(h->mode), &en->mode) < 0 ||
	    number(h->size, sizeof(h->size), ret_size) < 0 || *ret_size < 0 ||
	    number(h->mtime, sizeof(h->mtime), &en->mtime_s) < 0)
		return -EPROTO;
	/* The fields that pax may override need not make sense where it does. */
	if (number_u32(h->uid, sizeof(h->uid), &en->uid) < 0 && !t->pax.has_uid)
		return -EPROTO;
	if (number_u32(h->gid, sizeof(h->gid), &en->gid) < 0 && !t->pax.has_gid)
		return -EPROTO;
	en->major = en->minor = 0;
	if (h->type != '3' && h->type != '4')
		return 0;
	if (number_u32(h->major, sizeof(h->major), &en->major) < 0 ||
	    number_u32(h->minor, sizeof(h->minor), &en->minor) < 0)
		return -EPROTO;
	return 0;
}

/* Lay what the extended headers said over the header's own fields. */
static void apply_overrides(struct tar *t)
{
	struct tar_entry *en = &t->entry;
	const struct tar_over *pax = &t->pax, *gnu = &t->gnu;

	if (pax->has_path || gnu->has_path)
		tar_path_copy(en->path, gnu->has_path ? gnu->path : pax->path);
	if (pax->has_link || gnu->has_link)
		tar_path_copy(en->link, gnu->has_link ? gnu->link : pax->link);
	if (pax->has_size)
		en->size = pax->size;
	if (pax->has_uid)
		en->uid = pax->uid;
	if (pax->has_gid)
		en->gid = pax->gid;
	en->mtime_ns = 0;
	if (pax->has_mtime) {
		en->mtime_s = pax->mtime_s;
		en->mtime_ns = pax->mtime_ns;
	}
}

/* A name that ends with a slash is a directory: so said the seventh edition, which had no type for it. */
static void trim_slashes(struct tar_entry *en)
{
	size_t len = strlen(en->path);

	if (len > 1 && en->path[len - 1] == '/' && en->kind == TAR_FILE && !en->size)
		en->kind = TAR_DIR;
	while (len > 1 && en->path[len - 1] == '/')
		en->path[--len] = '\0';
}

static int header_to_entry(struct tar *t, int64_t size)
{
	const struct header *h = (const void *)t->block;
	struct tar_entry *en = &t->entry;
	struct span link = text(h->link, sizeof(h->link));

	if (header_kind(h, &en->kind) < 0)
		return broken(t, EOPNOTSUPP,
			      h->type == 'S' ? WHY_SPARSE : "an entry of unknown type");
	header_path(h, en->path);
	memcpy(en->link, link.p, link.len);
	en->link[link.len] = '\0';
	en->size = (uint64_t)size;
	en->mode &= 07777;
	apply_overrides(t);
	if (en->kind != TAR_FILE)
		en->size = 0; /* ustar: no payload, whatever the field says */
	trim_slashes(en);
	if (!en->path[0])
		return broken(t, EPROTO, "an entry without a name");
	if ((en->kind == TAR_HARDLINK || en->kind == TAR_SYMLINK) && !en->link[0])
		return broken(t, EPROTO, "a link without a target");
	t->left = en->size;
	t->pad = (size_t)(-en->size % TAR_BLOCK);
	t->state = TAR_AT_DATA;
	t->run = 0;
	t->pax_seen = t->pax.has_path = t->pax.has_link = false;
	t->pax.has_size = t->pax.has_uid = t->pax.has_gid = t->pax.has_mtime = false;
	t->gnu.has_path = t->gnu.has_link = false;
	return TAR_ENTRY;
}

static int read_header(struct tar *t)
{
	const struct header *h = (const void *)t->block;
	int64_t size;

	if (block_is_zero(t)) {
		if (t->zero_seen)
			t->state = TAR_AT_END;
		t->zero_seen = true;
		return t->state == TAR_AT_END ? TAR_END : 0;
	}
	if (t->zero_seen)
		return broken(t, EPROTO, "bytes after half of an end mark");
	if (!checksum_ok(t))
		return broken(t, EPROTO, t->off == TAR_BLOCK ? WHY_NOT_TAR : WHY_CHECKSUM);
	if (!t->pax_seen) /* the last entry's are dead: their buffer goes to the next one */
		t->entry.nxattrs = 0;
	if (header_numbers(t, &size) < 0)
		return broken(t, EPROTO, "a header with a malformed number");
	switch (h->type) {
	case 'x':
	case 'g':
	case 'L':
	case 'K':
		return meta_begin(t, h->type, (uint64_t)size);
	default:
		return header_to_entry(t, size);
	}
}

static size_t at_most(uint64_t want, size_t have)
{
	return want < have ? (size_t)want : have;
}

/* Collect @t->block. 1: it is complete. */
static int fill_block(struct tar *t, struct cursor *in)
{
	size_t n = at_most(TAR_BLOCK - t->have, cur_left(in));

	if (!n)
		return 0;
	memcpy(t->block + t->have, cur_take(in, n), n);
	t->have += n;
	t->off += n;
	if (t->have < TAR_BLOCK)
		return 0;
	t->have = 0;
	return 1;
}

/* Pass over the filling after a payload. 1: done. */
static int skip_pad(struct tar *t, struct cursor *in)
{
	size_t n = at_most(t->pad, cur_left(in));

	cur_skip(in, n);
	t->pad -= n;
	t->off += n;
	return !t->pad;
}

/* 1: the payload is complete. */
static int fill_meta(struct tar *t, struct cursor *in)
{
	size_t n = at_most(t->left, cur_left(in));

	if (n && t->meta)
		memcpy(t->meta + t->meta_len, in->data + in->off, n);
	cur_skip(in, n);
	t->meta_len += n;
	t->left -= n;
	t->off += n;
	return !t->left && skip_pad(t, in);
}

/* Payload, then its filling. 1: TAR_DATA; 0: all of it is through, or no bytes are left. */
static int take_data(struct tar *t, struct cursor *in, struct span *ret)
{
	size_t n = at_most(t->left, cur_left(in));

	if (n) {
		*ret = (struct span){ cur_take(in, n), n };
		t->left -= n;
		t->off += n;
		return 1;
	}
	if (!t->left && skip_pad(t, in))
		t->state = TAR_AT_HEADER;
	return 0;
}

int tar_next(struct tar *t, struct cursor *in, struct span *ret_data)
{
	int r;

	for (;;) {
		switch (t->state) {
		case TAR_AT_HEADER:
			if (!fill_block(t, in))
				return TAR_MORE;
			r = read_header(t);
			break;
		case TAR_AT_META:
			if (!fill_meta(t, in))
				return TAR_MORE;
			r = meta_done(t);
			break;
		case TAR_AT_DATA:
			if (take_data(t, in, ret_data))
				return TAR_DATA;
			r = 0;
			if (t->state == TAR_AT_DATA)
				return TAR_MORE;
			break;
		case TAR_AT_END:
			cur_skip(in, cur_left(in));
			return TAR_MORE;
		default:
			return -EPROTO;
		}
		if (r)
			return r;
	}
}

uint64_t tar_skippable(const struct tar *t)
{
	return t->state == TAR_AT_DATA ? t->left + t->pad : 0;
}

void tar_skipped(struct tar *t, uint64_t size)
{
	uint64_t payload = size < t->left ? size : t->left;

	t->left -= payload;
	t->pad -= at_most(size - payload, t->pad);
	t->off += size;
}

int tar_finish(struct tar *t)
{
	if (t->state == TAR_AT_END)
		return 0;
	if (t->state == TAR_AT_DATA && !t->left && !t->pad)
		return 0;
	if (t->state == TAR_AT_HEADER && !t->have && !t->pax_seen && !t->run && t->off)
		return 0;
	if (t->state == TAR_BROKEN)
		return -EPROTO;
	(void)broken(t, ENODATA, "the end comes too early");
	return -ENODATA;
}

void tar_init(struct tar *t)
{
	memset(t, 0, sizeof(*t));
}

void tar_fini(struct tar *t)
{
	free(t->pax_buf);
	t->pax_buf = NULL;
}
