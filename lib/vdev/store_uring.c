/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

#include "store_file.h"

#define SQ_SIZE       256
#define CQ_SIZE       4096
#define FLUSH_HERE_NS 1000000
#define TRY_AGAIN     32
#define AVERAGE_OF    8

struct store_uring {
	struct store store;
	struct store_file *file; /* owned */
	struct io_uring ring;
	unsigned int pending;
	unsigned int slow_flushes; /* not made here */
	uint64_t flush_ns;         /* what one takes, made here; an average */
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

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * io_uring hands a flush to a thread, which costs as much as a fast disk's flush takes. With nothing else pending, and as
 * long as flushes are quick, it is made here: what comes meanwhile waits no longer than FLUSH_HERE_NS.
 */
static bool flush_here(struct store_uring *u, struct store_req *r)
{
	uint64_t start;

	if (u->pending || (u->flush_ns > FLUSH_HERE_NS && ++u->slow_flushes % TRY_AGAIN))
		return false;
	start = now_ns();
	store_file_do(u->file, r);
	u->flush_ns += (now_ns() - start) / AVERAGE_OF;
	u->flush_ns -= u->flush_ns / AVERAGE_OF;
	return true;
}

static bool uring_submit(struct store *s, struct store_req *r)
{
	struct store_uring *u = uring_of(s);
	struct io_uring_sqe *sqe;

	if (r->op == STORE_FLUSH && flush_here(u, r))
		return true;
	sqe = next_sqe(u);
	if (!sqe) { /* the kernel would not take any: slow, but done */
		store_file_do(u->file, r);
		return true;
	}
	prepare(u, sqe, r);
	io_uring_sqe_set_data(sqe, r);
	u->pending++;
	return false;
}

static void uring_push(struct store *s)
{
	struct store_uring *u = uring_of(s);

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
		return uring_submit(&u->store, r);
	r->result = transfer && !res ? -EIO : res < 0 ? res : 0;
	return true;
}

static struct store_req *uring_reap(struct store *s, bool wait)
{
	struct store_uring *u = uring_of(s);
	struct io_uring_cqe *cqe;

	while (u->pending) {
		struct store_req *r;
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
