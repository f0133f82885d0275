/* SPDX-License-Identifier: MIT */
/*
 * attach_chan.h - the host's end of a channel into a guest, whatever that is made of.
 *
 * A channel carries messages of up to WIRE_MAX bytes (lib/wire/wire.h), whole and in order, both ways; at
 * its other end is the descriptor 3 of vmsh-stage2. All of its functions may be called by any thread, several at a time;
 * attach_run() has one at a time in receive().
 */
#ifndef ATTACH_CHAN_H
#define ATTACH_CHAN_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct attach_chan;

struct attach_chan_ops {
	/* Send one message, in @n parts; at once or not at all. 0; -EAGAIN, no room; another -errno, it is over. */
	int (*send)(struct attach_chan *c, const struct iovec *iov, int n);
	/* Take one message. Its size; 0, the guest's end is gone; -EAGAIN, there is none; another -errno. */
	ssize_t (*receive)(struct attach_chan *c, void *buf, size_t size);
	/*
	 * Wait at most @timeout_ms for one of @events: POLLIN, a message or the end; POLLOUT, room for the largest
	 * message. Return: those that are, 0 for none.
	 */
	short (*wait)(struct attach_chan *c, short events, int timeout_ms);
	/* Who waits, or is about to wait for POLLIN without having received in between, does so no longer. NULL: it can't. */
	void (*wake)(struct attach_chan *c);
};

/* The first member of each channel's own. */
struct attach_chan {
	const struct attach_chan_ops *ops;
};

/* Over a socket that keeps the borders of messages (SOCK_SEQPACKET), borrowed: for tests. */
struct attach_sock {
	struct attach_chan chan;
	int fd;
};
struct attach_sock attach_sock_of(int fd);

#endif
