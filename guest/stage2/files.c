/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "flow.h"
#include "fuse_dev.h"
#include "mnt.h"
#include "unpack.h"

#define FUSE_MAJOR_NR 10 /* Linux, Documentation/admin-guide/devices.txt */
#define FUSE_MINOR_NR 229

static bool is_fuse(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(FUSE_MAJOR_NR, FUSE_MINOR_NR);
}

/* A node of our own: a guest's /dev may lack it although there is FUSE. To open it loads the module. */
static int open_own_node(void)
{
	static const struct mnt_param params[] = { { "mode", "0700" }, { 0 } };
	_cleanup_close_ int dir = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

	if (dir < 0 ||
	    mknodat(dir, "fuse", S_IFCHR | 0600, makedev(FUSE_MAJOR_NR, FUSE_MINOR_NR)) < 0)
		return -1;
	return openat(dir, "fuse", O_RDWR | O_CLOEXEC);
}

int files_open_fuse(void)
{
	_cleanup_close_ int node = open("/dev/fuse", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int dev = -1, fs = -1;

	if (node >= 0 && is_fuse(node))
		dev = open("/dev/fuse", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (dev < 0)
		dev = open_own_node();
	fs = dev < 0 || !is_fuse(dev) ? -1 : fsopen("fuse", FSOPEN_CLOEXEC);
	return fs < 0 ? -1 : take_fd(&dev);
}

int files_mount_fuse(int dev, bool writable, int *ret, struct err *e)
{
	const struct fuse_dev_mount conf = {
		.source = "tools",
		.subtype = "vmsh",
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (writable ? 0 : MOUNT_ATTR_RDONLY),
		.allow_other = true,
	};
	const struct fuse_dev d = fuse_dev_of(dev);

	return fuse_dev_mount_again(&d, &conf, ret, e);
}

/* Messages until the archive has ended. What is written at once is credited at once. */
static int receive(struct link *l, struct unpack *u, struct err *e)
{
	struct wire_msg m;
	uint32_t owed = 0;
	int r;

	while ((r = link_wait(l, &m)) > 0) {
		if (m.kind == WIRE_END)
			return err_set(e, ECANCELED, "the host has ended it");
		if (m.kind == WIRE_PING)
			r = link_tell(l, WIRE_PONG, 0, m.value);
		if (m.kind == WIRE_DATA && m.stream == WIRE_ARCHIVE) {
			if (!m.size)
				return unpack_end(u, e);
			r = unpack_feed(u, m.data, m.size, e);
			if (r < 0)
				return r;
			owed += (uint32_t)m.size;
		}
		if (owed >= WIRE_WINDOW / 4) {
			r = link_tell(l, WIRE_CREDIT, WIRE_ARCHIVE, owed);
			owed = 0;
		}
		if (r < 0)
			break;
	}
	return err_set(e, r ? -r : EPIPE, "the host went away while the archive came: %s",
		       err_str(r ? r : EPIPE));
}

int files_unpack(struct link *l, int *ret, struct err *e)
{
	static const struct mnt_param params[] = { { "mode", "0755" }, { 0 } };
	_cleanup_close_ int tree = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	struct unpack *u;
	int r;

	if (tree < 0)
		return err_set(e, -tree, "making a file system in memory: %s", err_str(tree));
	u = unpack_new(tree);
	if (!u)
		return err_set(e, ENOMEM, "no memory");
	r = receive(l, u, e);
	unpack_free(u);
	if (!r)
		*ret = take_fd(&tree);
	return r;
}
