/* SPDX-License-Identifier: MIT */
/*
 * vu_serve.h - the loop of a back end: rings are polled while there is work, then it sleeps.
 *
 * Theory of operation
 *
 * While chains come, nothing but memory is looked at, and now and then the
 * socket. After a window without work it asks for notifications, looks once
 * more, and sleeps on the socket, the queues' kick descriptors and the
 * device's. The window is between 0 and the maximum: it doubles when work came
 * within it and is halved when none did. So it vanishes where there is little
 * work, and where the driver and we share a processor; there it is tried again
 * after every few sleeps that were short.
 */
#ifndef VHOST_VU_SERVE_H
#define VHOST_VU_SERVE_H

#include "vu_back.h"

#define VU_POLL_NS 100000

/* Serve until the front end is gone (0) or breaks the protocol. @poll_max_ns of 0: never poll. */
int vu_serve(struct vu_back *b, uint64_t poll_max_ns, struct err *e) _must_check_;

#endif
