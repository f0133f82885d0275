/* SPDX-License-Identifier: MIT */
/* vfs_sockets_private.h - the table of sockets, between those who answer requests and the one thread. */
#ifndef VFS_SOCKETS_PRIVATE_H
#define VFS_SOCKETS_PRIVATE_H

#include <pthread.h>
#include <stdint.h>

#include "sockproxy.h"
#include "vfs_sockets.h"

/* The binder's directory. No node of a tree has the id: index 0 is nobody's (nodes.h). */
#define PLACE_ID (UINT64_C(1) << 32)

enum state {
	FREE,
	WANTED, /* the binder is still to be asked */
	ASKED,
	LIVE,
	INWARD /* the server is at the mount: @listener is bound behind */
};

struct waiter {
	struct fuse_chan *chan;
	uint64_t unique;
	struct fuse_entry_out out;
};

struct socket {
	uint64_t id; /* of the node */
	enum state state;
	int type;
	int behind;   /* a path descriptor of the socket of the tree */
	int listener; /* ours; shut down, when it is over */
	uint64_t used;
	bool told; /* of INWARD: the binder was */
	struct waiter *waiter;
	size_t nwaiters, room;
};

struct vfs_sockets {
	struct vfs_sockets_conf conf;
	struct fuse_fs fs;      /* conf.fs, behind us */
	struct sockproxy proxy; /* the one thread's, and what follows */
	int epoll, wake, timer;
	int mfd;
	char place[40];
	pthread_mutex_t lock; /* of what follows */
	bool over;
	uint64_t clock;
	struct socket socket[VFS_SOCKETS_MAX];
};

/* --- vfs_sockets_table.c; with @s->lock held --- */

struct socket *sockets_find(struct vfs_sockets *s, uint64_t id);
/* A free place, else that of the one that was not looked up for longest. NULL: all are needed. */
struct socket *sockets_place_for(struct vfs_sockets *s);
/* Free a place, and close its socket; nobody may wait for it. */
void sockets_drop(struct socket *k);
/* The carrier shuts a socket down when nobody is there any more. */
bool sockets_is_shut(const struct socket *k);
int sockets_wait_for(struct socket *k, struct fuse_chan *chan, uint64_t unique,
		     const struct fuse_entry_out *out) _must_check_;

/* --- vfs_sockets_fs.c --- */

void sockets_fs_init(struct vfs_sockets *s);

#endif
