/* SPDX-License-Identifier: MIT */
#include "fuse_req.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define XATTR_NAME_LEN 255

/* What a string may be. */
enum text {
	TEXT_NONE,
	TEXT_ENTRY,  /* one component of a path */
	TEXT_LOOKUP, /* or "." or "..", which the export of a file system looks up */
	TEXT_TARGET, /* of a symbolic link */
	TEXT_XATTR,
	TEXT_ANY /* FUSE_TMPFILE has one that means nothing */
};

enum data {
	DATA_NONE,
	DATA_WRITE,
	DATA_SETXATTR,
	DATA_IOCTL,
	DATA_FORGETS
};

struct shape {
	const char *name;
	uint16_t arg; /* bytes of the structure */
	uint8_t text[2];
	uint8_t data;
	bool silent;
};

static const struct shape shapes[FUSE_OPCODES] = {
	[FUSE_LOOKUP] = { "lookup", 0, { TEXT_LOOKUP } },
	[FUSE_FORGET] = { "forget", sizeof(struct fuse_forget_in), .silent = true },
	[FUSE_GETATTR] = { "getattr", sizeof(struct fuse_getattr_in) },
	[FUSE_SETATTR] = { "setattr", sizeof(struct fuse_setattr_in) },
	[FUSE_READLINK] = { "readlink" },
	[FUSE_SYMLINK] = { "symlink", 0, { TEXT_ENTRY, TEXT_TARGET } },
	[FUSE_MKNOD] = { "mknod", sizeof(struct fuse_mknod_in), { TEXT_ENTRY } },
	[FUSE_MKDIR] = { "mkdir", sizeof(struct fuse_mkdir_in), { TEXT_ENTRY } },
	[FUSE_UNLINK] = { "unlink", 0, { TEXT_ENTRY } },
	[FUSE_RMDIR] = { "rmdir", 0, { TEXT_ENTRY } },
	[FUSE_RENAME] = { "rename", sizeof(struct fuse_rename_in), { TEXT_ENTRY, TEXT_ENTRY } },
	[FUSE_LINK] = { "link", sizeof(struct fuse_link_in), { TEXT_ENTRY } },
	[FUSE_OPEN] = { "open", sizeof(struct fuse_open_in) },
	[FUSE_READ] = { "read", sizeof(struct fuse_read_in) },
	[FUSE_WRITE] = { "write", sizeof(struct fuse_write_in), .data = DATA_WRITE },
	[FUSE_STATFS] = { "statfs" },
	[FUSE_RELEASE] = { "release", sizeof(struct fuse_release_in) },
	[FUSE_FSYNC] = { "fsync", sizeof(struct fuse_fsync_in) },
	[FUSE_SETXATTR] = { "setxattr",
			    sizeof(struct fuse_setxattr_in),
			    { TEXT_XATTR },
			    DATA_SETXATTR },
	[FUSE_GETXATTR] = { "getxattr", sizeof(struct fuse_getxattr_in), { TEXT_XATTR } },
	[FUSE_LISTXATTR] = { "listxattr", sizeof(struct fuse_getxattr_in) },
	[FUSE_REMOVEXATTR] = { "removexattr", 0, { TEXT_XATTR } },
	[FUSE_FLUSH] = { "flush", sizeof(struct fuse_flush_in) },
	[FUSE_INIT] = { "init", sizeof(struct fuse_init_in) },
	[FUSE_OPENDIR] = { "opendir", sizeof(struct fuse_open_in) },
	[FUSE_READDIR] = { "readdir", sizeof(struct fuse_read_in) },
	[FUSE_RELEASEDIR] = { "releasedir", sizeof(struct fuse_release_in) },
	[FUSE_FSYNCDIR] = { "fsyncdir", sizeof(struct fuse_fsync_in) },
	[FUSE_GETLK] = { "getlk", sizeof(struct fuse_lk_in) },
	[FUSE_SETLK] = { "setlk", sizeof(struct fuse_lk_in) },
	[FUSE_SETLKW] = { "setlkw", sizeof(struct fuse_lk_in) },
	[FUSE_ACCESS] = { "access", sizeof(struct fuse_access_in) },
	[FUSE_CREATE] = { "create", sizeof(struct fuse_create_in), { TEXT_ENTRY } },
	[FUSE_INTERRUPT] = { "interrupt", sizeof(struct fuse_interrupt_in), .silent = true },
	[FUSE_BMAP] = { "bmap", sizeof(struct fuse_bmap_in) },
	[FUSE_DESTROY] = { "destroy" },
	[FUSE_IOCTL] = { "ioctl", sizeof(struct fuse_ioctl_in), .data = DATA_IOCTL },
	[FUSE_POLL] = { "poll", sizeof(struct fuse_poll_in) },
	[FUSE_NOTIFY_REPLY] = { "notify_reply", .silent = true },
	[FUSE_BATCH_FORGET] = { "batch_forget", sizeof(struct fuse_batch_forget_in),
				.data = DATA_FORGETS, .silent = true },
	[FUSE_FALLOCATE] = { "fallocate", sizeof(struct fuse_fallocate_in) },
	[FUSE_READDIRPLUS] = { "readdirplus", sizeof(struct fuse_read_in) },
	[FUSE_RENAME2] = { "rename2", sizeof(struct fuse_rename2_in), { TEXT_ENTRY, TEXT_ENTRY } },
	[FUSE_LSEEK] = { "lseek", sizeof(struct fuse_lseek_in) },
	[FUSE_COPY_FILE_RANGE] = { "copy_file_range", sizeof(struct fuse_copy_file_range_in) },
	[FUSE_SETUPMAPPING] = { "setupmapping" },
	[FUSE_REMOVEMAPPING] = { "removemapping" },
	[FUSE_SYNCFS] = { "syncfs", sizeof(struct fuse_syncfs_in) },
	[FUSE_TMPFILE] = { "tmpfile", sizeof(struct fuse_create_in), { TEXT_ANY } },
	[FUSE_STATX] = { "statx", sizeof(struct fuse_statx_in) },
	[FUSE_COPY_FILE_RANGE_64] = { "copy_file_range_64",
				      sizeof(struct fuse_copy_file_range_in) },
};

static const struct shape *shape_of(uint32_t opcode)
{
	return opcode < FUSE_OPCODES && shapes[opcode].name ? &shapes[opcode] : NULL;
}

const char *fuse_opcode_name(uint32_t opcode)
{
	const struct shape *s = shape_of(opcode);

	return s ? s->name : NULL;
}

bool fuse_opcode_silent(uint32_t opcode)
{
	const struct shape *s = shape_of(opcode);

	return s && s->silent;
}

/* Whether it is too long is for the file system to say: ENAMETOOLONG is an answer. */
static bool is_entry(const char *name, size_t len)
{
	return len && len < PATH_MAX && !memchr(name, '/', len) && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static bool text_ok(enum text kind, const char *name, size_t len)
{
	switch (kind) {
	case TEXT_ENTRY:
		return is_entry(name, len);
	case TEXT_LOOKUP:
		return is_entry(name, len) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
	case TEXT_TARGET:
		return len && len < PATH_MAX;
	case TEXT_XATTR:
		return len && len <= XATTR_NAME_LEN;
	default:
		return true;
	}
}

static const char *take_text(struct cursor *c, enum text kind)
{
	size_t left = cur_left(c);
	const char *start = left ? (const char *)c->data + c->off : NULL;
	const char *end = left ? memchr(start, 0, left) : NULL;

	if (!end || !text_ok(kind, start, (size_t)(end - start))) {
		c->bad = true;
		return NULL;
	}
	cur_skip(c, (size_t)(end - start) + 1);
	return start;
}

/* The kernel's structures grow only as negotiated, save that of FUSE_INIT, which says so itself. */
static size_t arg_size(const struct shape *s, const struct cursor *c, uint32_t opcode,
		       uint64_t flags)
{
	size_t left = cur_left(c);

	if (opcode == FUSE_SETXATTR && !(flags & FUSE_SETXATTR_EXT))
		return FUSE_SETXATTR_IN_OLD;
	if (opcode == FUSE_INIT && left < s->arg && left >= 2 * sizeof(uint32_t))
		return left;
	return s->arg;
}

static struct span take_data(struct cursor *c, enum data kind, const struct fuse_req *req)
{
	size_t len = 0;
	const void *p;

	if (kind == DATA_WRITE)
		len = req->in.write.size;
	else if (kind == DATA_SETXATTR)
		len = req->in.setxattr.size;
	else if (kind == DATA_IOCTL)
		len = req->in.ioctl.in_size;
	else if (kind == DATA_FORGETS)
		len = req->in.batch_forget.count * sizeof(struct fuse_forget_one);
	p = cur_take(c, len);
	return (struct span){ p, p ? len : 0 };
}

int fuse_req_parse(const void *msg, size_t size, uint64_t flags, struct fuse_req *ret)
{
	struct cursor c = cur_of(msg, size);
	const void *p = cur_take(&c, sizeof(ret->h));
	const struct shape *s;

	memset(ret, 0, sizeof(*ret));
	if (!p)
		return -EPROTO;
	memcpy(&ret->h, p, sizeof(ret->h));
	if (ret->h.len < sizeof(ret->h) || ret->h.len > size) {
		ret->h.len = 0;
		return -EPROTO;
	}
	if (ret->h.total_extlen > (ret->h.len - sizeof(ret->h)) / 8)
		return -EPROTO;
	c.size = ret->h.len - ret->h.total_extlen * (size_t)8;
	s = shape_of(ret->h.opcode);
	if (!s)
		return 0;
	size = arg_size(s, &c, ret->h.opcode, flags);
	p = cur_take(&c, size);
	/* What is not looked into has no place in the union. */
	if (p && size <= sizeof(ret->in))
		memcpy(&ret->in, p, size);
	for (size_t i = 0; i < ARRAY_SIZE(s->text) && s->text[i]; i++)
		ret->name[i] = take_text(&c, s->text[i]);
	ret->data = take_data(&c, s->data, ret);
	return cur_ok(&c) ? 0 : -EPROTO;
}
