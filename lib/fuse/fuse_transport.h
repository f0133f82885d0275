/* SPDX-License-Identifier: MIT */
/*
 * fuse_transport.h - what carries requests in and replies out.
 *
 * Theory of operation
 *
 * A connection has channels; each is used by one thread at a time, which takes a request with
 * receive() and answers it with send() before it takes the next. A notification may be sent by any
 * thread, over any channel. A message that is delivered is a copy (fuse_req.h says why).
 *
 * Transports: fuse_dev.h (the kernel's device), fuse_ring.h (the kernel, over io_uring), fuse_mem.h (a
 * peer in the same process); attach_files.h in lib/attach (a guest's kernel).
 */
#ifndef FUSE_TRANSPORT_H
#define FUSE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct fuse_chan;

struct fuse_transport {
	/*
	 * Wait for a message; @buf is aligned to 8 bytes.
	 * Return: its size; 0 the connection is over; -EAGAIN try again; another -errno is the end, too.
	 */
	ssize_t (*receive)(struct fuse_chan *c, void *buf, size_t size);
	/* Send a message in @n parts, the first a fuse_out_header. -ENOENT: nobody waits for it any more. */
	int (*send)(struct fuse_chan *c, const struct iovec *iov, int n);
	/*
	 * send() may be called for a request from another thread, after the next was taken: where has_room() says so, while it is
	 * handled. NULL: always.
	 */
	bool late;
	bool (*has_room)(struct fuse_chan *c);
	/* receive() binds its thread to a processor. */
	bool bound;
	/*
	 * Have the peer do the input and output of @fd, a regular file, itself (FUSE_PASSTHROUGH).
	 * Return: an id > 0 for struct fuse_open_out; -errno. NULL: it can't.
	 */
	int (*backing_open)(struct fuse_chan *c, int fd);
	void (*backing_close)(struct fuse_chan *c, int id);
};

/* The first member of each transport's own channel. */
struct fuse_chan {
	const struct fuse_transport *ops;
};

/* May the request that this thread handles be answered late? */
static inline bool fuse_chan_late(struct fuse_chan *c)
{
	return c->ops->late && (!c->ops->has_room || c->ops->has_room(c));
}

#endif
