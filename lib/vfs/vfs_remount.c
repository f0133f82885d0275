/* SPDX-License-Identifier: MIT */
/* vfs_remount.c - other flags for a mount that is there: mount(8)'s "remount". */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "vfs_mount.h"

/* What mount options decide on, for each mount of a file system by itself. */
#define ATTRS                                                                           \
	(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | \
	 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

static int reconfigure(const char *target, bool read_only)
{
	_cleanup_close_ int fs =
		fspick(AT_FDCWD, target, FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, read_only ? "ro" : "rw", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return -errno;
	return 0;
}

int vfs_mount_again(const struct vfs_mount_conf *conf, struct err *e)
{
	struct mount_attr attr = { .attr_set = conf->attrs, .attr_clr = ATTRS };
	struct statfs fs;
	int r = statfs(conf->target, &fs) < 0 ? -errno : 0;

	if (r == 0 && fs.f_type != FUSE_SUPER_MAGIC)
		return err_set(e, EINVAL, "'%s' is no mount of cntrfs", conf->target);
	/* Read-only first, writable last: in between, it is not writable with the attributes of before. */
	if (r == 0 && conf->read_only)
		r = reconfigure(conf->target, true);
	if (r == 0 && mount_setattr(AT_FDCWD, conf->target, 0, &attr, sizeof(attr)) < 0)
		r = -errno;
	if (r == 0 && !conf->read_only)
		r = reconfigure(conf->target, false);
	return r < 0 ? err_set(e, -r, "cannot remount '%s': %s", conf->target, err_str(r)) : 0;
}
