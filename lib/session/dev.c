/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "dev"
#include "dev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "log.h"
#include "mnt.h"

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202 /* ipc/mqueue.c */
#endif

#define DEV_LINKS_MAX 512

/* Linux, Documentation/admin-guide/devices.txt */
static const struct {
	const char *name;
	unsigned int major, minor;
} nodes[DEV_NODES] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *to;
} links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* Read-only: the device can be written, but not the mode and owner of the host's node. */
static int clone_node(int fd)
{
	_cleanup_close_ int mfd = mnt_clone(fd, false, MS_PRIVATE);
	int r = mfd < 0 ? mfd : mnt_set(mfd, MOUNT_ATTR_RDONLY, 0, false);

	return r < 0 ? r : take_fd(&mfd);
}

static int new_dev(void)
{
	static const struct mnt_param params[] = { { "mode", "0755" }, { "size", "1m" }, { 0 } };

	return mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

/* Half the mounts of a session would be those of its nodes: where nodes can be made, they are. */
static int make_nodes(void)
{
	_cleanup_close_ int dev = new_dev();

	for (size_t i = 0; dev >= 0 && i < DEV_NODES; i++)
		if (mknodat(dev, nodes[i].name, S_IFCHR | 0666,
			    makedev(nodes[i].major, nodes[i].minor)) < 0)
			return -1;
	return take_fd(&dev);
}

int dev_take_nodes(struct dev_parts *p, bool may_make, struct err *e)
{
	p->made = may_make ? make_nodes() : -1;
	if (p->made >= 0)
		return 0;
	for (size_t i = 0; i < DEV_NODES; i++) {
		_cleanup_close_ int fd = -1;
		struct stat st;
		char path[32];

		if (p->node[i] >= 0)
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i].name);
		fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_set(e, errno, "opening '%s': %s", path, err_str(errno));
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(nodes[i].major, nodes[i].minor))
			return err_set(e, ENODEV, "'%s' of this host is not that device", path);
		p->node[i] = clone_node(fd);
		if (p->node[i] < 0)
			return err_set(e, -p->node[i], "cloning '%s': %s", path,
				       err_str(p->node[i]));
	}
	return 0;
}

static int take_dir(int rootfd, const char *path, long magic)
{
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, path, O_PATH | O_DIRECTORY);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || (magic && fs.f_type != magic))
		return -1;
	return mnt_clone(fd, true, MS_PRIVATE);
}

void dev_take_container(struct dev_parts *p, int rootfd)
{
	p->container = mnt_open_nolink(rootfd, "dev", O_RDONLY | O_DIRECTORY);
	p->shm = take_dir(rootfd, "dev/shm", 0);
	p->mqueue = take_dir(rootfd, "dev/mqueue", MQUEUE_MAGIC);
}

static int add_nodes(const struct dev_parts *p, int dev)
{
	for (size_t i = 0; p->made < 0 && i < DEV_NODES; i++) {
		int r;

		if (mknodat(dev, nodes[i].name, S_IFREG | 0644, 0) < 0)
			return -errno;
		r = mnt_attach_at(p->node[i], dev, nodes[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_links(int dev)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].to, dev, links[i].name) < 0)
			return -errno;
	return 0;
}

/* Every mount of devpts is an instance of its own (Linux 4.7). Group 5 (tty) may not be mapped here. */
static int new_devpts(void)
{
	static const struct mnt_param with_group[] = {
		{ "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" }, { 0 }
	};
	static const struct mnt_param plain[] = { { "ptmxmode", "0666" },
						  { "mode", "0620" },
						  { 0 } };
	unsigned int attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	int mfd = mnt_new("devpts", with_group, attrs);

	return mfd >= 0 ? mfd : mnt_new("devpts", plain, attrs);
}

static int add_pts(int dev, int *ret_pts)
{
	_cleanup_close_ int pts = new_devpts();
	int r;

	if (pts < 0)
		return pts;
	if (mkdirat(dev, "pts", 0755) < 0)
		return -errno;
	r = mnt_attach_at(pts, dev, "pts");
	if (!r)
		*ret_pts = take_fd(&pts);
	return r;
}

/* A mount of the container's, else a fresh one of @type, else an empty directory. */
static int add_mount(int dev, const char *name, int taken, const char *type)
{
	_cleanup_close_ int fresh = -1;
	int mfd = taken;

	if (mkdirat(dev, name, 01777) < 0)
		return -errno;
	if (mfd < 0)
		mfd = fresh = mnt_new(type, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mfd < 0 ? 0 : mnt_attach_at(mfd, dev, name);
}

/* Names that a container chooses: bounded, and only what is a device, or a directory of such. */
static void add_container_links(int dev, int container, const char *base)
{
	_cleanup_close_ int fd = openat(container, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int left = DEV_LINKS_MAX;
	struct dirent *d;

	if (dir)
		(void)take_fd(&fd);
	while (dir && left-- && (d = readdir(dir))) {
		char to[PATH_MAX];
		struct stat st;

		if (d->d_name[0] == '.' || !fstatat(dev, d->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    fstatat(container, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		(void)snprintf(to, sizeof(to), "%s/dev/%s", base, d->d_name);
		(void)!symlinkat(to, dev, d->d_name);
	}
}

int dev_build(const struct dev_parts *p, int viewfd, const char *base, int *ret_dev, int *ret_pts,
	      struct err *e)
{
	_cleanup_close_ int dev = p->made < 0 ? new_dev() : fcntl(p->made, F_DUPFD_CLOEXEC, 0);
	_cleanup_close_ int pts = -1;
	int r = dev < 0 ? dev : mnt_attach_at(dev, viewfd, "dev");

	if (!r)
		r = add_nodes(p, dev);
	if (!r)
		r = add_links(dev);
	if (!r)
		r = add_pts(dev, &pts);
	if (!r)
		r = add_mount(dev, "shm", p->shm, "tmpfs");
	if (!r)
		r = add_mount(dev, "mqueue", p->mqueue, "mqueue");
	if (r < 0)
		return err_set(e, -r, "building /dev: %s", err_str(r));
	if (p->container >= 0)
		add_container_links(dev, p->container, base);
	*ret_dev = take_fd(&dev);
	*ret_pts = take_fd(&pts);
	return 0;
}
