/* SPDX-License-Identifier: MIT */
#include "fuse_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi/fuse.h"
#include "cleanup.h"

static struct fuse_dev *dev_of(struct fuse_chan *c)
{
	return (struct fuse_dev *)c; /* its first member */
}

static ssize_t dev_receive(struct fuse_chan *c, void *buf, size_t size)
{
	ssize_t n = read(dev_of(c)->fd, buf, size);

	if (n >= 0)
		return n;
	/* ENOENT: the request was interrupted before it was taken. */
	if (errno == EINTR || errno == ENOENT || errno == EAGAIN)
		return -EAGAIN;
	/* Unmounted; or aborted, and the kernel was asked to tell the two apart. */
	return errno == ENODEV || errno == ECONNABORTED ? 0 : -errno;
}

/* The kernel pins the memory of each part: what is short is cheaper in one. */
#define ONE_PIECE 256

static ssize_t send_once(int fd, const struct iovec *iov, int n)
{
	_Alignas(ONE_PIECE) uint8_t piece[ONE_PIECE];
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(piece) - at)
			return writev(fd, iov, n);
		memcpy(piece + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return write(fd, piece, at);
}

static int dev_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	ssize_t r;

	do
		r = send_once(dev_of(c)->fd, iov, n);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != ENODEV ? -errno : 0;
}

static int dev_backing_open(struct fuse_chan *c, int fd)
{
	struct fuse_backing_map map = { .fd = fd };
	int id = ioctl(dev_of(c)->fd, FUSE_DEV_IOC_BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

static void dev_backing_close(struct fuse_chan *c, int id)
{
	(void)ioctl(dev_of(c)->fd, FUSE_DEV_IOC_BACKING_CLOSE, &id);
}

static const struct fuse_transport dev_transport = {
	.receive = dev_receive,
	.send = dev_send,
	.late = true,
	.backing_open = dev_backing_open,
	.backing_close = dev_backing_close,
};

static int set_text(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

static int set_flag(int fs, const char *key)
{
	return fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0) < 0 ? -errno : 0;
}

static int configure(int fs, int dev, const struct fuse_dev_mount *m)
{
	char fd[16];
	int r;

	(void)snprintf(fd, sizeof(fd), "%d", dev);
	r = set_text(fs, "source", m->source);
	r = r ? r : set_text(fs, "subtype", m->subtype);
	r = r ? r : set_text(fs, "fd", fd);
	r = r ? r : set_text(fs, "rootmode", "40000");
	r = r ? r : set_text(fs, "user_id", "0");
	r = r ? r : set_text(fs, "group_id", "0");
	r = r ? r : set_flag(fs, "default_permissions");
	if (r == 0 && m->allow_other)
		r = set_flag(fs, "allow_other");
	if (r == 0 && m->read_only)
		r = set_flag(fs, "ro");
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = -errno;
	return r;
}

/* With a device that has a connection the kernel takes the file system that is there. */
static int mount_dev(int dev, const struct fuse_dev_mount *m, int *ret_mfd, struct err *e)
{
	_cleanup_close_ int fs = fsopen("fuse", FSOPEN_CLOEXEC);
	int mfd, r;

	if (fs < 0)
		return err_set(e, errno, "cannot make a FUSE file system: %s", err_str(errno));
	r = configure(fs, dev, m);
	if (r < 0)
		return err_set(e, -r, "the kernel refuses the FUSE file system: %s", err_str(r));
	mfd = fsmount(fs, FSMOUNT_CLOEXEC, m->attrs);
	if (mfd < 0)
		return err_set(e, errno, "cannot make a mount of it: %s", err_str(errno));
	*ret_mfd = mfd;
	return 0;
}

int fuse_dev_mount(const struct fuse_dev_mount *m, struct fuse_dev *ret, int *ret_mfd,
		   struct err *e)
{
	_cleanup_close_ int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int r;

	if (dev < 0)
		return err_set(e, errno, "cannot open /dev/fuse: %s", err_str(errno));
	r = mount_dev(dev, m, ret_mfd, e);
	if (r == 0)
		*ret = (struct fuse_dev){ { &dev_transport }, take_fd(&dev) };
	return r;
}

int fuse_dev_mount_again(const struct fuse_dev *d, const struct fuse_dev_mount *m, int *ret_mfd,
			 struct err *e)
{
	return mount_dev(d->fd, m, ret_mfd, e);
}

int fuse_dev_clone(const struct fuse_dev *d, struct fuse_dev *ret)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	uint32_t from = (uint32_t)d->fd;

	if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &from) < 0)
		return -errno;
	*ret = (struct fuse_dev){ { &dev_transport }, take_fd(&fd) };
	return 0;
}

struct fuse_dev fuse_dev_of(int fd)
{
	return (struct fuse_dev){ { &dev_transport }, fd };
}

void fuse_dev_fini(struct fuse_dev *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}
