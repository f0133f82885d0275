/* SPDX-License-Identifier: MIT */
#include "fuse_out.h"

#include <assert.h>
#include <string.h>

#include "abi/fuse.h"

void *fuse_out_add(struct fuse_out *o, size_t size)
{
	void *p = o->buf + o->size;

	assert(size <= o->room - o->size);
	memset(p, 0, size);
	o->size += size;
	return p;
}

static size_t entry_size(const struct fuse_out_name *n, bool plus)
{
	size_t size = sizeof(struct fuse_dirent) + n->name.len;

	return ((size + 7) & ~(size_t)7) + (plus ? sizeof(struct fuse_entry_out) : 0);
}

bool fuse_out_fits(const struct fuse_out *o, const struct fuse_out_name *n, bool plus, size_t limit)
{
	size_t room = limit < o->room ? limit : o->room;

	return o->size <= room && entry_size(n, plus) <= room - o->size;
}

void fuse_out_entry(struct fuse_out *o, const struct fuse_out_name *n,
		    const struct fuse_entry_out *plus)
{
	const struct fuse_dirent d = { n->ino, n->off, (uint32_t)n->name.len, n->type };

	if (plus)
		memcpy(fuse_out_add(o, sizeof(*plus)), plus, sizeof(*plus));
	memcpy(fuse_out_add(o, sizeof(d)), &d, sizeof(d));
	memcpy(fuse_out_add(o, entry_size(n, false) - sizeof(d)), n->name.p, n->name.len);
}
