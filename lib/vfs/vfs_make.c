/* SPDX-License-Identifier: MIT */
/* vfs_make.c - names that come, go and move. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs_private.h"

/* The reply to whatever made @name. */
static int reply_entry(struct vfs *v, struct fuse_call *c, int dir, const char *name)
{
	struct fuse_entry_out out;
	int r = vfs_lookup(v, dir, name, &out);

	if (r == 0)
		memcpy(fuse_out_add(&c->out, sizeof(out)), &out, sizeof(out));
	return r;
}

int vfs_op_symlink(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = vfs_become(c, 0);
	if (r == 0 && symlinkat(c->req->name[1], dir.fd, c->req->name[0]) < 0)
		r = -errno;
	return r < 0 ? r : reply_entry(v, c, dir.fd, c->req->name[0]);
}

int vfs_op_mknod(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	const struct fuse_mknod_in *in = &c->req->in.mknod;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = vfs_become(c, in->umask);
	if (r == 0 && v->conf.carry_sockets && S_ISSOCK(in->mode))
		r = vfs_sockets_make(dir.fd, c->req->name[0], in->mode);
	/* The protocol's form of a device number is that of 32-bit Linux, which the call takes, too. */
	else if (r == 0 && mknodat(dir.fd, c->req->name[0], in->mode, in->rdev) < 0)
		r = -errno;
	return r < 0 ? r : reply_entry(v, c, dir.fd, c->req->name[0]);
}

int vfs_op_mkdir(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	const struct fuse_mkdir_in *in = &c->req->in.mkdir;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = vfs_become(c, in->umask);
	if (r == 0 && mkdirat(dir.fd, c->req->name[0], in->mode) < 0)
		r = -errno;
	return r < 0 ? r : reply_entry(v, c, dir.fd, c->req->name[0]);
}

static int unlink_at(void *fs, const struct fuse_call *c, int flags)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r < 0)
		return r;
	return unlinkat(dir.fd, c->req->name[0], flags) < 0 ? -errno : 0;
}

int vfs_op_unlink(void *fs, struct fuse_call *c)
{
	return unlink_at(fs, c, 0);
}

int vfs_op_rmdir(void *fs, struct fuse_call *c)
{
	return unlink_at(fs, c, AT_REMOVEDIR);
}

static int rename_at(struct vfs *v, const struct fuse_call *c, uint64_t newdir, unsigned int flags)
{
	_cleanup_node_ struct node_ref from = { 0 }, to = { 0 };
	int r = node_ref(&v->nodes, c->req->h.nodeid, &from);

	if (r == 0)
		r = node_ref(&v->nodes, newdir, &to);
	/* RENAME_WHITEOUT makes a node. */
	if (r == 0)
		r = vfs_become(c, 0);
	if (r < 0)
		return r;
	return renameat2(from.fd, c->req->name[0], to.fd, c->req->name[1], flags) < 0 ? -errno : 0;
}

int vfs_op_rename(void *fs, struct fuse_call *c)
{
	return rename_at(fs, c, c->req->in.rename.newdir, 0);
}

int vfs_op_rename2(void *fs, struct fuse_call *c)
{
	return rename_at(fs, c, c->req->in.rename2.newdir, c->req->in.rename2.flags);
}

int vfs_op_link(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 }, old = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = node_ref(&v->nodes, c->req->in.link.oldnodeid, &old);
	/* By descriptor: this is also how a file of O_TMPFILE gets its name. */
	if (r == 0 && linkat(old.fd, "", dir.fd, c->req->name[0], AT_EMPTY_PATH) < 0)
		r = -errno;
	return r < 0 ? r : reply_entry(v, c, dir.fd, c->req->name[0]);
}
