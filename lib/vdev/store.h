/* SPDX-License-Identifier: MIT */
/*
 * store.h - where a disk's blocks are kept.
 *
 * Theory of operation
 *
 * A request is handed over with store_submit(); it is done at once or later.
 * What is not done at once may wait in a batch until store_push(), and is
 * returned by store_reap() when it is done. Requests and their buffers are the
 * caller's and stay in place until then. Requests run in any order, so only a
 * flush that is submitted after a write was reaped covers it. A batch of one, and any
 * flush with nothing beside it, may be waited for in store_push(), if its caller is patient.
 *
 * There are four stores: a file by io_uring, the same file by plain system
 * calls where io_uring is refused, one on top of that for memory of another process (store_far.h),
 * and one that keeps nothing, for measuring.
 *
 * One thread.
 */
#ifndef VDEV_STORE_H
#define VDEV_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "err.h"

enum store_op {
	STORE_READ,
	STORE_WRITE,
	STORE_FLUSH,
	STORE_DISCARD, /* contents are undefined after it */
	STORE_ZERO
};

struct store_req {
	enum store_op op;
	bool durable;      /* a write: on stable storage when it is done */
	bool unmap;        /* a zero: may give the space back */
	uint64_t off, len; /* bytes, within the store */
	struct iovec *iov; /* reads and writes; of @len bytes; changed by the store */
	unsigned int niov;
	int result; /* 0 or -errno */
};

struct store {
	const struct store_ops *ops;
	uint64_t size;     /* bytes; a multiple of 512 */
	uint32_t physical; /* block size that writes fast; a power of two >= 512 */
	bool read_only;
	bool patient; /* the caller's: a push may take as long as a request, for nothing else is expected meanwhile */
	int fd; /* readable when something may be reaped; -1: never */
};

struct store_ops {
	const char *name;
	bool (*submit)(struct store *s, struct store_req *r);
	void (*push)(struct store *s);
	struct store_req *(*reap)(struct store *s, bool wait);
	void (*free)(struct store *s);
};

/* Return: is it done already? Then it is not reaped. */
static inline bool _must_check_ store_submit(struct store *s, struct store_req *r)
{
	return s->ops->submit(s, r);
}

static inline void store_push(struct store *s)
{
	s->ops->push(s);
}

/* The next request that is done; NULL: none is. With @wait, and one pending, there is one. */
static inline struct store_req *store_reap(struct store *s, bool wait)
{
	return s->ops->reap(s, wait);
}

static inline void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

struct store_file_conf {
	const char *path;
	long fd; /* if >= 0 the file, open already, and @path its name for messages; borrowed, and locked */
	long alive; /* if >= 0 a descriptor that io_uring holds as long as anything is under way */
	bool again; /* @fd was another's, whose writes must not have been lost */
	bool read_only;
	bool no_direct;     /* through the page cache, even where the file system takes O_DIRECT */
	bool no_uring;      /* plain system calls; io_uring is for the thread that opens it alone */
	uint64_t off, size; /* the part that is the store; 0 bytes: all from @off on */
};

/*
 * store_file_new() - Open and lock a file or block device.
 *
 * Refused: what is empty, what is neither file nor block device, and what another
 * process has locked, of which one may write.
 */
int store_file_new(const struct store_file_conf *conf, struct store **ret, struct err *e)
	_must_check_;

/* Keeps nothing: writes are forgotten, reads leave the buffers as they are. */
int store_null_new(uint64_t size, struct store **ret, struct err *e) _must_check_;

#endif
