/* SPDX-License-Identifier: MIT */
/*
 * attrs.h - owner, mode, extended attributes and times of what was unpacked.
 *
 * They are set in this order, for chown() takes away set-user-id bits and
 * capabilities. What only root may set is tried, and counted if refused: a
 * file whose owner could not be set loses its set-user-id and set-group-id
 * bits, for they would name somebody else.
 *
 * Extended attributes that are taken: user.*, security.capability, POSIX ACLs.
 * Not taken: those of overlays (trusted.overlay.*, user.overlay.*), which could
 * redirect an overlay that is laid over the tree, and labels of the machine
 * that the image was made on.
 */
#ifndef IMAGE_ATTRS_H
#define IMAGE_ATTRS_H

#include <sys/types.h>

#include "tar.h"

struct attrs {
	bool has_owner, has_mtime;
	uint32_t mode, uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	size_t nxattrs;
	const struct tar_xattr *xattr; /* borrowed */
};

/* What could not be done, for a warning. */
struct attrs_skipped {
	uint64_t owners, xattrs;
};

/* Who new files belong to without our doing; chown() to the same is saved. */
struct attrs_owner {
	bool known;
	uint32_t uid, gid;
};

/* Borrows from @en. */
struct attrs attrs_of(const struct tar_entry *en);

/* To a file or directory that is open (not O_PATH). */
int attrs_apply_fd(int fd, const struct attrs *a, const struct attrs_owner *natural,
		   struct attrs_skipped *skipped) _must_check_;
/* To @name below @dirfd, without following it. @is_link: symbolic links have no mode. */
int attrs_apply_at(int dirfd, const char *name, bool is_link, const struct attrs *a,
		   struct attrs_skipped *skipped) _must_check_;

#endif
