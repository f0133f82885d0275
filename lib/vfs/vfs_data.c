/* SPDX-License-Identifier: MIT */
/* vfs_data.c - what is done with open files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ident.h"
#include "vfs_private.h"

int vfs_op_read(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_read_in *in = &c->req->in.read;
	ssize_t n;
	_cleanup_file_ struct file_ref f = { &v->files, vfs_file(v, c, in->fh, false) };

	if (!f.file)
		return -EBADF;
	if (in->size > c->out.room)
		return -EINVAL;
	n = pread(file_fd(f.file), c->out.buf, in->size, (off_t)in->offset);
	if (n < 0)
		return -errno;
	c->out.size = (size_t)n;
	return 0;
}

/* Append to what the file is by now: the kernel's idea of its end may be old. */
static int write_flags(uint32_t flags)
{
	int sync = (flags & O_SYNC) == O_SYNC ? RWF_SYNC : flags & O_DSYNC ? RWF_DSYNC : 0;

	return sync | (flags & O_APPEND ? RWF_APPEND : 0);
}

static ssize_t write_data(int fd, const struct fuse_req *req)
{
	const struct fuse_write_in *in = &req->in.write;
	bool cached = in->write_flags & FUSE_WRITE_CACHE;
	int flags = cached ? 0 : write_flags(in->flags);
	struct iovec iov = { (char *)(uintptr_t)req->data.p, req->data.len };

	/* Changed in a mapping, which the kernel would have refused of a file that can only be appended to. */
	if (cached && fcntl(fd, F_GETFL) & O_APPEND) {
		errno = EPERM;
		return -1;
	}
	return pwritev2(fd, &iov, 1, (off_t)in->offset, flags);
}

int vfs_op_write(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_write_in *in = &c->req->in.write;
	struct vfs_kill kill = { 0 };
	struct fuse_write_out *out;
	ssize_t n;
	int r = 0;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return vfs_is_stateless(v, c, false) ? -EROFS : -EBADF;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		r = vfs_kill_begin(c, c->req->h.nodeid, file_fd(f.file), &kill);
	else if (!(in->write_flags & FUSE_WRITE_CACHE))
		r = vfs_become_writer(c);
	n = r < 0 ? r : write_data(file_fd(f.file), c->req);
	if (n < 0 && r == 0)
		r = -errno;
	vfs_kill_end(c, &kill);
	if (r < 0)
		return r;
	f.file->writes++;
	f.file->written += (uint64_t)n;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->size = (uint32_t)n;
	return 0;
}

/* Of files and of directories. */
int vfs_op_fsync(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_fsync_in *in = &c->req->in.fsync;
	bool dir = c->req->h.opcode == FUSE_FSYNCDIR;
	_cleanup_file_ struct file_ref f = { &v->files, vfs_file(v, c, in->fh, dir) };

	if (!f.file)
		return -EBADF;
	if (in->fsync_flags & FUSE_FSYNC_FDATASYNC)
		return fdatasync(file_fd(f.file)) < 0 ? -errno : 0;
	return fsync(file_fd(f.file)) < 0 ? -errno : 0;
}

int vfs_op_fallocate(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_fallocate_in *in = &c->req->in.fallocate;
	struct vfs_kill kill = { 0 };
	int r = 0;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return vfs_is_stateless(v, c, false) ? -EROFS : -EBADF;
	/* The request does not say whether the caller's writes keep set-id bits; who is not root has no say. */
	if (c->req->h.uid != 0)
		r = vfs_kill_begin(c, c->req->h.nodeid, file_fd(f.file), &kill);
	if (r == 0 &&
	    fallocate(file_fd(f.file), (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0)
		r = -errno;
	vfs_kill_end(c, &kill);
	return r;
}

int vfs_op_lseek(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_lseek_in *in = &c->req->in.lseek;
	struct fuse_lseek_out *out;
	off_t off;
	_cleanup_file_ struct file_ref f = { &v->files, vfs_file(v, c, in->fh, false) };

	if (!f.file)
		return -EBADF;
	/* All else the kernel knows itself; and a directory's position is vfs_dir.c's. */
	if ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || f.file->dir)
		return -EINVAL;
	off = lseek(file_fd(f.file), (off_t)in->offset, (int)in->whence);
	if (off < 0)
		return -errno;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->offset = (uint64_t)off;
	return 0;
}

/* Return: how many bytes; -errno. */
static ssize_t copy_range(struct vfs *v, const struct fuse_call *c, size_t max)
{
	const struct fuse_copy_file_range_in *in = &c->req->in.copy;
	off_t from = (off_t)in->off_in, to = (off_t)in->off_out;
	size_t len = in->len < max ? in->len : max;
	struct vfs_kill kill = { 0 };
	ssize_t n;
	int r = 0;
	_cleanup_file_ struct file_ref a = { &v->files, file_get(&v->files, in->fh_in) };
	_cleanup_file_ struct file_ref b = { &v->files, file_get(&v->files, in->fh_out) };

	if (!a.file || !b.file)
		return vfs_is_stateless(v, c, false) ? -EROFS : -EBADF;
	/* As in vfs_op_fallocate(). */
	if (c->req->h.uid != 0)
		r = vfs_kill_begin(c, in->nodeid_out, file_fd(b.file), &kill);
	if (r < 0)
		return r;
	n = copy_file_range(file_fd(a.file), &from, file_fd(b.file), &to, len,
			    (unsigned int)in->flags);
	if (n < 0)
		n = -errno;
	vfs_kill_end(c, &kill);
	return n;
}

int vfs_op_copy_file_range(void *fs, struct fuse_call *c)
{
	/* The number of bytes copied has 32 bits here. */
	ssize_t n = copy_range(fs, c, UINT32_MAX & ~4095u);
	struct fuse_write_out *out;

	if (n < 0)
		return (int)n;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->size = (uint32_t)n;
	return 0;
}

int vfs_op_copy_file_range_64(void *fs, struct fuse_call *c)
{
	ssize_t n = copy_range(fs, c, INT64_MAX);
	struct fuse_copy_file_range_out *out;

	if (n < 0)
		return (int)n;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->bytes_copied = (uint64_t)n;
	return 0;
}

/* --- ioctl: those that read and set attributes; who may set them, the kernel has checked since 5.14 --- */

#define MINOR_FILEATTR 34

static size_t ioctl_size(uint32_t cmd, const struct fuse_params *p)
{
	bool may_set = p->minor >= MINOR_FILEATTR;

	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return sizeof(int); /* whatever its number says */
	case FS_IOC_FSGETXATTR:
		return sizeof(struct fsxattr);
	case FS_IOC_SETFLAGS:
		return may_set ? sizeof(int) : 0;
	case FS_IOC_FSSETXATTR:
		return may_set ? sizeof(struct fsxattr) : 0;
	default:
		return 0;
	}
}

int vfs_op_ioctl(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_ioctl_in *in = &c->req->in.ioctl;
	size_t size = ioctl_size(in->cmd, c->params);
	union {
		long flags; /* the kernel reads and writes an int */
		struct fsxattr attr;
	} arg = { 0 };
	struct fuse_ioctl_out *out;
	bool dir = in->flags & FUSE_IOCTL_DIR;
	_cleanup_file_ struct file_ref f = { &v->files, vfs_file(v, c, in->fh, dir) };

	if (!f.file)
		return -EBADF;
	if (!size || in->flags & (FUSE_IOCTL_COMPAT | FUSE_IOCTL_UNRESTRICTED))
		return -ENOTTY;
	memcpy(&arg, c->req->data.p ? c->req->data.p : "",
	       c->req->data.len < size ? c->req->data.len : size);
	if (ioctl(file_fd(f.file), in->cmd, &arg) < 0)
		return -errno;
	/* It changed the inode, of which the kernel knows nothing. */
	if (in->cmd == FS_IOC_SETFLAGS || in->cmd == FS_IOC_FSSETXATTR)
		(void)fuse_notify_inode(c->chan, c->req->h.nodeid, -1, 0);
	out = fuse_out_add(&c->out, sizeof(*out));
	if (in->out_size) {
		size = in->out_size < sizeof(arg) ? in->out_size : sizeof(arg);
		memcpy(fuse_out_add(&c->out, size), &arg, size);
	}
	return 0;
}
