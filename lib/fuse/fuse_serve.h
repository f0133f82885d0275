/* SPDX-License-Identifier: MIT */
/* fuse_serve.h - threads that answer a session's requests, one per channel. */
#ifndef FUSE_SERVE_H
#define FUSE_SERVE_H

#include "err.h"
#include "fuse_session.h"

struct fuse_server;

/* Answer messages of @c here, until FUSE_INIT was one. Return: 0; -ECONNABORTED, it is over already; -errno. */
int fuse_serve_init(struct fuse_session *s, struct fuse_chan *c) _must_check_;

/*
 * fuse_serve_start() - Start @n <= FUSE_WORKERS_MAX threads, each for one of @chan.
 *
 * FUSE_INTERRUPT_SIGNAL becomes the signal of interrupts, in all of the process. The session and the channels are
 * borrowed until fuse_serve_wait().
 */
int fuse_serve_start(struct fuse_session *s, struct fuse_chan **chan, unsigned int n,
		     struct fuse_server **ret, struct err *e) _must_check_;

/* Readable once a thread saw the end of the connection, or failed. */
int fuse_serve_fd(const struct fuse_server *v);

/* Wait for all threads, which end with the connection; free @v. NULL is fine. */
void fuse_serve_wait(struct fuse_server *v);

#endif
