/* SPDX-License-Identifier: MIT */
/* vfs_remount.c - other flags for a mount that is there: mount(8)'s "remount". */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "vfs_mount.h"

/* What mount options decide on, for each mount of a file system by itself. */
#define ATTRS                                                                           \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | \
	 MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

int vfs_mount_again(const struct vfs_mount_conf *conf, struct err *e)
{
	struct mount_attr attr = { .attr_set = conf->attrs, .attr_clr = ATTRS };
	struct statfs fs;
	int r = statfs(conf->target, &fs) < 0 ? -errno : 0;

	if (r == 0 && fs.f_type != FUSE_SUPER_MAGIC)
		return err_set(e, EINVAL, "'%s' is no mount of cntrfs", conf->target);
	if (conf->read_only)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (r == 0 && mount_setattr(AT_FDCWD, conf->target, 0, &attr, sizeof(attr)) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, "cannot remount '%s': %s", conf->target, err_str(r)) : 0;
}
