/* SPDX-License-Identifier: MIT */
/*
 * sockproxy.h - stands in for the sockets of a directory tree that is served through FUSE.
 *
 * Theory of operation
 *
 * connect(2) looks for the socket that is bound to the inode that a path leads to. Of a file system of
 * ours that inode is another than the one behind it, to which the server of that socket is bound. So a
 * socket of ours is bound to it, by the one way there is: bind(2) makes a node (FUSE_MKNOD), the file
 * system answers with the node that it has already, and the kernel takes its inode for the one that was
 * bound. What is accepted there is carried on to the socket behind.
 *
 * Two processes, forked before the file system has a thread or a descriptor of /dev/fuse:
 *
 *	binder		binds, in a directory that only it can find; as the file system has to answer
 *			meanwhile, it can be no thread of that
 *	  carrier	accepts, connects in the client's name, and moves the bytes (forward.h)
 *
 * The other way round, a server in the file system binds a node there (FUSE_MKNOD), and the one behind it
 * has to be bound by us: by the file system itself, which makes that node by bind(2). Whether a stream,
 * packets or datagrams will come, nobody knows yet. The carrier looks who is bound to the node in
 * the file system, and once a stream listens there, it listens behind.
 *
 * If the file system is killed, the connection to the kernel ends all the same, and both end with it.
 */
#ifndef FORWARD_SOCKPROXY_H
#define FORWARD_SOCKPROXY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define SOCKPROXY_NAME_MAX 24 /* of what is bound: "%016x" of the id */

struct sockproxy {
	int sock; /* to the binder; readable when there is an answer */
	pid_t pid;
};
#define SOCKPROXY_INIT                \
	{                             \
		.sock = -1, .pid = -1 \
	}

struct sockproxy_job {
	uint64_t id; /* what is bound is called "%016x" of it */
	bool inwards; /* the server is in the file system, not behind it: the node is looked up by that name */
	int type;
	/* whom a client is to see at the other end */
	uid_t uid;
	gid_t gid;
};

struct sockproxy_answer {
	uint64_t id;
	int error; /* -errno; 0: the listening socket comes along, but not with @inwards */
};

/*
 * Fork both; with standard error, unless @quiet. Must be called with a single thread, and with no
 * descriptor of /dev/fuse open.
 */
int sockproxy_start(struct sockproxy *ret, bool quiet, struct err *e) _must_check_;
void sockproxy_stop(struct sockproxy *p);

/* Say where to bind: the directory @name (of less than 64 bytes) of the mount @mfd, looked up by the binder. */
int sockproxy_place(const struct sockproxy *p, int mfd, const char *name) _must_check_;

/*
 * sockproxy_ask() - Have it stand in for the socket that the path descriptor @fd is of; with @inwards,
 *	@fd is a stream socket of ours that is bound behind.
 * sockproxy_hear() - One answer to that; the listening socket, or -1, is the caller's. When that is shut
 *	down, it is over.
 *
 * Neither waits. Return: 0; -EAGAIN; another -errno: nobody is there any more.
 */
int sockproxy_ask(const struct sockproxy *p, const struct sockproxy_job *job, int fd) _must_check_;
int sockproxy_hear(const struct sockproxy *p, struct sockproxy_answer *ret, int *ret_listener)
	_must_check_;

#endif
