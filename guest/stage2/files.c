/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#define DISK_NODE     "disk"
#define DISK_NAME     64
#define DISKS_MAX     (LETTERS + LETTERS * LETTERS)
#define LETTERS       26
#define DISK_STEP_MS  10

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

/*
 * How much of a file is asked for ahead is said of a mount only there; 128 KiB if nobody says it, which is one request. The answer
 * to FUSE's first request, which is still to come, would lower it. Where it can't be said files are just slower.
 */
static void set_readahead(int tree)
{
	_cleanup_close_ int sys = mnt_new("sysfs", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
			    fd = -1;
	char path[64], kib[16];
	struct statx st;

	/* nobody answers for files yet */
	if (sys < 0 || statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return;
	(void)snprintf(path, sizeof(path), "class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major,
		       st.stx_dev_minor);
	(void)snprintf(kib, sizeof(kib), "%u", WIRE_FUSE_AHEAD >> 10);
	fd = openat(sys, path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, kib, strlen(kib));
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
	int r = fuse_dev_mount_again(&d, &conf, ret, e);

	if (!r)
		set_readahead(*ret);
	return r;
}

bool files_has_type(const char *type)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);

	return fs >= 0;
}

/* --- a disk --- */

static int disk = -1; /* a directory with its node alone */

static int read_line(int dir, const char *name, const char *file, char *buf, size_t size)
{
	char path[DISK_NAME + DISK_NAME];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", name, file);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* Of virtio, the one that says @id of itself. Return: 0 and its number; -ENOENT. */
static int find_disk(const char *id, dev_t *ret)
{
	_cleanup_close_ int sys = mnt_new("sysfs", NULL, MOUNT_ATTR_RDONLY), dir = -1;
	char name[DISK_NAME], line[DISK_NAME];
	unsigned int major, minor;

	dir = openat(sys, "block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sys < 0 || dir < 0)
		return sys < 0 ? sys : -errno;
	for (int n = 0; n < DISKS_MAX; n++) {
		/* vda to vdz, vdaa, ... (virtblk_name_format() of Linux) */
		const char first = (char)('a' + n / LETTERS - 1), last = (char)('a' + n % LETTERS);

		(void)snprintf(name, sizeof(name), "vd%c%c", n < LETTERS ? last : first,
			       n < LETTERS ? '\0' : last);
		if (read_line(dir, name, "serial", line, sizeof(line)) < 0 || strcmp(line, id) != 0)
			continue;
		if (read_line(dir, name, "dev", line, sizeof(line)) < 0 ||
		    sscanf(line, "%u:%u", &major, &minor) != 2)
			return -EPROTO;
		*ret = makedev(major, minor);
		return 0;
	}
	return -ENOENT;
}

/* A node of our own, in a file system of our own. */
static int make_node(dev_t number)
{
	static const struct mnt_param params[] = { { "mode", "0700" }, { 0 } };

	disk = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (disk < 0)
		return disk;
	return mknodat(disk, DISK_NODE, S_IFBLK | 0600, number) < 0 ? -errno : 0;
}

int files_mount_disk(const char *id, const char *type, bool writable, int *ret, struct err *e)
{
	/* what the image says of errors may be a panic; and of one that is not written to no journal is replayed */
	const bool ext4 = strcmp(type, "ext4") == 0;
	const struct mnt_param rw[] = { { "source", DISK_NODE },
					{ ext4 ? "errors" : NULL, "remount-ro" },
					{ 0 } };
	const struct mnt_param ro[] = { { "source", DISK_NODE },
					{ "ro", NULL },
					{ ext4 ? "errors" : NULL, "remount-ro" },
					{ "noload", NULL },
					{ 0 } };
	const unsigned int attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				   (writable ? 0 : MOUNT_ATTR_RDONLY);
	dev_t number = 0;
	int r = find_disk(id, &number), fd;

	if (!r)
		r = make_node(number);
	if (r < 0)
		return err_set(e, -r, "the guest's disk is not found: %s", err_str(r));
	fd = fchdir(disk) < 0 ? -errno : mnt_new(type, writable ? rw : ro, attrs);
	(void)!chdir("/");
	if (fd < 0)
		return err_set(e, -fd, "mounting the %s file system of a disk in the guest: %s%s",
			       type, err_str(fd),
			       fd == -ENODEV ? "; its kernel does not have it" : "");
	*ret = fd;
	return 0;
}

void files_await_disk(unsigned int timeout_ms)
{
	for (unsigned int ms = 0; disk >= 0 && ms < timeout_ms; ms += DISK_STEP_MS) {
		_cleanup_close_ int fd =
			openat(disk, DISK_NODE, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);

		/* whoever mounts it has it alone */
		if (fd >= 0 || errno != EBUSY)
			return;
		(void)usleep(DISK_STEP_MS * 1000);
	}
}

/* --- an archive --- */

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
