/* SPDX-License-Identifier: MIT */
/* vfs_lookup.c - names become nodes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "vfs_map.h"
#include "vfs_private.h"

#define NSEC UINT64_C(1000000000)
/* A path in one file system is not deeper: a bound for the way up to the root. */
#define DEPTH_MAX PATH_MAX

bool vfs_is_top(const struct vfs *v, const struct node_mount *m)
{
	/* The root's mount is the first, and its entry does not change. */
	return node_mount_same(m, &v->nodes.mount[0]);
}

uint64_t vfs_ino(const struct vfs *v, const struct node_mount *m, uint64_t ino)
{
	return vfs_is_top(v, m) ? ino : ino ^ (m->id ^ m->dev * UINT64_C(0x9e3779b1)) << 40;
}

void vfs_fill_attr(const struct vfs *v, const struct statx *s, struct fuse_attr *ret)
{
	const struct node_mount m = node_mount_of(s);

	*ret = (struct fuse_attr){
		.ino = vfs_ino(v, &m, s->stx_ino),
		.size = s->stx_size,
		.blocks = s->stx_blocks,
		.atime = (uint64_t)s->stx_atime.tv_sec,
		.mtime = (uint64_t)s->stx_mtime.tv_sec,
		.ctime = (uint64_t)s->stx_ctime.tv_sec,
		.atimensec = s->stx_atime.tv_nsec,
		.mtimensec = s->stx_mtime.tv_nsec,
		.ctimensec = s->stx_ctime.tv_nsec,
		.mode = s->stx_mode,
		.nlink = s->stx_nlink,
		.uid = vfs_map_out(v->conf.users, s->stx_uid),
		.gid = vfs_map_out(v->conf.groups, s->stx_gid),
		.rdev = (s->stx_rdev_minor & 0xff) | s->stx_rdev_major << 8 |
			(s->stx_rdev_minor & ~0xffu) << 12,
		.blksize = s->stx_blksize,
	};
}

static void fill_entry(const struct vfs *v, uint64_t id, const struct statx *stx,
		       struct fuse_entry_out *ret)
{
	const struct node_mount m = node_mount_of(stx);
	const struct vfs_times t = vfs_times(v, vfs_is_top(v, &m));

	*ret = (struct fuse_entry_out){ .nodeid = id,
					.entry_valid = t.entry_ns / NSEC,
					.entry_valid_nsec = (uint32_t)(t.entry_ns % NSEC),
					.attr_valid = t.attr_ns / NSEC,
					.attr_valid_nsec = (uint32_t)(t.attr_ns % NSEC) };
	/* Of a socket each connect() is to be a lookup. */
	if (v->conf.carry_sockets && S_ISSOCK(stx->stx_mode))
		ret->entry_valid = ret->entry_valid_nsec = 0;
	vfs_fill_attr(v, stx, &ret->attr);
}

static int lookup_path(struct vfs *v, int path, struct fuse_entry_out *ret)
{
	struct statx stx;
	uint64_t id;
	int r;

	if (statx(path, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0) {
		r = -errno;
		(void)close(path);
		return r;
	}
	r = nodes_add(&v->nodes, &stx, path, true, &id);
	if (r == 0)
		fill_entry(v, id, &stx, ret);
	return r;
}

int vfs_lookup(struct vfs *v, int dir, const char *name, struct fuse_entry_out *ret)
{
	struct statx stx;
	uint64_t id;
	int path;

	/* One call is enough for a node that is known. */
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW, NODE_STATX_MASK, &stx) < 0)
		return -errno;
	id = nodes_find(&v->nodes, &stx);
	if (id) {
		fill_entry(v, id, &stx, ret);
		return 0;
	}
	path = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return path < 0 ? -errno : lookup_path(v, path, ret);
}

int vfs_lookup_fd(struct vfs *v, int fd, struct fuse_entry_out *ret)
{
	struct statx stx;
	uint64_t id;
	int r;

	if (statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0)
		return -errno;
	r = nodes_add(&v->nodes, &stx, fd, false, &id);
	if (r == 0)
		fill_entry(v, id, &stx, ret);
	return r;
}

/* --- the export of the mount: a node that the kernel knows by its file handle alone --- */

static int lookup_self(struct vfs *v, const struct node_ref *n, struct fuse_entry_out *ret)
{
	struct statx stx;

	if (statx(n->fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0)
		return -errno;
	fill_entry(v, node_again(n), &stx, ret);
	return 0;
}

static bool same_dir(const struct statx *a, const struct statx *b)
{
	const struct node_mount ma = node_mount_of(a), mb = node_mount_of(b);

	return a->stx_ino == b->stx_ino && node_mount_same(&ma, &mb);
}

/* Is @dir in the tree? It was when we got it, but may have been moved out. */
static int in_tree(struct vfs *v, int dir)
{
	_cleanup_node_ struct node_ref root = { 0 };
	_cleanup_close_ int up = -1;
	struct statx top, stx = { 0 };
	int r = node_ref(&v->nodes, FUSE_ROOT_ID, &root);

	if (r < 0)
		return r;
	if (statx(root.fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &top) < 0)
		return -errno;
	for (unsigned int i = 0; i < DEPTH_MAX; i++) {
		struct statx last = stx;
		int next;

		if (statx(up < 0 ? dir : up, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0)
			return -errno;
		if (same_dir(&stx, &top))
			return 0;
		if (i && same_dir(&stx, &last))
			break;
		next = openat(up < 0 ? dir : up, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			return -errno;
		if (up >= 0)
			(void)close(up);
		up = next;
	}
	return -ESTALE;
}

static int lookup_parent(struct vfs *v, const struct node_ref *n, struct fuse_entry_out *ret)
{
	int up, r;

	if (n->node->index == FUSE_ROOT_ID)
		return -ESTALE;
	up = openat(n->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (up < 0)
		return -errno;
	r = in_tree(v, up);
	if (r < 0) {
		(void)close(up);
		return r;
	}
	return lookup_path(v, up, ret);
}

/* --- requests --- */

int vfs_reply_lookup(struct fuse_call *c, int r, const struct fuse_entry_out *entry,
		     uint64_t negative_ns)
{
	const struct fuse_entry_out missing = { .entry_valid = negative_ns / NSEC,
						.entry_valid_nsec =
							(uint32_t)(negative_ns % NSEC) };

	if (r == -ENOENT && negative_ns) {
		entry = &missing;
		r = 0;
	}
	if (r == 0)
		memcpy(fuse_out_add(&c->out, sizeof(*entry)), entry, sizeof(*entry));
	return r;
}

int vfs_op_lookup(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	const char *name = c->req->name[0];
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);
	struct fuse_entry_out out = { 0 };

	if (r < 0)
		return r;
	if (strcmp(name, ".") == 0) {
		r = lookup_self(v, &dir, &out);
	} else if (strcmp(name, "..") == 0) {
		r = lookup_parent(v, &dir, &out);
	} else {
		r = vfs_lookup(v, dir.fd, name, &out);
		if (r == 0)
			nodes_listed(&dir, out.nodeid, false);
	}
	return vfs_reply_lookup(c, r, &out, vfs_times(v, dir.node->mount == 0).negative_ns);
}

int vfs_op_readlink(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	ssize_t len;

	if (r < 0)
		return r;
	len = readlinkat(n.fd, "", (char *)c->out.buf, PATH_MAX);
	if (len < 0)
		return -errno;
	c->out.size = (size_t)len;
	return 0;
}
