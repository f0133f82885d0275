/* SPDX-License-Identifier: MIT */
/* tar_pax.c - pax extended headers: POSIX.1-2017 pax, "pax Header Block" and "pax Extended Header". */
#include "tar_pax.h"

#include <errno.h>
#include <string.h>

int tar_path_set(char *dst, struct span s)
{
	if (memchr(s.p, '\0', s.len))
		return -EPROTO;
	if (s.len >= TAR_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}

static int pax_path(char *dst, bool *has, struct span value)
{
	int r = tar_path_set(dst, value);

	*has = r == 0 && value.len; /* an empty value takes back what was said before */
	return r;
}

static int pax_u32(uint32_t *dst, bool *has, struct span value)
{
	uint64_t v;
	int r;

	*has = false;
	if (!value.len)
		return 0;
	r = span_u64(value, 10, &v);
	if (r < 0 || v > UINT32_MAX)
		return r < 0 ? r : -ERANGE;
	*dst = (uint32_t)v;
	*has = true;
	return 0;
}

static int pax_size(struct tar_over *o, struct span value)
{
	int r;

	o->has_size = false;
	if (!value.len)
		return 0;
	r = span_u64(value, 10, &o->size);
	if (r < 0 || o->size > INT64_MAX)
		return r < 0 ? r : -ERANGE;
	o->has_size = true;
	return 0;
}

/* "[-]SECONDS[.FRACTION]"; digits beyond the nanosecond are dropped. */
static int pax_mtime(struct tar_over *o, struct span value)
{
	bool negative = value.len && value.p[0] == '-';
	struct cursor c = cur_of(value.p + negative, value.len - negative);
	struct span whole, fraction = { "", 0 };
	uint64_t s;
	uint32_t ns = 0;

	o->has_mtime = false;
	if (!value.len)
		return 0;
	if (!cur_until(&c, '.', &whole) || span_u64(whole, 10, &s) < 0 || s > INT64_MAX / 2)
		return -EINVAL;
	if (cur_left(&c))
		fraction = (struct span){ (const char *)c.data + c.off, cur_left(&c) };
	for (size_t i = 0; i < fraction.len; i++)
		if (fraction.p[i] < '0' || fraction.p[i] > '9')
			return -EINVAL;
	for (size_t i = 0; i < 9; i++)
		ns = ns * 10 + (i < fraction.len ? (uint32_t)(fraction.p[i] - '0') : 0);
	o->mtime_s = negative ? -(int64_t)s : (int64_t)s;
	if (negative && ns) {
		o->mtime_s--;
		ns = 1000000000 - ns;
	}
	o->mtime_ns = ns;
	o->has_mtime = true;
	return 0;
}

/* @key is NUL-terminated in t->pax_buf, which is ours; @value stays there until the next entry. */
static int pax_xattr(struct tar *t, const char *name, struct span value)
{
	struct tar_entry *en = &t->entry;

	if (!*name)
		return -EPROTO;
	if (en->nxattrs == TAR_XATTRS_MAX)
		return -E2BIG;
	en->xattr[en->nxattrs++] = (struct tar_xattr){ name, value };
	return 0;
}

static int pax_record(struct tar *t, const char *key, struct span value)
{
	static const char xattr[] = "SCHILY.xattr.", sparse[] = "GNU.sparse.";
	struct tar_over *o = &t->pax;

	if (!strcmp(key, "path"))
		return pax_path(o->path, &o->has_path, value);
	if (!strcmp(key, "linkpath"))
		return pax_path(o->link, &o->has_link, value);
	if (!strcmp(key, "size"))
		return pax_size(o, value);
	if (!strcmp(key, "uid"))
		return pax_u32(&o->uid, &o->has_uid, value);
	if (!strcmp(key, "gid"))
		return pax_u32(&o->gid, &o->has_gid, value);
	if (!strcmp(key, "mtime"))
		return pax_mtime(o, value);
	if (!strncmp(key, xattr, strlen(xattr)))
		return pax_xattr(t, key + strlen(xattr), value);
	if (!strncmp(key, sparse, strlen(sparse)))
		return -EOPNOTSUPP;
	return 0; /* atime, uname, comment...: nothing we need */
}

int tar_pax_parse(struct tar *t)
{
	struct cursor c = cur_of(t->pax_buf, t->meta_len);
	struct span digits;

	while (cur_left(&c)) {
		size_t start = c.off, head;
		struct span kv;
		uint64_t len;
		char *eq;
		int r;

		if (!cur_until(&c, ' ', &digits) || span_u64(digits, 10, &len) < 0)
			return -EPROTO;
		head = c.off - start;
		if (len <= head || len - head > cur_left(&c))
			return -EPROTO;
		kv = (struct span){ t->pax_buf + c.off, len - head };
		cur_skip(&c, kv.len);
		if (kv.p[--kv.len] != '\n')
			return -EPROTO;
		eq = memchr(kv.p, '=', kv.len);
		if (!eq || eq == kv.p || memchr(kv.p, '\0', (size_t)(eq - kv.p)))
			return -EPROTO;
		*eq = '\0';
		r = pax_record(t, kv.p, (struct span){ eq + 1, kv.len - (size_t)(eq + 1 - kv.p) });
		if (r < 0)
			return r;
	}
	return 0;
}
