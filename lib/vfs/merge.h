/* SPDX-License-Identifier: MIT */
/*
 * merge.h - one tree of two: what is written goes to the upper one, what only the lower one has is there, too.
 *
 * Theory of operation
 *
 * Three layers, each a struct vfs. The upper one is real: files in it are changed where they are, and
 * what is made in one of its directories is made there. The lower one is never written. What is changed
 * of it goes to the third, the scratch layer, which mirrors its paths:
 *
 *	DIR/NAME	a file or link of the lower tree that was changed, or anything made in a directory that
 *			the upper tree does not have
 *	DIR/.wh.NAME	NAME of the lower tree has been removed (as in layers of image archives)
 *
 * The upper tree wins over the scratch layer, and that over the lower tree. Directories of one name are
 * merged; a file, or a link, hides all below. In the top directory a link of the lower tree to a
 * directory counts as that, for /lib is a directory on some systems and a link on others.
 *
 * A node of the merged tree is a tuple of nodes of the layers, so that of a file is of one layer for as long as it lives.
 * When a file of the lower tree is to be changed, it is copied, and the answer is ESTALE: the kernel
 * looks the name up again, finds the copy, and goes on. So files of the lower tree that are open or
 * mapped stay as they are. Of a lower file the place is a part of the node, and so each hard link a node.
 *
 * Copies are never silent: struct merge_stats counts them, the log (info) names them, and the attribute
 * "user.cntr.layer" of any file says where it is.
 *
 * Places that a policy names are hidden: no lookup and no listing finds them, and nothing is made there
 * (EPERM). Or they cannot be changed (EROFS). Their own names, and those on the way to them, stay (EBUSY).
 *
 * What would move a file from one layer to another is EXDEV, as between file systems; so is to rename a
 * directory that the lower tree has a part in.
 */
#ifndef VFS_MERGE_H
#define VFS_MERGE_H

#include <stdatomic.h>

#include "policy.h"
#include "vfs.h"

enum merge_layer {
	MERGE_UPPER,
	MERGE_SCRATCH,
	MERGE_LOWER,
	MERGE_LAYERS
};

#define MERGE_WHITEOUT ".wh."
#define MERGE_XATTR    "user.cntr.layer"

/* May lie in memory that another process reads. */
struct merge_stats {
	_Atomic uint32_t copied,
		hidden; /* files copied to the scratch layer; names of the lower tree removed */
};

struct merge;

/*
 * merge_new() - Merge the layers, which become its own if this succeeds; that of MERGE_SCRATCH may be
 * NULL: then what the lower tree has is read-only (EROFS). So may that of MERGE_LOWER be: a single tree.
 *
 * @policy: read now: its paths hold as they are, and where they lead by symbolic links as these are now. Or NULL.
 * @stats: borrowed; or NULL.
 */
int merge_new(struct vfs *const layer[MERGE_LAYERS], const struct policy *policy,
	      struct merge_stats *stats, struct merge **ret, struct err *e) _must_check_;
void merge_free(struct merge *m);

/* Its functions; their argument is the struct merge. */
extern const struct fuse_fs merge_fs;

/* For struct vfs_sockets_conf. */
int merge_again(void *fs, uint64_t id);
int merge_path(void *fs, uint64_t id);

/* For struct fuse_conf: vfs_flags(), but for what a merged tree can't do. */
uint64_t merge_flags(const struct vfs_conf *conf);

#endif
