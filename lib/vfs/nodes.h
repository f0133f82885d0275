/* SPDX-License-Identifier: MIT */
/*
 * nodes.h - the inodes that the peer knows, by number: what they are and how to reach them.
 *
 * Theory of operation
 *
 * A node is an inode of the backing tree: the mount it was found on, its number, and its time of
 * birth, which tells it from a later inode of the same number. Its id is an index and a generation,
 * looked up in a table: a peer that invents ids finds nothing.
 *
 * Two inodes may have one number and one time of birth, when the first is gone within a tick of the clock. A node that has a
 * descriptor keeps its inode, and so the number. Of another the file handle tells: nodes_add() compares it, a node that was forgotten is not
 * found by its number alone, and if a handle opens nothing any more, no lookup finds the node either.
 *
 * A node is reached by a path descriptor (O_PATH). There are at most @max_fds of them; a node that was
 * not used for long loses its own and is opened again by its file handle (name_to_handle_at). A node
 * without a handle, or without a time of birth, keeps its descriptor for as long as it lives. So nothing
 * is ever found by its path a second time.
 *
 * A node that is forgotten stays for a while, without a descriptor: the peer's own file handles hold
 * its id (open_by_handle_at on the mount). The oldest of @max_idle go first.
 *
 * One mutex guards the table, and is never held over a system call. A node that is pinned neither
 * vanishes nor loses its descriptor.
 */
#ifndef VFS_NODES_H
#define VFS_NODES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "compiler.h"

#define NODE_HANDLE_MAX 24
#define NODE_NO_BTIME   UINT64_MAX /* images have files whose time of birth is 0 */
#define NODE_MOUNTS_MAX 1024
#define NODE_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

struct node {
	uint64_t ino, btime_ns; /* NODE_NO_BTIME: the file system has none */
	uint64_t nlookup;
	uint32_t index, gen;
	uint32_t hash_next; /* or the next that is free */
	uint32_t handle_next;
	uint32_t prev, next; /* in its list */
	uint32_t pins;
	int32_t fd;
	uint32_t parent; /* an index: where it was looked up last; a hint */
	union {
		/* of a regular file: opens that go to the backing file, and that go through us */
		struct {
			uint32_t direct_opens, cached_opens;
		};
		/* of a directory: entries when it was listed last, and files in it that were used since */
		struct {
			uint32_t listed, used;
		};
	};
	int32_t backing_id; /* > 0 while there are direct opens, and maybe afterwards */
	uint16_t mount;
	uint8_t type; /* S_IF* >> 12; 0: free */
	uint8_t list; /* enum node_list */
	uint8_t handle_bytes;
	uint8_t pass; /* NODE_PASS_* */
	bool fresh;
	bool gone; /* the inode: what has its number is another */
	int32_t handle_type;
	uint8_t handle[NODE_HANDLE_MAX];
};

/* Of a node's backing file, vfs_pass.c: it was opened for reading only; it is known to be in use by nobody. */
#define NODE_PASS_KEEP   1
#define NODE_PASS_QUEUED 2

enum node_list {
	NODE_LIST_NONE,
	NODE_LIST_FDS,  /* has a descriptor that it can lose */
	NODE_LIST_IDLE, /* forgotten */
	NODE_LISTS
};

/* Subvolumes of Btrfs share a mount, and a snapshot's inodes have the numbers and times of birth of its origin's. */
struct node_mount {
	uint64_t id, dev;
	int fd; /* for open_by_handle_at(); -1: has no file handles */
};

/* Of what stx tells; without a descriptor. */
static inline struct node_mount node_mount_of(const struct statx *stx)
{
	return (struct node_mount){ stx->stx_mnt_id,
				    makedev(stx->stx_dev_major, stx->stx_dev_minor), -1 };
}

static inline bool node_mount_same(const struct node_mount *a, const struct node_mount *b)
{
	return a->id == b->id && a->dev == b->dev;
}

struct nodes {
	pthread_mutex_t lock; /* of all below, and of each node's members from @nlookup on */
	struct node **chunk;
	size_t nchunks, room, used; /* @used counts nodes, from index 0 on */
	uint32_t *bucket;
	uint32_t *
		handle_bucket; /* as many; of nodes of the first mount; NULL: nodes_by_handle() is not used */
	uint32_t nbuckets;
	uint32_t free;
	uint32_t head[NODE_LISTS], tail[NODE_LISTS], length[NODE_LISTS];
	uint32_t live, fds;
	uint32_t max_fds, max_idle;
	struct node_mount mount[NODE_MOUNTS_MAX];
	unsigned int nmounts;
	/* Set once: a node was forgotten whose backing file stayed. Without the lock. */
	void (*backing_close)(void *arg, int id);
	void *backing_arg;
};

/* @root: a directory, open for reading; borrowed until nodes_init() returns. */
int nodes_init(struct nodes *t, int root, uint32_t max_fds, uint32_t max_idle) _must_check_;
void nodes_fini(struct nodes *t);
/* As if the peer had forgotten all but the root. */
void nodes_reset(struct nodes *t);

/* A pinned node and its path descriptor, which is borrowed. */
struct node_ref {
	struct nodes *table;
	struct node *node; /* NULL: none */
	int fd;
};

/* Return: 0; -ESTALE, there is no such node, or it is no longer there; -errno. */
int node_ref(struct nodes *t, uint64_t id, struct node_ref *ret) _must_check_;
/* The same without a descriptor, if there is none yet: @ret->fd may be -1. */
int node_pin(struct nodes *t, uint64_t id, struct node_ref *ret) _must_check_;
void node_unref(struct node_ref *r);
#define _cleanup_node_ _cleanup_(node_unref)

/*
 * nodes_find() - Count a lookup of the node that @stx is of. Return: its id; 0, it is not known to the peer.
 * nodes_add() - The same, and make it if need be.
 *
 * @fd: open on it. @taken: it is a path descriptor, and the node's, or closed, in any case.
 * @stx has NODE_STATX_MASK.
 *
 * Return: 0; -ENFILE, there are too many mounts, or nodes that cannot lose their descriptor; -errno.
 */
uint64_t nodes_find(struct nodes *t, const struct statx *stx);
int nodes_add(struct nodes *t, const struct statx *stx, int fd, bool taken, uint64_t *ret_id)
	_must_check_;
/*
 * What the peer does with the names of a directory, which nodes_list_is_old() goes by: are the attributes of so many files
 * in it not known to the peer any more that it better takes the list anew, which brings them?
 *
 * nodes_listed() - @id was found in @dir; by a list that is made anew, if @entry.
 */
void nodes_list_begin(const struct node_ref *dir);
void nodes_listed(const struct node_ref *dir, uint64_t id, bool entry);
bool nodes_list_is_old(const struct node_ref *dir);
/* Under the lock: attributes of @n that the peer had, it has no longer. */
void node_used(struct nodes *t, const struct node *n);
/* Count one more lookup of a node that is pinned. */
uint64_t node_again(const struct node_ref *r);
/* Its backing file goes, too, if nobody has it open. */
void nodes_forget(struct nodes *t, uint64_t id, uint64_t nlookup);

/* It was just made: it has no capabilities, until somebody may have set some. */
void nodes_set_fresh(struct nodes *t, uint64_t id, bool fresh);
bool nodes_is_fresh(struct nodes *t, uint64_t id);

/* Under the lock: the node has no backing file any more. Return: its id, to be closed; 0. */
int node_take_backing(struct node *n);

/* Is the root found again by a handle? Then so are others of its mount. */
bool nodes_have_handles(struct nodes *t);
/* The directory and all nodes of its mount can be found by their handles, from now on: before any is added. */
int nodes_index_handles(struct nodes *t) _must_check_;
/* The id of the node of the root's mount with that handle; 0: there is none that the peer knows. */
uint64_t nodes_by_handle(struct nodes *t, int32_t type, const uint8_t *bytes, size_t size);
/* The id of the first node that the peer knows from index *at on, which is moved on; 0: there is none. */
uint64_t nodes_each(struct nodes *t, uint32_t *at);

/* Open the node anew. It is followed even if a symbolic link's target would be something else: none is. */
int node_open(const struct node_ref *r, int flags) _must_check_;

/*
 * What "/proc/self/fd" calls a descriptor: a path for calls that take no descriptor. The thread's
 * working directory is there (ident.h).
 */
struct fd_name {
	char text[12];
};
struct fd_name fd_name(int fd);

#endif
