/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "fuse"
#include "fuse_ring.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/fuse.h"
#include "cursor.h"
#include "log.h"

#define PAGE    4096
#define PAYLOAD FUSE_MAX_WRITE

static struct fuse_ring *ring_of(struct fuse_chan *c)
{
	return (struct fuse_ring *)c; /* its first member */
}

/* --- the kernel's side --- */

static int queue_command(struct fuse_ring *r, uint32_t op, uint64_t commit_id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	const struct fuse_uring_cmd_req cmd = { .commit_id = commit_id, .qid = (uint16_t)r->queue };

	if (!sqe)
		return -EIO;
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, r->dev->fd, r->iov, ARRAY_SIZE(r->iov), 0);
	sqe->cmd_op = op;
	memcpy(sqe->cmd, &cmd, sizeof(cmd));
	return 0;
}

/* The thread that uses the channel from now on. */
static int join(struct fuse_ring *r)
{
	cpu_set_t *cpu = CPU_ALLOC(r->queue + 1);
	size_t size = CPU_ALLOC_SIZE(r->queue + 1);

	/* On another processor it is slower, and works. */
	if (cpu) {
		CPU_ZERO_S(size, cpu);
		CPU_SET_S(r->queue, size, cpu);
		(void)sched_setaffinity(0, size, cpu);
		CPU_FREE(cpu);
	}
	r->state = FUSE_RING_WAITING;
	/* liburing 2.3 forgets to export its function for that. */
	if (syscall(SYS_io_uring_register, r->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) <
	    0)
		return -errno;
	return queue_command(r, FUSE_IO_URING_CMD_REGISTER, 0);
}

/* Give the entry back, with its reply. */
static int hand_over(struct fuse_ring *r)
{
	if (r->state == FUSE_RING_REQUEST) {
		/* What nobody answers would take the entry away for good. */
		struct fuse_in_header in;
		struct fuse_out_header out = { .len = sizeof(out), .error = -EIO };

		memcpy(&in, r->head->in_out, sizeof(in));
		out.unique = in.unique;
		memcpy(r->head->in_out, &out, sizeof(out));
		r->head->ent.payload_size = 0;
	}
	r->state = FUSE_RING_WAITING;
	return queue_command(r, FUSE_IO_URING_CMD_COMMIT_AND_FETCH, r->head->ent.commit_id);
}

/* --- a message in one piece --- */

static ssize_t take(struct fuse_ring *r, uint8_t *buf, size_t size)
{
	uint32_t payload = r->head->ent.payload_size, arg;
	struct fuse_in_header h;

	r->state = FUSE_RING_REQUEST;
	memcpy(&h, r->head->in_out, sizeof(h));
	if (h.len < sizeof(h) || payload > h.len - sizeof(h) || payload > PAYLOAD || h.len > size)
		return -EAGAIN;
	arg = h.len - (uint32_t)sizeof(h) - payload;
	if (arg > sizeof(r->head->op_in))
		return -EAGAIN;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), r->head->op_in, arg);
	memcpy(buf + sizeof(h) + arg, r->payload, payload);
	return (ssize_t)h.len;
}

/* No entry was ever used: the kernel refused it. */
static ssize_t refused(struct fuse_ring *r, int error, void *buf, size_t size)
{
	if (r->state != FUSE_RING_NONE)
		log_info("FUSE over io_uring is refused: %s", err_str(error));
	r->state = FUSE_RING_NONE;
	return r->dev->chan.ops->receive(&r->dev->chan, buf, size);
}

static bool is_over(int error)
{
	return error == -ENOTCONN || error == -ECONNABORTED || error == -ECANCELED ||
	       error == -ENODEV;
}

static ssize_t ring_receive(struct fuse_chan *c, void *buf, size_t size)
{
	struct fuse_ring *r = ring_of(c);
	struct io_uring_cqe *cqe;
	int error = 0;

	if (r->state == FUSE_RING_NONE)
		return refused(r, 0, buf, size);
	if (r->state == FUSE_RING_NEW)
		error = join(r);
	else if (r->state != FUSE_RING_WAITING)
		error = hand_over(r);
	if (error == 0)
		error = io_uring_submit_and_wait(&r->ring, 1);
	if (error == -EINTR || error == -EAGAIN)
		return -EAGAIN;
	if (error < 0)
		return error;
	if (io_uring_peek_cqe(&r->ring, &cqe) < 0)
		return -EAGAIN;
	error = cqe->res;
	io_uring_cqe_seen(&r->ring, cqe);
	if (error >= 0) {
		r->used = true;
		return take(r, buf, size);
	}
	if (is_over(error))
		return 0;
	return r->used ? error : refused(r, error, buf, size);
}

static int ring_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct fuse_ring *r = ring_of(c);
	struct fuse_out_header h;
	size_t at = 0;

	memcpy(&h, iov[0].iov_base, sizeof(h));
	/* Notifications leave by the device. */
	if (h.unique == 0 || r->state == FUSE_RING_NONE)
		return r->dev->chan.ops->send(&r->dev->chan, iov, n);
	if (r->state != FUSE_RING_REQUEST)
		return -EIO;
	for (int i = 1; i < n; i++) {
		if (iov[i].iov_len > PAYLOAD - at)
			return -EIO;
		memcpy(r->payload + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	memcpy(r->head->in_out, &h, sizeof(h));
	r->head->ent.payload_size = (uint32_t)at;
	r->state = FUSE_RING_ANSWERED;
	return 0;
}

static int ring_backing_open(struct fuse_chan *c, int fd)
{
	struct fuse_dev *dev = ring_of(c)->dev;

	return dev->chan.ops->backing_open(&dev->chan, fd);
}

static void ring_backing_close(struct fuse_chan *c, int id)
{
	struct fuse_dev *dev = ring_of(c)->dev;

	dev->chan.ops->backing_close(&dev->chan, id);
}

static const struct fuse_transport ring_transport = {
	.receive = ring_receive,
	.send = ring_send,
	.bound = true,
	.backing_open = ring_backing_open,
	.backing_close = ring_backing_close,
};

/* --- set-up --- */

/* Processors that may ever be: "0-3", "0,2-5". Return: how many; 0, it can't be told. */
static unsigned int possible_processors(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	char line[256] = "";
	struct cursor c;
	struct span part;
	unsigned int n = 0;

	if (!f)
		return 0;
	c = cur_of(line, fgets(line, sizeof(line), f) ? strcspn(line, "\n") : 0);
	(void)fclose(f);
	while (cur_until(&c, ',', &part)) {
		const char *dash = memchr(part.p, '-', part.len);
		struct span first = { part.p, dash ? (size_t)(dash - part.p) : part.len };
		struct span last = { first.p, first.len };
		uint64_t a, b;

		if (dash)
			last = (struct span){ dash + 1, part.len - first.len - 1 };
		if (span_u64(first, 10, &a) < 0 || span_u64(last, 10, &b) < 0 || b < a ||
		    b - a > FUSE_WORKERS_MAX)
			return 0;
		n += (unsigned int)(b - a) + 1;
	}
	return n;
}

static int ring_init(struct fuse_ring *r, struct fuse_dev *dev, unsigned int queue)
{
	/* IORING_SETUP_SQE128: Linux 5.19; DEFER_TASKRUN: 6.1. Whoever enables it is its one user. */
	struct io_uring_params p = { .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN |
					      IORING_SETUP_R_DISABLED };
	int error;

	r->chan.ops = &ring_transport;
	r->dev = dev;
	r->queue = queue;
	r->ring.ring_fd = -1;
	r->head = aligned_alloc(PAGE, PAGE);
	r->payload = aligned_alloc(PAGE, PAYLOAD);
	if (!r->head || !r->payload)
		return -ENOMEM;
	memset(r->head, 0, PAGE);
	r->iov[0] = (struct iovec){ r->head, sizeof(*r->head) };
	r->iov[1] = (struct iovec){ r->payload, PAYLOAD };
	error = io_uring_queue_init_params(4, &r->ring, &p);
	if (error < 0)
		r->ring.ring_fd = -1;
	return error;
}

int fuse_rings_init(struct fuse_rings *r, struct fuse_dev *dev)
{
	unsigned int n = possible_processors();
	int error = 0;

	*r = (struct fuse_rings){ 0 };
	/* One more thread for the device. */
	if (!n || n > FUSE_WORKERS_MAX - 1)
		return -ENOSPC;
	r->ring = calloc(n, sizeof(*r->ring));
	if (!r->ring)
		return -ENOMEM;
	while (r->n < n && error == 0) {
		error = ring_init(&r->ring[r->n], dev, r->n);
		r->n++;
	}
	if (error < 0)
		fuse_rings_fini(r);
	return error;
}

void fuse_rings_fini(struct fuse_rings *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		/* The kernel may write to the memory until its ring is gone. */
		if (r->ring[i].ring.ring_fd >= 0)
			io_uring_queue_exit(&r->ring[i].ring);
		free(r->ring[i].head);
		free(r->ring[i].payload);
	}
	free(r->ring);
	*r = (struct fuse_rings){ 0 };
}
