/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "store_file.h"
#include "ways.h"

#define SQ_SIZE 256
#define CQ_SIZE 4096
#define SMALL   16384 /* bytes */

/* A request that is alone can be carried out by a system call. What comes meanwhile waits, but no longer than that. */
#define HERE_NS   1000000
#define TRY_AGAIN 32

enum {
	HERE,
	RING
}; /* the ways of a request that is alone */

enum kind {
	READ_KIND,
	SMALL_WRITE,
	LARGE_WRITE,
	FLUSH_KIND,
	KINDS
};

struct store_uring {
	struct store store;
	struct store_file *file; /* owned */
	struct io_uring ring;
	unsigned int pending;  /* in the ring */
	struct store_req *own; /* the only one of its batch so far; not in the ring */
	struct store_req *done;
	struct ways ways[KINDS];
	unsigned int slow;       /* requests that were too slow to be waited for */
	struct store_req *timed; /* in the ring alone, */
	uint64_t since;          /* from then on */
};

static struct store_uring *uring_of(struct store *s)
{
	return (struct store_uring *)s;
}

static struct io_uring_sqe *next_sqe(struct store_uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe)
		return sqe;
	(void)io_uring_submit(&u->ring); /* the queue is full: the kernel takes all of it */
	return io_uring_get_sqe(&u->ring);
}

static void prepare(const struct store_uring *u, struct io_uring_sqe *sqe,
		    const struct store_req *r)
{
	switch (r->op) {
	case STORE_READ:
		io_uring_prep_readv(sqe, store_file_fd(u->file, r), r->iov, r->niov, r->off);
		return;
	case STORE_WRITE:
		io_uring_prep_writev2(sqe, store_file_fd(u->file, r), r->iov, r->niov, r->off,
				      r->durable ? RWF_DSYNC : 0);
		return;
	case STORE_FLUSH:
		io_uring_prep_fsync(sqe, u->file->fd, IORING_FSYNC_DATASYNC);
		return;
	case STORE_DISCARD:
	case STORE_ZERO:
		io_uring_prep_fallocate(sqe, u->file->fd, store_file_mode(r), (off_t)r->off,
					(off_t)r->len);
		return;
	}
}

/* To the ring. False: the kernel would not take any, so it was done the slow way. */
static bool enqueue(struct store_uring *u, struct store_req *r)
{
	struct io_uring_sqe *sqe = next_sqe(u);

	u->timed = NULL;
	if (!sqe) {
		store_file_do(u->file, r);
		return false;
	}
	prepare(u, sqe, r);
	io_uring_sqe_set_data(sqe, r);
	u->pending++;
	return true;
}

static enum kind kind_of(const struct store_req *r)
{
	if (r->op == STORE_FLUSH)
		return FLUSH_KIND;
	if (r->op == STORE_READ)
		return READ_KIND;
	return r->len <= SMALL ? SMALL_WRITE : LARGE_WRITE;
}

static bool can_be_alone(const struct store_uring *u, const struct store_req *r)
{
	return !u->pending && !u->own && !u->done &&
	       (r->op == STORE_FLUSH ||
		(u->store.patient && (r->op == STORE_READ || r->op == STORE_WRITE)));
}

static bool uring_submit(struct store *s, struct store_req *r)
{
	struct store_uring *u = uring_of(s);
	struct store_req *first = u->own;

	r->off += u->file->base;
	if (can_be_alone(u, r)) {
		u->own = r;
		return false;
	}
	u->own = NULL;
	if (first && !enqueue(u, first))
		u->done = first;
	return !enqueue(u, r);
}

static bool is_quick(struct store_uring *u, const struct ways *w)
{
	return w->mean_ns[HERE] <= HERE_NS || ++u->slow % TRY_AGAIN == 0;
}

/*
 * The only request of its batch. io_uring hands a flush to a thread, and a write's end goes through one of the kernel's on
 * some versions; that costs as much as a fast disk takes. But who waits in a system call has to be woken, and
 * who polls the ring hasn't. Which is better is found out.
 */
static void push_own(struct store_uring *u)
{
	struct store_req *r = u->own;
	struct ways *w = &u->ways[kind_of(r)];
	uint64_t start = ways_now_ns();

	u->own = NULL;
	if (ways_choose(w) == HERE && is_quick(u, w)) {
		store_file_do(u->file, r);
		ways_learn(w, HERE, ways_now_ns() - start);
		u->done = r;
	} else if (enqueue(u, r)) {
		u->timed = r;
		u->since = start;
	} else {
		u->done = r;
	}
}

static void uring_push(struct store *s)
{
	struct store_uring *u = uring_of(s);

	if (u->own)
		push_own(u);
	if (io_uring_sq_ready(&u->ring))
		(void)io_uring_submit(&u->ring); /* what it does not take now, it does next time */
}

/* Is the request done, now that the kernel says @res? Short transfers go on, refused ones go the plain way. */
static bool finish(struct store_uring *u, struct store_req *r, int res)
{
	bool transfer = r->op == STORE_READ || r->op == STORE_WRITE;

	if (res == -EINTR || res == -EAGAIN || (res == -EOPNOTSUPP && !transfer)) {
		store_file_do(u->file, r);
		return true;
	}
	if (transfer && res > 0 && store_req_advance(r, (size_t)res))
		return !enqueue(u, r);
	r->result = transfer && !res ? -EIO : res < 0 ? res : 0;
	return true;
}

static struct store_req *uring_reap(struct store *s, bool wait)
{
	struct store_uring *u = uring_of(s);
	struct io_uring_cqe *cqe;
	struct store_req *r = u->done;

	u->done = NULL;
	if (r)
		return r;
	while (u->pending) {
		int res = wait ? io_uring_submit_and_wait(&u->ring, 1) : 0;

		if (res < 0 && res != -EINTR && res != -EAGAIN && res != -EBUSY)
			return NULL; /* the ring is lost; nothing of it will come back */
		if (io_uring_peek_cqe(&u->ring, &cqe) < 0) {
			if (wait)
				continue;
			return NULL;
		}
		r = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
		u->pending--;
		if (r == u->timed)
			ways_learn(&u->ways[kind_of(r)], RING, ways_now_ns() - u->since);
		if (finish(u, r, res))
			return r;
		uring_push(s);
	}
	return NULL;
}

static void uring_free(struct store *s)
{
	struct store_uring *u = uring_of(s);

	io_uring_queue_exit(&u->ring);
	store_file_free(&u->file->store);
	free(u);
}

/* Completions at our next call instead of by an interrupt: Linux 6.0 has all three flags, 5.19 none. */
static int make_ring(struct io_uring *ring)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN |
					      IORING_SETUP_TASKRUN_FLAG |
					      IORING_SETUP_SINGLE_ISSUER,
				     .cq_entries = CQ_SIZE };
	int r = io_uring_queue_init_params(SQ_SIZE, ring, &p);

	if (r != -EINVAL)
		return r;
	p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = CQ_SIZE };
	return io_uring_queue_init_params(SQ_SIZE, ring, &p);
}

/*
 * A process that is killed does not wait for its requests: io_ring_exit_work() of the kernel does, and closes what was
 * registered when the last one is through.
 */
static int hold(struct io_uring *ring, int alive)
{
	int r = alive >= 0 ? io_uring_register_files(ring, &alive, 1) : 0;

	if (r < 0)
		io_uring_queue_exit(ring);
	return r;
}

int store_uring_init(struct store_file *f, int alive, struct store **ret)
{
	static const struct store_ops ops = { "io_uring", uring_submit, uring_push, uring_reap,
					      uring_free };
	struct store_uring *u = calloc(1, sizeof(*u));
	int r = u ? make_ring(&u->ring) : -ENOMEM;

	if (r == 0)
		r = hold(&u->ring, alive);
	if (r < 0) {
		free(u);
		return r;
	}
	(void)io_uring_ring_dontfork(&u->ring);
	u->store = f->store;
	u->store.ops = &ops;
	u->store.fd = u->ring.ring_fd;
	u->file = f;
	*ret = &u->store;
	return 0;
}
