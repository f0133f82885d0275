/* SPDX-License-Identifier: MIT */
/* vfs_attr.c - attributes of inodes and of the file system. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "ident.h"
#include "vfs_map.h"
#include "vfs_private.h"

#define NSEC UINT64_C(1000000000)

static uint64_t attr_ns(const struct vfs *v, const struct statx *stx)
{
	const struct node_mount m = node_mount_of(stx);

	return vfs_times(v, vfs_is_top(v, &m)).attr_ns;
}

int vfs_reply_attr(struct vfs *v, struct fuse_call *c, int fd)
{
	struct fuse_attr_out *out;
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0)
		return -errno;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->attr_valid = attr_ns(v, &stx) / NSEC;
	out->attr_valid_nsec = (uint32_t)(attr_ns(v, &stx) % NSEC);
	vfs_fill_attr(v, &stx, &out->attr);
	return 0;
}

int vfs_op_getattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);

	return r < 0 ? r : vfs_reply_attr(v, c, n.fd);
}

static struct fuse_sx_time sx_time(struct statx_timestamp t)
{
	return (struct fuse_sx_time){ t.tv_sec, t.tv_nsec, 0 };
}

int vfs_op_statx(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	const struct fuse_statx_in *in = &c->req->in.statx;
	int flags = AT_EMPTY_PATH | (int)(in->sx_flags & AT_STATX_SYNC_TYPE);
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	struct fuse_statx_out *out;
	struct node_mount m;
	struct statx s;

	if (r < 0)
		return r;
	if (statx(n.fd, "", flags, NODE_STATX_MASK, &s) < 0)
		return -errno;
	m = node_mount_of(&s);
	out = fuse_out_add(&c->out, sizeof(*out));
	out->attr_valid = attr_ns(v, &s) / NSEC;
	out->attr_valid_nsec = (uint32_t)(attr_ns(v, &s) % NSEC);
	out->stat = (struct fuse_statx){
		.mask = s.stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
		.blksize = s.stx_blksize,
		.attributes = s.stx_attributes,
		.attributes_mask = s.stx_attributes_mask,
		.nlink = s.stx_nlink,
		.uid = vfs_map_out(v->conf.users, s.stx_uid),
		.gid = vfs_map_out(v->conf.groups, s.stx_gid),
		.mode = s.stx_mode,
		.ino = vfs_ino(v, &m, s.stx_ino),
		.size = s.stx_size,
		.blocks = s.stx_blocks,
		.atime = sx_time(s.stx_atime),
		.btime = sx_time(s.stx_btime),
		.ctime = sx_time(s.stx_ctime),
		.mtime = sx_time(s.stx_mtime),
		.rdev_major = s.stx_rdev_major,
		.rdev_minor = s.stx_rdev_minor,
	};
	return 0;
}

/* --- setattr --- */

int vfs_kill_begin(const struct fuse_call *c, uint64_t nodeid, int fd, struct vfs_kill *ret)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : 0;

	/* The set-group-id bit of a file that its group may not execute is kept by who is in the group. */
	r = r ? r : vfs_become_writer(c);
	if (r < 0 || !(st.st_mode & (S_ISUID | S_ISGID)))
		return r;
	r = ident_drop_fsetid();
	if (r < 0)
		return r;
	*ret = (struct vfs_kill){ true, nodeid };
	return 0;
}

void vfs_kill_end(const struct fuse_call *c, const struct vfs_kill *k)
{
	if (!k->on)
		return;
	ident_restore_fsetid();
	if (k->tell)
		(void)fuse_notify_inode(c->chan, k->tell, -1, 0);
}

static int set_size(const struct fuse_call *c, const struct node_ref *n, struct file *f)
{
	const struct fuse_setattr_in *in = &c->req->in.setattr;
	_cleanup_close_ int fd = -1;
	struct vfs_kill kill = { 0 };
	int r = 0;

	if (n->node->type != S_IFREG >> 12)
		return n->node->type == S_IFDIR >> 12 ? -EISDIR : -EINVAL;
	if (!f) {
		fd = node_open(n, O_WRONLY | O_NONBLOCK);
		if (fd < 0)
			return take_fd(&fd);
	}
	if (in->valid & FATTR_KILL_SUIDGID)
		r = vfs_kill_begin(c, c->req->h.nodeid, n->fd, &kill);
	if (r == 0 && ftruncate(f ? file_fd(f) : fd, (off_t)in->size) < 0)
		r = -errno;
	vfs_kill_end(c, &kill);
	return r;
}

static struct timespec one_time(uint32_t valid, uint32_t set, uint32_t now, uint64_t sec,
				uint32_t nsec)
{
	if (valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (valid & set)
		return (struct timespec){ (time_t)sec, nsec };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(const struct node_ref *n, const struct fuse_setattr_in *in)
{
	const struct timespec times[2] = {
		one_time(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		one_time(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};

	return utimensat(n->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_owner(const struct node_ref *n, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(n->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_all(const struct fuse_call *c, const struct node_ref *n, struct file *f)
{
	const struct fuse_setattr_in *in = &c->req->in.setattr;
	int r = 0;

	/* The owner first: to change it takes set-uid bits away, which the new mode may bring. */
	if (in->valid & (FATTR_UID | FATTR_GID))
		r = set_owner(n, in);
	if (r == 0 && in->valid & FATTR_MODE &&
	    fchmodat(AT_FDCWD, fd_name(n->fd).text, in->mode & 07777, 0) < 0)
		r = -errno;
	if (r == 0 && in->valid & FATTR_SIZE)
		r = set_size(c, n, f);
	if (r == 0 && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		r = set_times(n, in);
	return r;
}

int vfs_op_setattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	_cleanup_file_ struct file_ref f = { .table = &v->files };
	const struct fuse_setattr_in *in = &c->req->in.setattr;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);

	if (r < 0)
		return r;
	if (in->valid & FATTR_FH && !vfs_is_stateless(v, c, false)) {
		f.file = file_get(&v->files, in->fh);
		if (!f.file)
			return -EBADF;
	}
	vfs_watch_setting(v, c->req->h.nodeid);
	r = set_all(c, &n, f.file);
	if (r == 0)
		r = vfs_reply_attr(v, c, n.fd);
	vfs_watch_setting(v, c->req->h.nodeid);
	return r;
}

/* --- the file system --- */

int vfs_op_statfs(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	struct fuse_statfs_out *out;
	struct statfs s;

	if (r < 0)
		return r;
	if (fstatfs(n.fd, &s) < 0)
		return -errno;
	out = fuse_out_add(&c->out, sizeof(*out));
	*out = (struct fuse_statfs_out){
		.blocks = s.f_blocks,
		.bfree = s.f_bfree,
		.bavail = s.f_bavail,
		.files = s.f_files,
		.ffree = s.f_ffree,
		.bsize = (uint32_t)s.f_bsize,
		.namelen = (uint32_t)s.f_namelen,
		.frsize = (uint32_t)s.f_frsize,
	};
	return 0;
}

int vfs_op_syncfs(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	_cleanup_close_ int fd = -1;
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, FUSE_ROOT_ID, &n);

	(void)c;
	if (r < 0)
		return r;
	fd = node_open(&n, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return take_fd(&fd);
	return syncfs(fd) < 0 ? -errno : 0;
}
