/* SPDX-License-Identifier: MIT */
#include "vfs_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "vfs_private.h"

#define RANGE_TEXT 40 /* three numbers */

uint32_t vfs_map_out(const struct proc_idmap *m, uint32_t id)
{
	uint32_t mapped;

	if (!m)
		return id;
	return proc_idmap_in(m, id, &mapped) < 0 ? VFS_NO_ID : mapped;
}

int vfs_map_in(const struct proc_idmap *m, uint32_t id, uint32_t *ret)
{
	if (m)
		return proc_idmap_out(m, id, ret) < 0 ? -EOVERFLOW : 0;
	*ret = id;
	return 0;
}

/* --- access lists: struct posix_acl_xattr_header and _entry of linux/posix_acl_xattr.h --- */

#define ACL_HEAD  4
#define ACL_ENTRY 8
#define ACL_USER  0x02
#define ACL_GROUP 0x08

static bool is_acl(const char *name)
{
	return name && (strcmp(name, "system.posix_acl_access") == 0 ||
			strcmp(name, "system.posix_acl_default") == 0);
}

/* In place. @in: on the way in. */
static int map_acl(const struct vfs *v, uint8_t *acl, size_t size, bool in)
{
	for (size_t off = ACL_HEAD; off <= size && size - off >= ACL_ENTRY; off += ACL_ENTRY) {
		uint16_t tag;
		uint32_t id;
		const struct proc_idmap *m;

		memcpy(&tag, acl + off, sizeof(tag));
		memcpy(&id, acl + off + 4, sizeof(id));
		if (tag != ACL_USER && tag != ACL_GROUP)
			continue;
		m = tag == ACL_USER ? v->conf.users : v->conf.groups;
		if (in && vfs_map_in(m, id, &id) < 0)
			return -EOVERFLOW;
		if (!in)
			id = vfs_map_out(m, id);
		if (id == VFS_NO_ID) /* the kernel would refuse the whole list */
			id = VFS_NOBODY;
		memcpy(acl + off + 4, &id, sizeof(id));
	}
	return 0;
}

/* --- requests --- */

static bool makes_something(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		return true;
	default:
		return false;
	}
}

/* Others than those who make something only have to be somebody. */
static int map_caller(const struct vfs *v, struct fuse_req *req)
{
	int r = vfs_map_in(v->conf.users, req->h.uid, &req->h.uid);

	if (r == 0)
		r = vfs_map_in(v->conf.groups, req->h.gid, &req->h.gid);
	if (r == 0 || makes_something(req->h.opcode))
		return r;
	req->h.uid = req->h.gid = VFS_NOBODY;
	return 0;
}

static int map_owner(const struct vfs *v, struct fuse_setattr_in *in)
{
	int r = 0;

	if (in->valid & FATTR_UID)
		r = vfs_map_in(v->conf.users, in->uid, &in->uid);
	if (r == 0 && in->valid & FATTR_GID)
		r = vfs_map_in(v->conf.groups, in->gid, &in->gid);
	return r;
}

/* Who may set it in the mount's user namespace would set it for all: file capabilities, labels. The former may go. */
static bool is_trusted(const struct fuse_req *req)
{
	const char *name = req->name[0];

	if (req->h.opcode == FUSE_SETXATTR)
		return strncmp(name, "security.", 9) == 0;
	return req->h.opcode == FUSE_REMOVEXATTR && strncmp(name, "security.", 9) == 0 &&
	       strcmp(name, "security.capability") != 0;
}

static int mapped_op(void *fs, struct fuse_call *c)
{
	_cleanup_free_ uint8_t *acl = NULL;
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	struct vfs *v = fs;
	int r = is_trusted(&req) ? -EPERM : map_caller(v, &req);

	if (r == 0 && req.h.opcode == FUSE_SETATTR)
		r = map_owner(v, &req.in.setattr);
	if (r == 0 && req.h.opcode == FUSE_SETXATTR && is_acl(req.name[0]) && req.data.len) {
		acl = malloc(req.data.len);
		if (!acl)
			return -ENOMEM;
		memcpy(acl, req.data.p, req.data.len);
		req.data.p = (const char *)acl;
		r = map_acl(v, acl, req.data.len, true);
	}
	if (r < 0)
		return r;
	sub.req = &req;
	r = vfs_fs.op[req.h.opcode](v, &sub);
	c->out = sub.out;
	if (r == 0 && req.h.opcode == FUSE_GETXATTR && req.in.getxattr.size && is_acl(req.name[0]))
		(void)map_acl(v, c->out.buf, c->out.size, false);
	return r;
}

static void mapped_forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	vfs_fs.forget(fs, nodeid, nlookup);
}

static void mapped_destroy(void *fs)
{
	vfs_fs.destroy(fs);
}

static int mapped_thread_start(void *fs)
{
	return vfs_fs.thread_start(fs);
}

/* All that vfs_fs has: a test compares the two. */
const struct fuse_fs vfs_mapped_fs = {
	.op = {
		[FUSE_LOOKUP] = mapped_op,
		[FUSE_GETATTR] = mapped_op,
		[FUSE_STATX] = mapped_op,
		[FUSE_SETATTR] = mapped_op,
		[FUSE_READLINK] = mapped_op,
		[FUSE_SYMLINK] = mapped_op,
		[FUSE_MKNOD] = mapped_op,
		[FUSE_MKDIR] = mapped_op,
		[FUSE_UNLINK] = mapped_op,
		[FUSE_RMDIR] = mapped_op,
		[FUSE_RENAME] = mapped_op,
		[FUSE_RENAME2] = mapped_op,
		[FUSE_LINK] = mapped_op,
		[FUSE_OPEN] = mapped_op,
		[FUSE_CREATE] = mapped_op,
		[FUSE_TMPFILE] = mapped_op,
		[FUSE_RELEASE] = mapped_op,
		[FUSE_READ] = mapped_op,
		[FUSE_WRITE] = mapped_op,
		[FUSE_FSYNC] = mapped_op,
		[FUSE_FALLOCATE] = mapped_op,
		[FUSE_LSEEK] = mapped_op,
		[FUSE_COPY_FILE_RANGE] = mapped_op,
		[FUSE_COPY_FILE_RANGE_64] = mapped_op,
		[FUSE_IOCTL] = mapped_op,
		[FUSE_SETXATTR] = mapped_op,
		[FUSE_GETXATTR] = mapped_op,
		[FUSE_LISTXATTR] = mapped_op,
		[FUSE_REMOVEXATTR] = mapped_op,
		[FUSE_OPENDIR] = mapped_op,
		[FUSE_READDIR] = mapped_op,
		[FUSE_READDIRPLUS] = mapped_op,
		[FUSE_RELEASEDIR] = mapped_op,
		[FUSE_FSYNCDIR] = mapped_op,
		[FUSE_STATFS] = mapped_op,
		[FUSE_SYNCFS] = mapped_op,
	},
	.forget = mapped_forget,
	.destroy = mapped_destroy,
	.thread_start = mapped_thread_start,
};

const struct fuse_fs *vfs_functions(const struct vfs *v)
{
	return v->conf.users || v->conf.groups ? &vfs_mapped_fs : &vfs_fs;
}

/* --- options --- */

static int parse_range(const char *text, struct proc_idrange *ret)
{
	uint64_t inside, outside, count;
	char end;

	if (strspn(text, "0123456789:") != strlen(text) ||
	    sscanf(text, "%10" SCNu64 ":%10" SCNu64 ":%10" SCNu64 "%c", &inside, &outside, &count,
		   &end) != 3 ||
	    inside > UINT32_MAX || outside > UINT32_MAX || count > UINT32_MAX)
		return -EINVAL;
	*ret = (struct proc_idrange){ .inside = (uint32_t)inside,
				      .outside = (uint32_t)outside,
				      .count = (uint32_t)count };
	return 0;
}

/* The text that the kernel would show of it is parsed: what overlaps is refused there. */
int vfs_map_add(struct proc_idmap **map, const char *text, struct err *e)
{
	struct proc_idmap *m = *map ? *map : calloc(1, sizeof(*m));
	_cleanup_free_ char *all = NULL;
	size_t len = 0;

	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	*map = m;
	if (m->n == PROC_IDMAP_MAX)
		return err_set(e, EINVAL, "more than %d ranges of ids", PROC_IDMAP_MAX);
	if (parse_range(text, &m->v[m->n]) < 0)
		return err_set(
			e, EINVAL,
			"'%.40s' is no range of ids: it wants ON-THE-MOUNT:IN-THE-TREE:COUNT",
			text);
	m->n++;
	all = malloc(m->n * RANGE_TEXT + 1);
	if (!all)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n; i++)
		len += (size_t)snprintf(all + len, RANGE_TEXT, "%u %u %u\n", m->v[i].inside,
					m->v[i].outside, m->v[i].count);
	if (proc_idmap_parse(all, len, m) < 0)
		return err_set(e, EINVAL,
			       "the range of ids '%.40s' is empty, too large, or overlaps another",
			       text);
	return 0;
}
