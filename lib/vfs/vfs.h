/* SPDX-License-Identifier: MIT */
/*
 * vfs.h - a directory tree of this machine as a file system for fuse_session.h.
 *
 * Theory of operation
 *
 * A request names a node; nodes.c gives a path descriptor for it, and one *at() call on that does the
 * work. Names are single components and symbolic links are never followed, so no request leads out of
 * the tree. What is mounted in it is part of it. Permissions are the kernel's affair: ident.h says
 * whose the new files are.
 *
 * The data of regular files goes through the kernel alone where that works (FUSE_PASSTHROUGH): each
 * open of a node says the same backing file, and reads, writes and mappings never come here. All opens
 * of a node at one time go the same way, for the kernel refuses a mixture.
 *
 * One file per group of requests: vfs_lookup.c, vfs_make.c (new and vanishing names), vfs_open.c,
 * vfs_data.c, vfs_attr.c, vfs_xattr.c, vfs_dir.c. A mapping of owners has its place in vfs_fill_attr()
 * and ident_become(); a view of several trees is another struct fuse_fs, made of nodes of this one.
 */
#ifndef VFS_H
#define VFS_H

#include "err.h"
#include "fuse_session.h"

struct proc_idmap;

/* How long the kernel may believe an entry, attributes, and that there is no entry. */
struct vfs_times {
	uint64_t entry_ns, attr_ns, negative_ns;
};

/* What is opened to be written, and nothing else, is passed through, or written through us: vfs_small.c. */
enum vfs_small {
	VFS_SMALL_AUTO, /* by whoever just wrote small files */
	VFS_SMALL_NEVER,
	VFS_SMALL_ALWAYS
};

struct vfs_conf {
	struct vfs_times times; /* vfs_watch.h makes longer ones right */
	bool passthrough;
	bool stateless; /* nothing of it changes by us: see vfs_stateless.c. Not with passthrough */
	enum vfs_small small;
	bool carry_sockets;                      /* behind vfs_sockets_fs() */
	const struct proc_idmap *users, *groups; /* vfs_map.h; borrowed; NULL: none */
	uint32_t max_fds; /* path descriptors kept; 0: half of what this process may open */
	uint32_t share;   /* among so many trees of this process; 0: it is the only one */
	uint32_t
		max_open; /* files and directories, of 32 KiB each; 0: as many as descriptors allow */
	uint32_t max_idle; /* forgotten nodes kept; 0: VFS_IDLE_DEFAULT */
};

#define VFS_IDLE_DEFAULT 65536

struct vfs;

/*
 * vfs_new() - Serve the tree below the directory @root, which is borrowed.
 *
 * Raises the limits on open files and on file sizes of this process to what they may be. Each thread
 * that calls its functions, this one included, must have been through .thread_start().
 */
int vfs_new(int root, const struct vfs_conf *conf, struct vfs **ret, struct err *e) _must_check_;
void vfs_free(struct vfs *v);

/* Its functions; their argument is the struct vfs. With maps of ids: vfs_functions(). */
extern const struct fuse_fs vfs_fs;

/*
 * vfs_stateless_dirs() - With conf.stateless: directories, too, for positions in all of them stay right without one that is
 * open, and changes are told. Before anything is served.
 */
void vfs_stateless_dirs(struct vfs *v);

/* For struct fuse_conf: what it wants of the protocol. */
uint64_t vfs_flags(const struct vfs_conf *conf);
/* How deep a stack of file systems may be that files are passed through to: overlayfs is one level. */
#define VFS_STACK_DEPTH 2

struct vfs_stats {
	uint32_t nodes, idle, fds;
};
/* For struct vfs_sockets_conf. */
int vfs_again(void *fs, uint64_t nodeid);
int vfs_path(void *fs, uint64_t nodeid);

void vfs_stats(struct vfs *v, struct vfs_stats *ret);

#endif
