/* SPDX-License-Identifier: MIT */
/*
 * vu_serve.h - the loop of a back end: rings are polled while there is work, then it sleeps.
 *
 * Theory of operation
 *
 * While chains come, nothing but memory is looked at, and now and then the
 * socket. After a look without work it asks for notifications, looks once
 * more, and sleeps on the socket, the queues' kick descriptors and the
 * device's. A long look spares the tens of microseconds that being woken takes;
 * where the driver needs our processor to go on, it is what holds it up, and where
 * work is rare, it is for nothing. So long looks are gone on with while at least a fourth of
 * them see work in time, and tried now and then if not; never with one processor.
 */
#ifndef VHOST_VU_SERVE_H
#define VHOST_VU_SERVE_H

#include "vu_back.h"

#define VU_POLL_NS 200000 /* twice what a fast disk takes */

/* Serve until the front end is gone (0) or breaks the protocol. @poll_max_ns of 0: never poll. */
int vu_serve(struct vu_back *b, uint64_t poll_max_ns, struct err *e) _must_check_;

/* A back end for the front end at @sock, which is taken: vu_serve() from beginning to end. */
int vu_serve_one(const struct vu_device *dev, int sock, uint64_t poll_max_ns, struct err *e)
	_must_check_;

/*
 * One for the first front end that connects to @listener; with @keep for each in turn, and one that
 * breaks the protocol is not the end.
 */
int vu_serve_listener(const struct vu_device *dev, int listener, bool keep, uint64_t poll_max_ns,
		      struct err *e) _must_check_;

#endif
