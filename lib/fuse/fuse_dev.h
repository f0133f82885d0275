/* SPDX-License-Identifier: MIT */
/*
 * fuse_dev.h - the kernel's device as a transport: /dev/fuse, one clone of it for each thread.
 *
 * Theory of operation
 *
 * fuse_dev_mount() opens the device and makes a file system of it, detached; fuse_dev_clone() gives
 * further channels of the same connection, each with a queue of its own for what it has taken. When
 * the last of them is closed, the connection is aborted: whoever waits gets ENOTCONN.
 */
#ifndef FUSE_DEV_H
#define FUSE_DEV_H

#include <stdbool.h>

#include "err.h"
#include "fuse_transport.h"

struct fuse_dev {
	struct fuse_chan chan;
	int fd;
};

struct fuse_dev_mount {
	const char *source;  /* as mount tables show it; a comma in it is fine */
	const char *subtype; /* the type is fuse.SUBTYPE */
	unsigned int attrs;  /* MOUNT_ATTR_* */
	bool read_only, allow_other;
};

/*
 * fuse_dev_mount() - A new connection and its file system, not yet attached anywhere.
 *
 * The kernel checks permissions (default_permissions). @ret_mfd: the detached mount, for move_mount().
 */
int fuse_dev_mount(const struct fuse_dev_mount *m, struct fuse_dev *ret, int *ret_mfd,
		   struct err *e) _must_check_;

/*
 * One more mount of the file system of that connection, detached; @m as for the first. Linux 5.10.
 * Of a device that has no connection yet (fuse_dev_of()), the first.
 */
int fuse_dev_mount_again(const struct fuse_dev *d, const struct fuse_dev_mount *m, int *ret_mfd,
			 struct err *e) _must_check_;

/* One more channel of the same connection. */
int fuse_dev_clone(const struct fuse_dev *d, struct fuse_dev *ret) _must_check_;

/* A channel of a connection that somebody else made: @fd is taken. */
struct fuse_dev fuse_dev_of(int fd);

void fuse_dev_fini(struct fuse_dev *d);

#endif
