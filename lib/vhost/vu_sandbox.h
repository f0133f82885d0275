/* SPDX-License-Identifier: MIT */
/*
 * vu_sandbox.h - what a back end may still ask of the kernel once it serves.
 *
 * Files are open, the socket listens, io_uring is set up: what is left is to accept, to map memory that
 * a front end shares, and to move bytes between descriptors. Anything else kills the process: nothing is opened,
 * executed or connected any more.
 */
#ifndef VHOST_VU_SANDBOX_H
#define VHOST_VU_SANDBOX_H

#include "err.h"

/* For good. The program has one thread. Besides, the ioctl @request is allowed; 0: none is. */
int vu_sandbox(unsigned int request, struct err *e) _must_check_;

#endif
