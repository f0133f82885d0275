/* SPDX-License-Identifier: MIT */
/* vfs_mount.h - one mount of a tree, from its making to its end. */
#ifndef VFS_MOUNT_H
#define VFS_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "merge_open.h"
#include "vfs.h"

struct vfs_mount_conf {
	const char *source, *target;       /* directories */
	struct merge_conf merge;           /* with another tree */
	struct proc_idmap *users, *groups; /* its own; NULL: none */
	/* of the mount */
	unsigned int attrs; /* MOUNT_ATTR_* */
	bool read_only, allow_other;
	bool again; /* it is there: vfs_mount_again() */
	/* of the server */
	bool passthrough, watch, io_uring, sockets, stateless;
	bool ordinary; /* struct fuse_conf */
	enum vfs_small small;
	long threads;
	struct vfs_times times; /* VFS_TIME_BEST: as long as is right */
};

#define VFS_TIME_BEST UINT64_MAX

#define VFS_MOUNT_DEFAULT                                                                 \
	{                                                                                 \
		.allow_other = true, .passthrough = true, .watch = true, .sockets = true, \
		.threads = 2, .times = {                                                  \
			VFS_TIME_BEST,                                                    \
			VFS_TIME_BEST,                                                    \
			VFS_TIME_BEST                                                     \
		}                                                                         \
	}

/*
 * Take one list of options as in fstab, "a,b=c"; a comma of a value has a backslash before it, and so has a
 * backslash. -EINVAL and @e for what is not known.
 */
int vfs_mount_options(struct vfs_mount_conf *conf, const char *list, struct err *e) _must_check_;
/* Free what they said. */
void vfs_mount_conf_fini(struct vfs_mount_conf *conf);

/*
 * vfs_mount_serve() - Mount, and serve until that is over: unmounted, or a signal asked us to.
 *
 * For a process with one thread that does nothing else: it becomes one that makes files as anybody, and
 * has SIGTERM, SIGINT, SIGHUP and SIGUSR2 blocked. The last logs how many requests there were so far.
 * @ready: once the mount is there, the process leaves its terminal, and writes one byte to this
 * descriptor; -1: nobody waits.
 *
 * Return: 0; 1, files of it are open although it is unmounted: they, and what we hold, go when the
 * process ends; -errno.
 */
int vfs_mount_serve(const struct vfs_mount_conf *conf, int ready, struct err *e) _must_check_;

/*
 * vfs_mount_again() - Change a mount that is there: read-only or not, and its attributes.
 *
 * All else that @conf says is the server's, and stays as it is.
 */
int vfs_mount_again(const struct vfs_mount_conf *conf, struct err *e) _must_check_;

#endif
