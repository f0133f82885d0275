/* SPDX-License-Identifier: MIT */
/*
 * fuse_session.h - one mounted file system: negotiation, dispatch, interrupts, notifications.
 *
 * Theory of operation
 *
 * fuse_session_handle() takes a message apart, calls the file system's function for its opcode, and
 * sends what that says. An opcode without a function is answered ENOSYS, which the kernel remembers:
 * to have no function for FUSE_FLUSH saves that message. Nothing a peer sends ends a session; it ends
 * with its transport.
 *
 * FUSE_INIT comes first and once. What is asked for (struct fuse_conf) and offered is agreed on there,
 * and stands in @params from then on, unchanged.
 *
 * Functions answer before they return, on the worker's thread. An interrupt makes a signal there, again and
 * again until the function returns, so that a system call ends with EINTR; an EINTR without an interrupt is of another request, whose
 * signal came late, and the function is called again. So a function that returns EINTR must have done
 * nothing.
 */
#ifndef FUSE_SESSION_H
#define FUSE_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fuse_out.h"
#include "fuse_req.h"
#include "fuse_transport.h"

#define FUSE_WORKERS_MAX 64
/* To a thread whose request was interrupted. One that no user sends. */
#define FUSE_INTERRUPT_SIGNAL SIGRTMIN
#define FUSE_MAX_WRITE        (1u << 20)
/* For the structures in front of the data of FUSE_WRITE. */
#define FUSE_WRITE_HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* A request on its way through the file system. */
struct fuse_call {
	const struct fuse_req *req;
	struct fuse_chan *chan;
	const struct fuse_params *params;
	struct fuse_out out;
};

/*
 * Return: 0 and @call->out is the reply; -errno; FUSE_LATER, fuse_session_reply() will be called for
 * it, where fuse_chan_late() says so.
 */
#define FUSE_LATER 1
typedef int (*fuse_op)(void *fs, struct fuse_call *call);

struct fuse_fs {
	fuse_op op[FUSE_OPCODES]; /* not: INIT, DESTROY, INTERRUPT; FORGETs come as forget() */
	void (*forget)(void *fs, uint64_t nodeid, uint64_t nlookup);
	/* The connection is over: all nodes are forgotten, all files closed. May be NULL. */
	void (*destroy)(void *fs);
	/* Called by each thread that will handle requests, before its first. May be NULL. */
	int (*thread_start)(void *fs);
};

struct fuse_conf {
	uint64_t flags;     /* wanted; FUSE_INIT_EXT and FUSE_MAX_PAGES come by themselves */
	uint32_t max_write; /* up to FUSE_MAX_WRITE */
	uint32_t
		max_readahead; /* more than the kernel offers: if somebody raises the mount's own (backing device), the kernel takes the less of both */
	uint32_t max_stack_depth;
	bool ordinary; /* threads that serve stay as the scheduler has them: fuse_place.h */
};

/* What both sides agreed on. */
struct fuse_params {
	uint32_t minor;
	uint64_t flags;
};

enum fuse_state {
	FUSE_STATE_NEW,
	FUSE_STATE_STARTING,
	FUSE_STATE_RUNNING,
	FUSE_STATE_OVER
};

/* Written by its own thread; read by that which handles an interrupt. */
struct fuse_worker {
	pthread_t thread;
	_Atomic uint64_t unique;      /* of the request that it handles; 0: none */
	_Atomic uint64_t interrupted; /* the last that was interrupted here */
	_Atomic bool live;            /* @thread may be signalled */
};

struct fuse_session {
	const struct fuse_fs *fs; /* borrowed */
	void *arg;                /* for its functions */
	struct fuse_conf conf;
	struct fuse_params params; /* once RUNNING */
	_Atomic int state;         /* enum fuse_state; RUNNING releases @params */
	struct fuse_worker worker[FUSE_WORKERS_MAX];
	_Atomic uint64_t count[FUSE_OPCODES]; /* requests seen; [0]: of unknown opcodes */
};

void fuse_session_init(struct fuse_session *s, const struct fuse_fs *fs, void *arg,
		       const struct fuse_conf *conf);

/*
 * fuse_session_handle() - Answer the message @msg of @size bytes, aligned to 8, that came by @c.
 *
 * @worker: index of the calling thread's place; @out: memory for the reply.
 *
 * Return: 0; -errno, the reply could not be sent.
 */
int fuse_session_handle(struct fuse_session *s, struct fuse_chan *c, unsigned int worker,
			const void *msg, size_t size, const struct fuse_out *out) _must_check_;

/* Answer a request that was put off, from any thread: as its function would have. -ENOENT: nobody waits. */
int fuse_session_reply(struct fuse_chan *c, uint64_t unique, int error, const struct fuse_out *out);

/* Tell the file system that the connection is over; again does nothing. No thread may handle any more. */
void fuse_session_end(struct fuse_session *s);

/* Any thread, while no lock is held that a function takes. -ENOENT: the peer does not know it. */
int fuse_notify_inode(struct fuse_chan *c, uint64_t nodeid, int64_t off, int64_t len);
int fuse_notify_entry(struct fuse_chan *c, uint64_t parent, const char *name);
/* All entries that were told so far; from FUSE_MINOR_EPOCH on. */
int fuse_notify_epoch(struct fuse_chan *c);

#endif
