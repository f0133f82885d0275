/* SPDX-License-Identifier: MIT */
/*
 * fuse_ring.h - FUSE over io_uring: a ring for each processor, Linux 6.14.
 *
 * Theory of operation
 *
 * Requests that are made on a processor come by the queue of its number, to a thread that is bound to
 * it: so nobody wakes another processor, and the reply and the wait for the next request are one system
 * call. A queue has a few entries: memory that the kernel fills in while the entry is its, and that is ours until we
 * give it back with the reply in it. send() writes the reply, receive() hands it over.
 *
 * The thread has one request at a time; the others are for those that are answered late. Such a reply is written by another thread,
 * which wakes the queue's own by an eventfd, for a ring has one thread that may use it. One entry is kept: who is to answer
 * may have to ask us something first.
 *
 * The kernel uses the rings once there is an entry in each queue. What cannot come by a ring (forgets,
 * interrupts) comes by the device, which needs a thread of its own; notifications leave by it. If the kernel
 * refuses an entry, it uses no ring at all, and neither do we: the channel reads the device from then on.
 *
 * To agree on FUSE_OVER_IO_URING and not to register makes all users wait. So everything that may fail is
 * done before: fuse_rings_init() comes before the session, the session's first message is answered by the
 * caller, and only then the channels are used.
 */
#ifndef FUSE_RING_H
#define FUSE_RING_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>

#include "fuse_dev.h"
#include "fuse_session.h"

struct fuse_uring_head;

/* The kernel takes the one that was given back last: those beyond cost address space. */
#define FUSE_RING_ENTRIES 8

struct fuse_ring_entry {
	enum {
		FUSE_ENTRY_WAITING,  /* the kernel's */
		FUSE_ENTRY_BAD,      /* what came is no request, but has to be answered */
		FUSE_ENTRY_REQUEST,  /* a request, that of the thread, or that is answered late */
		FUSE_ENTRY_ANSWERED, /* and the reply */
	} state;
	uint64_t unique;
	struct fuse_uring_head *head;
	uint8_t *payload;
	struct iovec iov[2]; /* of both, for the kernel */
};

struct fuse_ring {
	struct fuse_chan chan;
	struct fuse_dev *dev; /* borrowed */
	struct io_uring ring;
	unsigned int queue;
	enum {
		FUSE_RING_NEW,
		FUSE_RING_USED,
		FUSE_RING_NONE, /* refused: the device is read */
	} state;
	bool used; /* there was a request */
	int event; /* there are late replies */
	uint64_t events;
	pthread_t self;
	struct fuse_ring_entry *now; /* that the thread handles; or NULL */
	pthread_mutex_t lock;        /* of each entry's @state and @unique */
	struct fuse_ring_entry entry[FUSE_RING_ENTRIES];
};

struct fuse_rings {
	struct fuse_ring *ring;
	unsigned int n; /* one for each possible processor; 0: there are none */
};

/* Return: 0; -errno, io_uring can't be used; -ENOSPC, there are more processors than threads may be. */
int fuse_rings_init(struct fuse_rings *r, struct fuse_dev *dev) _must_check_;
/* Once no thread uses them any more. Of what is all zero nothing is done. */
void fuse_rings_fini(struct fuse_rings *r);

#endif
