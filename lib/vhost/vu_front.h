/* SPDX-License-Identifier: MIT */
/*
 * vu_front.h - vhost-user front end: negotiation and set-up. The back end is not trusted.
 *
 * Theory of operation
 *
 * vu_front_open(), vu_front_set_protocol() and vu_front_set_features() agree on
 * what the two ends can, vu_front_config() reads the device's configuration,
 * vu_front_share() shares memory, vu_front_queue() starts a queue of it,
 * vu_front_stop() stops one. Bytes and descriptors go
 * through two functions of the caller's: a socket here, host calls in the
 * library OS's kernel, an array in tests.
 *
 * Replies are checked for form by vu_msg.h and for sense here: no feature
 * that was not asked for, no reply to another request. After an error the
 * connection is of no more use; @why says what the peer did, for the message.
 *
 * No I/O of its own, no allocation.
 */
#ifndef VHOST_VU_FRONT_H
#define VHOST_VU_FRONT_H

#include "vu_msg.h"

/* 0 or -errno; receive takes exactly @len bytes. */
struct vu_io {
	int (*send)(void *arg, const void *buf, size_t len, const int *fds, size_t nfds);
	int (*recv)(void *arg, void *buf, size_t len);
	void *arg;
};

struct vu_front {
	struct vu_io io;
	uint64_t offered;  /* device features that the back end has */
	uint64_t features; /* those that were agreed on */
	uint64_t protocol; /* protocol features that were agreed on */
	uint32_t request;  /* the last one, for messages */
	const char *why;   /* what was wrong with the reply; NULL: nothing, the connection failed */
	/* scratch, so that no message lies on a small stack */
	struct vu_msg out, in;
};

/* Becomes the owner and learns what the back end has; @f->offered is set. */
int vu_front_open(struct vu_front *f, const struct vu_io *io) _must_check_;

/* Agree on what both have of @protocol features, and of device @features. The latter may be done again. */
int vu_front_set_protocol(struct vu_front *f, uint64_t protocol) _must_check_;
int vu_front_set_features(struct vu_front *f, uint64_t features) _must_check_;

/* How many queues it has: 1 without VU_P_MQ. */
int vu_front_queues(struct vu_front *f, unsigned int *ret) _must_check_;

/* @len bytes of configuration from @off; -EOPNOTSUPP without VU_P_CONFIG. */
int vu_front_config(struct vu_front *f, uint32_t off, void *buf, uint32_t len) _must_check_;
int vu_front_set_config(struct vu_front *f, uint32_t off, const void *buf, uint32_t len)
	_must_check_;

/* Share memory: one region, or as many as a table takes. The descriptors stay the caller's. */
int vu_front_share(struct vu_front *f, const struct vu_region *region, const int *fds,
		   unsigned int n) _must_check_;

struct vu_front_queue {
	unsigned int index;
	uint16_t size;
	uint16_t base;
	uint64_t desc, avail, used; /* in the region's user addresses */
	int kick, call, err;        /* eventfds; call and err may be -1 */
};

/* Returns when the back end has the queue, as far as it tells. */
int vu_front_queue(struct vu_front *f, const struct vu_front_queue *q) _must_check_;
/* The back end has finished what it took; *@ret_base is the next chain that it would have taken. */
int vu_front_stop(struct vu_front *f, unsigned int index, uint16_t *ret_base) _must_check_;

#endif
