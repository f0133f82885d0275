/* SPDX-License-Identifier: MIT */
/*
 * vu_serve.h - the loop of a back end: rings are polled while there is work, then it sleeps.
 *
 * Theory of operation
 *
 * While chains come, nothing but memory is looked at, and now and then the
 * socket. After a window without work it asks for notifications, looks once
 * more, and sleeps on the socket, the queues' kick descriptors and the
 * device's. The window is between 0 and the maximum: it doubles when sleep was
 * shorter than the maximum, so that polling would have caught the work, and is
 * halved when it was longer.
 */
#ifndef VHOST_VU_SERVE_H
#define VHOST_VU_SERVE_H

#include "vu_back.h"

#define VU_POLL_NS 100000

/* Serve until the front end is gone (0) or breaks the protocol. @poll_max_ns of 0: never poll. */
int vu_serve(struct vu_back *b, uint64_t poll_max_ns, struct err *e) _must_check_;

#endif
