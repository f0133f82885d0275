/* SPDX-License-Identifier: MIT */
/*
 * vfs_watch.h - the kernel is told what changes in the tree behind its back, so that it may believe for long.
 *
 * Theory of operation
 *
 * A thread of its own reads what happens on the file system (watch.h). What is of a directory or file that
 * the peer knows becomes a notification; what this process did itself, the peer knows already. That takes
 * some time: from a change to its notification old names and attributes are seen, as before for as long
 * as the timeouts. After each round the thread rests for WATCH_REST_NS, so a storm is many
 * events to one wake-up.
 *
 * A notification may come before the peer has what it is about, and be lost on it:
 *
 * - A name that is looked up right now: the kernel holds the directory's lock for that, and the
 *   notification waits for it. If it only asks again about a name that it has, the notification
 *   takes that name out of its table.
 * - Attributes that are asked for right now: the kernel drops a reply that is older than a notification.
 *   It can't for an inode that it does not have yet (-ENOENT), nor for FUSE_SETATTR: both are
 *   told again after WATCH_AGAIN_NS.
 *
 * The kernel takes locks for a notification that others hold while they wait for an answer: so it may
 * take long, and this thread serves nobody and holds no lock meanwhile.
 *
 * When events were lost (FAN_Q_OVERFLOW), all that the peer knows is invalid. Names of before are all
 * told at once (FUSE_NOTIFY_INC_EPOCH, Linux 6.16). Without that, and from Linux 6.19 on, names keep the
 * timeouts of struct vfs_conf.
 */
#ifndef VFS_WATCH_VFS_H
#define VFS_WATCH_VFS_H

#include "vfs.h"

#define WATCH_REST_NS  1000000
#define WATCH_AGAIN_NS UINT64_C(1000000000)

struct vfs_watch;

/*
 * vfs_watch_start() - Tell the peer of @s about changes by @chan; it may believe for @times from now on.
 *
 * Before anything is served. Only what is on the mount of the root is meant: what is mounted in it keeps
 * the timeouts of struct vfs_conf. All is borrowed until vfs_watch_stop().
 *
 * Return: 0; -EPERM, -EOPNOTSUPP: it can't be, see watch_open(); -errno.
 */
int vfs_watch_start(struct vfs *v, int root, struct fuse_session *s, struct fuse_chan *chan,
		    const struct vfs_times *times, struct vfs_watch **ret) _must_check_;
/* The connection is over. NULL is fine. */
void vfs_watch_stop(struct vfs_watch *w);

struct vfs_watch_stats {
	uint64_t events, own, told, again,
		lost; /* of others; ours; notifications; repeated; overflows */
};
void vfs_watch_stats(const struct vfs_watch *w, struct vfs_watch_stats *ret);

#endif
