/* SPDX-License-Identifier: MIT */
/* vfs_private.h - what the files of this directory share. */
#ifndef VFS_PRIVATE_H
#define VFS_PRIVATE_H

#include <stdatomic.h>

#include "files.h"
#include "nodes.h"
#include "vfs.h"
#include "vfs_sockets.h"

#define PASS_IDLE_MAX 8192
#define SMALL_WRITERS 64

struct vfs {
	struct vfs_conf conf;
	struct nodes nodes;
	struct files files;
	bool stateless_dirs;
	/* vfs_watch.c: while somebody tells of changes, other times hold for what is on the root's mount */
	_Atomic bool watched;
	struct vfs_times watched_times;
	/* vfs_pass.c, under the lock of nodes: a ring of those that have a backing file and nobody uses it */
	uint64_t idle[PASS_IDLE_MAX];
	unsigned int idle_next;
	struct fuse_chan *_Atomic pass_chan; /* any one of the connection */
	_Atomic uint64_t set_ns[256]; /* when attributes were set last, by a hash of the node */
	/* vfs_small.c: threads that write files, and how many small ones each wrote in a row */
	struct vfs_writer {
		_Atomic uint32_t pid, streak;
	} writer[SMALL_WRITERS];
};

/* How long it may be believed what is told of a node; @top: which is on the root's mount. */
struct vfs_times vfs_times(const struct vfs *v, bool top);
/* Attributes of the node are set, and told, right now: before and after that. */
void vfs_watch_setting(struct vfs *v, uint64_t id);
/* The node was just made: if changes are told, it is known for a while that it has no capabilities. */
void vfs_watch_fresh(struct vfs *v, uint64_t id);

/* In each: @fs is a struct vfs; the contract is fuse_op's. */
int vfs_op_lookup(void *fs, struct fuse_call *c);
int vfs_op_getattr(void *fs, struct fuse_call *c);
int vfs_op_statx(void *fs, struct fuse_call *c);
int vfs_op_readlink(void *fs, struct fuse_call *c);
int vfs_op_statfs(void *fs, struct fuse_call *c);
int vfs_op_syncfs(void *fs, struct fuse_call *c);
int vfs_op_setattr(void *fs, struct fuse_call *c);

int vfs_op_symlink(void *fs, struct fuse_call *c);
int vfs_op_mknod(void *fs, struct fuse_call *c);
int vfs_op_mkdir(void *fs, struct fuse_call *c);
int vfs_op_unlink(void *fs, struct fuse_call *c);
int vfs_op_rmdir(void *fs, struct fuse_call *c);
int vfs_op_rename(void *fs, struct fuse_call *c);
int vfs_op_rename2(void *fs, struct fuse_call *c);
int vfs_op_link(void *fs, struct fuse_call *c);

int vfs_op_open(void *fs, struct fuse_call *c);
int vfs_op_create(void *fs, struct fuse_call *c);
int vfs_op_tmpfile(void *fs, struct fuse_call *c);
int vfs_op_release(void *fs, struct fuse_call *c);

int vfs_op_read(void *fs, struct fuse_call *c);
int vfs_op_write(void *fs, struct fuse_call *c);
int vfs_op_fsync(void *fs, struct fuse_call *c);
int vfs_op_fallocate(void *fs, struct fuse_call *c);
int vfs_op_lseek(void *fs, struct fuse_call *c);
int vfs_op_copy_file_range(void *fs, struct fuse_call *c);
int vfs_op_copy_file_range_64(void *fs, struct fuse_call *c);
int vfs_op_ioctl(void *fs, struct fuse_call *c);

int vfs_op_setxattr(void *fs, struct fuse_call *c);
int vfs_op_getxattr(void *fs, struct fuse_call *c);
int vfs_op_listxattr(void *fs, struct fuse_call *c);
int vfs_op_removexattr(void *fs, struct fuse_call *c);

int vfs_op_opendir(void *fs, struct fuse_call *c);
int vfs_op_readdir(void *fs, struct fuse_call *c);

/* Look @name up in the directory @dir, and count that. */
int vfs_lookup(struct vfs *v, int dir, const char *name, struct fuse_entry_out *ret) _must_check_;
/* The same for what @fd, a descriptor that can be read or written, is open on. */
int vfs_lookup_fd(struct vfs *v, int fd, struct fuse_entry_out *ret) _must_check_;

/*
 * The number that users see of an inode. All mounts of the tree are one device to them, so those of
 * different mounts must differ: tar would take two files for one, find a directory for its own parent.
 */
uint64_t vfs_ino(const struct vfs *v, const struct node_mount *m, uint64_t ino);
/* Is that the mount of the root? */
bool vfs_is_top(const struct vfs *v, const struct node_mount *m);
/* @stx has NODE_STATX_MASK. */
void vfs_fill_attr(const struct vfs *v, const struct statx *stx, struct fuse_attr *ret);
/* The end of a lookup: what @r says, an entry, or, if it may be believed, that there is none. */
int vfs_reply_lookup(struct fuse_call *c, int r, const struct fuse_entry_out *entry,
		     uint64_t negative_ns) _must_check_;
/* Attributes of an open descriptor, as the reply. */
int vfs_reply_attr(struct vfs *v, struct fuse_call *c, int fd) _must_check_;

struct vfs_opened {
	int fd;
	bool reads_only;
	bool fresh;      /* just made, without set-id bits */
	bool small;      /* vfs_small_expected() */
	uint32_t writer; /* of struct file */
};

/*
 * vfs_small_writer() - Who opens a file, with @flags, to write and nothing else; 0: nobody, it is another kind of open.
 * vfs_small_expected() - Will he write so little that it goes through us (FOPEN_DIRECT_IO)?
 * vfs_small_closed() - He did not, or did.
 */
uint32_t vfs_small_writer(const struct fuse_call *c, uint32_t flags);
bool vfs_small_expected(struct vfs *v, uint32_t writer);
void vfs_small_closed(struct vfs *v, struct file *f);

/*
 * vfs_pass_choose() - Decide how an open of the node goes, and count it.
 * vfs_pass_again() - The same for an open for reading only, if a backing file is there already.
 * vfs_pass_leave() - Such an open is over; @used: attributes changed by it, which the peer has to ask for.
 *
 * Return: the backing file's id; 0, it goes through us; of vfs_pass_again(): it has to be opened and decided.
 */
int vfs_pass_choose(struct vfs *v, const struct fuse_call *c, const struct node_ref *n,
		    const struct vfs_opened *o);
int vfs_pass_again(struct vfs *v, const struct node_ref *n);
void vfs_pass_leave(struct vfs *v, struct node *n, bool direct, bool used);
/* The backing file @id, if it is one, is not used any more; @arg is a struct vfs. */
void vfs_pass_close(void *arg, int id);

/*
 * vfs_is_stateless() - Does the peer open files, or directories, without a message?
 * vfs_file() - The open file, or directory, @fh of the request's node: a number of the table's, or, if there is none
 *	for it is stateless, a new one for this request alone. NULL: there is none.
 */
bool vfs_is_stateless(const struct vfs *v, const struct fuse_call *c, bool dir);
struct file *vfs_file(struct vfs *v, const struct fuse_call *c, uint64_t fh, bool dir);

/* Become the caller, for a file to be made; or for what is written to one. */
int vfs_become(const struct fuse_call *c, mode_t umask) _must_check_;
int vfs_become_writer(const struct fuse_call *c) _must_check_;

/*
 * vfs_kill_begin() - Until vfs_kill_end(), what is written takes set-id bits, as if the caller wrote.
 *
 * If @fd, of the node @nodeid, has such bits, that end tells the kernel, which would believe in them
 * until it asks again.
 */
struct vfs_kill {
	bool on;
	uint64_t tell; /* a node; 0: none */
};
int vfs_kill_begin(const struct fuse_call *c, uint64_t nodeid, int fd, struct vfs_kill *ret)
	_must_check_;
void vfs_kill_end(const struct fuse_call *c, const struct vfs_kill *k);

#endif
