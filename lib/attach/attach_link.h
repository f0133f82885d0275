/* SPDX-License-Identifier: MIT */
/*
 * attach_link.h - what three kinds of threads do with one channel. Private to lib/attach.
 *
 * Theory of operation
 *
 *	reader		takes each message at once: requests of FUSE into the queue of those who serve them
 *			(attach_files.h), all else into the inbox
 *	serve		wait for room for their replies
 *	session		the caller of attach_run(): never waits for the channel (attach_out.h)
 *
 * The guest may send anything. What the inbox holds is bounded by the windows of wire.h, and who breaks
 * them is cut off.
 */
#ifndef ATTACH_LINK_H
#define ATTACH_LINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "attach_chan.h"
#include "err.h"
#include "flow.h"
#include "wire.h"

struct attach_files;

#define ATTACH_NOTES_MAX 4096

/* Under its lock; the session is woken by every change. */
struct attach_inbox {
	struct wire_rx rx[WIRE_STREAMS]; /* STDOUT, STDERR, TERMINAL */
	uint32_t credit[WIRE_STREAMS];   /* that came and was not taken: STDIN, TERMINAL, ARCHIVE */
	bool hello, has_fuse, has_type, ready, exited;
	int status;
	char notes[ATTACH_NOTES_MAX];
	size_t notes_len;
	bool over;        /* nothing more will come */
	struct err error; /* why, or of WIRE_ERROR; code 0: none */
};

struct attach_link {
	struct attach_chan *chan;           /* borrowed */
	struct attach_files *_Atomic files; /* or NULL; set before its requests come */
	pthread_mutex_t lock;               /* of @in */
	struct attach_inbox in;
	int wake; /* eventfd: look into the inbox */
	_Atomic bool stop, heard;
	pthread_t reader;
	bool started;
};

/* A thread of the session, which takes no signals: those of the process are its caller's. */
int attach_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, struct err *e) _must_check_;

int attach_link_init(struct attach_link *l, struct attach_chan *c, struct err *e) _must_check_;
/* Starts the reader: the first thread beside the caller. */
int attach_link_start(struct attach_link *l, struct err *e) _must_check_;
/* Ends it: threads that wait for room as well. */
void attach_link_stop(struct attach_link *l);
void attach_link_fini(struct attach_link *l);

/* Send at once, or -EAGAIN. */
int attach_link_try(struct attach_link *l, const struct iovec *iov, int n) _must_check_;
/* Send, and wait for room. -ECANCELED: the session is over. */
int attach_link_put(struct attach_link *l, const struct iovec *iov, int n) _must_check_;

/* Why the session is over, by a thread of ours; the first says it. */
void attach_link_fail(struct attach_link *l, const struct err *e);

#endif
