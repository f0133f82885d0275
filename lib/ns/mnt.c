/* SPDX-License-Identifier: MIT */
#include "mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"

#define OPEN_TRIES_MAX  100 /* a container that renames without end does not hold us */
#define PSEUDO_ROOT_INO 1   /* of proc and sysfs (PROC_ROOT_INO, kernfs) */

static int open_how(int rootfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };
	int tries = 0;
	long fd;

	do
		fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how)); /* Linux 5.6 */
	while (fd < 0 && errno == EAGAIN &&
	       ++tries < OPEN_TRIES_MAX); /* a rename raced with ".." */
	return fd < 0 ? -errno : (int)fd;
}

static int no_api(const char *call, struct err *e)
{
	return err_set(
		e, ENOSYS,
		"this kernel has no %s(2), or a filter forbids it; attaching takes Linux 5.12 "
		"or later",
		call);
}

static int set_attr(int mfd, unsigned int flags, struct mount_attr *attr)
{
	return mount_setattr(mfd, "", AT_EMPTY_PATH | flags, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

/* Each call is made with descriptors that cannot be: it fails in any case, but only without it with ENOSYS. */
int mnt_api_check(struct err *e)
{
	if (open_tree(-1, "", 0) < 0 && errno == ENOSYS)
		return no_api("open_tree", e);
	if (move_mount(-1, "", -1, "", 0) < 0 && errno == ENOSYS)
		return no_api("move_mount", e);
	if (fsopen(NULL, 0) < 0 && errno == ENOSYS)
		return no_api("fsopen", e);
	if (set_attr(-1, 0, &(struct mount_attr){ .attr_set = 0 }) == -ENOSYS)
		return no_api("mount_setattr", e);
	if (open_how(-1, "", 0, 0) == -ENOSYS)
		return no_api("openat2", e);
	return 0;
}

int mnt_open_in(int rootfd, const char *path, int flags)
{
	return open_how(rootfd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int mnt_open_nolink(int rootfd, const char *path, int flags)
{
	return open_how(rootfd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int mnt_clone(int fd, bool recursive, uint64_t propagation)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	_cleanup_close_ int mfd = open_tree(fd, "", flags | (recursive ? AT_RECURSIVE : 0));
	int r = mfd < 0 ? -errno : mnt_set(mfd, 0, propagation, recursive);

	return r < 0 ? r : take_fd(&mfd);
}

int mnt_clone_at(int dirfd, const char *name)
{
	int mfd =
		open_tree(dirfd, name,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_RECURSIVE);

	return mfd < 0 ? -errno : mfd;
}

int mnt_attach_child(int mfd, int dirfd, const char *name)
{
	return move_mount(mfd, "", dirfd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int mnt_attach(int mfd, int target)
{
	if (move_mount(mfd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

int mnt_attach_at(int mfd, int rootfd, const char *path)
{
	_cleanup_close_ int target = mnt_open_in(rootfd, path, O_PATH | O_NOFOLLOW);

	return target < 0 ? target : mnt_attach(mfd, target);
}

int mnt_new(const char *type, const struct mnt_param *params, unsigned int attrs)
{
	_cleanup_close_ int ctx = fsopen(type, FSOPEN_CLOEXEC);
	int mfd;

	if (ctx < 0)
		return -errno;
	for (; params && params->key; params++)
		if (fsconfig(ctx, params->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     params->key, params->value, 0) < 0)
			return -errno;
	if (fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mfd = fsmount(ctx, FSMOUNT_CLOEXEC, attrs);
	return mfd < 0 ? -errno : mfd;
}

/*
 * Linux < 5.12: what mount(2) can, by the descriptor's name; /proc has to be there. Attributes of what is not
 * attached yet it cannot: EINVAL.
 */
static int set_by_mount(int mfd, uint64_t attrs, uint64_t propagation, bool recursive)
{
	static const struct {
		uint64_t attr;
		unsigned long flag, now;
	} bits[] = {
		{ MOUNT_ATTR_RDONLY, MS_RDONLY, ST_RDONLY },
		{ MOUNT_ATTR_NOSUID, MS_NOSUID, ST_NOSUID },
		{ MOUNT_ATTR_NODEV, MS_NODEV, ST_NODEV },
		{ MOUNT_ATTR_NOEXEC, MS_NOEXEC, ST_NOEXEC },
	};
	unsigned long flags = MS_REMOUNT | MS_BIND;
	uint64_t known = 0;
	struct statvfs vfs;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", mfd);
	if (propagation &&
	    mount(NULL, path, NULL, propagation | (recursive ? MS_REC : 0), NULL) < 0)
		return -errno;
	if (!attrs)
		return 0;
	if (fstatvfs(mfd, &vfs) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		known |= bits[i].attr;
		flags |= attrs & bits[i].attr || vfs.f_flag & bits[i].now ? bits[i].flag : 0;
	}
	if (recursive || attrs & ~known)
		return -ENOSYS;
	return mount(NULL, path, NULL, flags, NULL) < 0 ? -errno : 0;
}

int mnt_set(int mfd, uint64_t attrs, uint64_t propagation, bool recursive)
{
	/* How times of access are kept is one setting of several values, not a set of bits. */
	struct mount_attr attr = { .attr_set = attrs,
				   .attr_clr = attrs & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0,
				   .propagation = propagation };
	int r = set_attr(mfd, recursive ? AT_RECURSIVE : 0, &attr);

	return r == -ENOSYS ? set_by_mount(mfd, attrs, propagation, recursive) : r;
}

int mnt_idmap(int mfd, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	return mount_setattr(mfd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

bool mnt_is_root_of(int fd, long magic)
{
	struct statfs fs;
	struct stat st;

	return fstatfs(fd, &fs) == 0 && fs.f_type == magic && fstat(fd, &st) == 0 &&
	       st.st_ino == PSEUDO_ROOT_INO;
}
