/* SPDX-License-Identifier: MIT */
/*
 * fuse_mem.h - a transport whose peer is in the same process: for tests, and as the smallest example.
 *
 * Any thread pushes messages; threads that serve, one per channel or all on one, take them in order.
 * Each reply is given to @replied on the thread that made it.
 */
#ifndef FUSE_MEM_H
#define FUSE_MEM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "fuse_transport.h"

#define FUSE_MEM_QUEUE 16

struct fuse_mem {
	struct fuse_chan chan; /* may be used by several threads */
	void (*replied)(void *arg, const struct iovec *iov, int n);
	void *arg;
	/* its own; under @lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		const void *msg;
		size_t size;
	} queue[FUSE_MEM_QUEUE];
	unsigned int head, tail;
	bool over;
};

void fuse_mem_init(struct fuse_mem *m, void (*replied)(void *arg, const struct iovec *iov, int n),
		   void *arg);
void fuse_mem_fini(struct fuse_mem *m);

/* Queue a message, which is borrowed until it is answered; waits while the queue is full. */
void fuse_mem_push(struct fuse_mem *m, const void *msg, size_t size);
/* What is queued is still answered, then all threads see the end. */
void fuse_mem_end(struct fuse_mem *m);

#endif
