/* SPDX-License-Identifier: MIT */
/*
 * vfs_sockets.h - the sockets of a tree can be connected to.
 *
 * Theory of operation
 *
 * sockproxy.h says how: a socket of ours is bound to the kernel's inode of the node. When a lookup meets a
 * socket behind which somebody listens, and ours is not there yet, the answer waits until it is. The kernel
 * may not keep what it knows of a name, so each connect() comes as a lookup, which looks again: when
 * nobody listens there any more, nor do we.
 *
 * vfs_sockets_fs() stands before the functions of a file system, whatever that consists of. Workers
 * (fuse_serve.h) find the socket and put the answer off. One thread, the one that waits for the
 * end of the mount, talks with the binder, and answers. Binding is done through a mount of the file system
 * that nobody sees, for a bound socket keeps its mount busy. It is made with the first socket; from
 * then on the file system does not end with its last mount, and whoever made that has to call
 * vfs_sockets_end() when it is gone.
 *
 * A socket that is bound through the mount is reached there without us. For those who connect from behind,
 * its node there is bound by us (sockproxy.h).
 *
 * The binder's directory has a name that nobody can guess, and is in no listing. A request for it is
 * answered here: its node, and "bound" nodes in it, each of which is a node of the tree.
 *
 * There are at most VFS_SOCKETS_MAX; one more takes the place of that which nobody looked up for longest.
 * At most half are of servers at the mount; those of more are not reached from behind.
 */
#ifndef VFS_SOCKETS_H
#define VFS_SOCKETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "fuse_session.h"

#define VFS_SOCKETS_MAX 256

struct vfs_sockets;

struct vfs_sockets_conf {
	const struct fuse_fs *fs; /* of any tree or trees; borrowed */
	void *fs_arg;
	/* Count one more lookup of a node that is known. -errno. */
	int (*again)(void *fs_arg, uint64_t nodeid);
	/* A path descriptor of its own for what is behind the node; -errno. */
	int (*path)(void *fs_arg, uint64_t nodeid);
	void *arg;
	/* A detached mount of the file system. Return: it; -errno. */
	int (*mount)(void *arg);
};

/* Fork what sockproxy_start() forks, with its argument: before there is a thread, or a descriptor of /dev/fuse. */
int vfs_sockets_new(bool quiet, struct vfs_sockets **ret, struct err *e) _must_check_;
void vfs_sockets_free(struct vfs_sockets *s);

#define VFS_SOCKETS_FDS 4
/* What it has open so far, for one who closes all else. */
void vfs_sockets_fds(const struct vfs_sockets *s, int ret[VFS_SOCKETS_FDS]);

/* Before the first request. */
void vfs_sockets_init(struct vfs_sockets *s, const struct vfs_sockets_conf *conf);

/* --- of the one thread --- */

/* Readable when vfs_sockets_handle() has something to do. */
int vfs_sockets_fd(const struct vfs_sockets *s);
void vfs_sockets_handle(struct vfs_sockets *s);
/* Does it hold a mount of the file system? */
bool vfs_sockets_hold(const struct vfs_sockets *s);
/* From now on there are none: connections that they carry end, the mount is let go. */
void vfs_sockets_end(struct vfs_sockets *s);

/* --- of the workers --- */

/*
 * The file system of conf.fs, with sockets; its argument is the struct vfs_sockets. What conf.fs says of a
 * socket the kernel must not keep (entry_valid is 0), and it makes them by vfs_sockets_make().
 */
const struct fuse_fs *vfs_sockets_fs(const struct vfs_sockets *s);

/*
 * Make a socket's node as mknodat(2) does, bound by a socket of ours, so that what is bound at the mount can
 * be reached from behind. It is kept for the answer of this thread's request.
 */
int vfs_sockets_make(int dir, const char *name, mode_t mode) _must_check_;

#endif
