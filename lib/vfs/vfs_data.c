/* SPDX-License-Identifier: MIT */
/* vfs_data.c - what is done with open files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ident.h"
#include "vfs_private.h"

int vfs_op_read(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_read_in *in = &c->req->in.read;
	ssize_t n;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	if (in->size > c->out.room)
		return -EINVAL;
	n = pread(f.file->fd, c->out.buf, in->size, (off_t)in->offset);
	if (n < 0)
		return -errno;
	c->out.size = (size_t)n;
	return 0;
}

/* Append to what the file is by now: the kernel's idea of its end may be old. */
static ssize_t write_data(int fd, const struct fuse_req *req)
{
	const struct fuse_write_in *in = &req->in.write;
	bool append = in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE);
	struct iovec iov = { (char *)(uintptr_t)req->data.p, req->data.len };

	return pwritev2(fd, &iov, 1, (off_t)in->offset, append ? RWF_APPEND : 0);
}

bool vfs_has_suid(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID);
}

int vfs_op_write(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_write_in *in = &c->req->in.write;
	bool kill = in->write_flags & FUSE_WRITE_KILL_SUIDGID, had = false;
	struct fuse_write_out *out;
	ssize_t n;
	int r = 0;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	if (kill) {
		had = vfs_has_suid(f.file->fd);
		r = ident_drop_fsetid();
	}
	n = r < 0 ? r : write_data(f.file->fd, c->req);
	if (n < 0 && r == 0)
		r = -errno;
	if (kill)
		ident_restore_fsetid();
	if (r < 0)
		return r;
	/* The kernel expects another size and time only. */
	if (had)
		(void)fuse_notify_inode(c->chan, c->req->h.nodeid, -1, 0);
	out = fuse_out_add(&c->out, sizeof(*out));
	out->size = (uint32_t)n;
	return 0;
}

/* Of files and of directories. */
int vfs_op_fsync(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_fsync_in *in = &c->req->in.fsync;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	if (in->fsync_flags & FUSE_FSYNC_FDATASYNC)
		return fdatasync(f.file->fd) < 0 ? -errno : 0;
	return fsync(f.file->fd) < 0 ? -errno : 0;
}

int vfs_op_fallocate(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_fallocate_in *in = &c->req->in.fallocate;
	int r = 0;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	if (fallocate(f.file->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0)
		r = -errno;
	return r;
}

int vfs_op_lseek(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	const struct fuse_lseek_in *in = &c->req->in.lseek;
	struct fuse_lseek_out *out;
	off_t off;
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	/* All else the kernel knows itself; and a directory's position is vfs_dir.c's. */
	if ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || f.file->dir)
		return -EINVAL;
	off = lseek(f.file->fd, (off_t)in->offset, (int)in->whence);
	if (off < 0)
		return -errno;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->offset = (uint64_t)off;
	return 0;
}

static ssize_t copy_range(struct vfs *v, const struct fuse_copy_file_range_in *in, size_t max)
{
	off_t from = (off_t)in->off_in, to = (off_t)in->off_out;
	size_t len = in->len < max ? in->len : max;
	ssize_t n;
	_cleanup_file_ struct file_ref a = { &v->files, file_get(&v->files, in->fh_in) };
	_cleanup_file_ struct file_ref b = { &v->files, file_get(&v->files, in->fh_out) };

	if (!a.file || !b.file)
		return -EBADF;
	n = copy_file_range(a.file->fd, &from, b.file->fd, &to, len, (unsigned int)in->flags);
	return n < 0 ? -errno : n;
}

int vfs_op_copy_file_range(void *fs, struct fuse_call *c)
{
	/* The number of bytes copied has 32 bits here. */
	ssize_t n = copy_range(fs, &c->req->in.copy, UINT32_MAX & ~4095u);
	struct fuse_write_out *out;

	if (n < 0)
		return (int)n;
	out = fuse_out_add(&c->out, sizeof(*out));
	out->size = (uint32_t)n;
	return 0;
}

int vfs_op_copy_file_range_64(void *fs, struct fuse_call *c)
{
	ssize_t n = copy_range(fs, &c->req->in.copy, INT64_MAX);
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
	_cleanup_file_ struct file_ref f = { &v->files, file_get(&v->files, in->fh) };

	if (!f.file)
		return -EBADF;
	if (!size || in->flags & (FUSE_IOCTL_COMPAT | FUSE_IOCTL_UNRESTRICTED))
		return -ENOTTY;
	memcpy(&arg, c->req->data.p ? c->req->data.p : "",
	       c->req->data.len < size ? c->req->data.len : size);
	if (ioctl(f.file->fd, in->cmd, &arg) < 0)
		return -errno;
	out = fuse_out_add(&c->out, sizeof(*out));
	if (in->out_size) {
		size = in->out_size < sizeof(arg) ? in->out_size : sizeof(arg);
		memcpy(fuse_out_add(&c->out, size), &arg, size);
	}
	return 0;
}
