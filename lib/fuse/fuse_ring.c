/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "fuse"
#include "fuse_ring.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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

static int queue_command(struct fuse_ring *r, struct fuse_ring_entry *e, uint32_t op,
			 uint64_t commit_id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	const struct fuse_uring_cmd_req cmd = { .commit_id = commit_id, .qid = (uint16_t)r->queue };

	if (!sqe)
		return -EIO;
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, r->dev->fd, e->iov, ARRAY_SIZE(e->iov), 0);
	io_uring_sqe_set_data(sqe, e);
	sqe->cmd_op = op;
	memcpy(sqe->cmd, &cmd, sizeof(cmd));
	return 0;
}

/* Be woken by late replies; its data is NULL. */
static int queue_event(struct fuse_ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	if (!sqe)
		return -EIO;
	io_uring_prep_read(sqe, r->event, &r->events, sizeof(r->events), 0);
	io_uring_sqe_set_data(sqe, NULL);
	return 0;
}

/* The thread that uses the channel from now on. */
static int join(struct fuse_ring *r)
{
	cpu_set_t *cpu = CPU_ALLOC(r->queue + 1);
	size_t size = CPU_ALLOC_SIZE(r->queue + 1);
	int error = 0;

	/* On another processor it is slower, and works. */
	if (cpu) {
		CPU_ZERO_S(size, cpu);
		CPU_SET_S(r->queue, size, cpu);
		(void)sched_setaffinity(0, size, cpu);
		CPU_FREE(cpu);
	}
	r->state = FUSE_RING_USED;
	r->self = pthread_self();
	/* liburing 2.3 forgets to export its function for that. */
	if (syscall(SYS_io_uring_register, r->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) <
	    0)
		return -errno;
	for (unsigned int i = 0; error == 0 && i < FUSE_RING_ENTRIES; i++)
		error = queue_command(r, &r->entry[i], FUSE_IO_URING_CMD_REGISTER, 0);
	return error ? error : queue_event(r);
}

/* Give the entry back, with its reply. */
static int hand_over(struct fuse_ring *r, struct fuse_ring_entry *e)
{
	if (e->state == FUSE_ENTRY_BAD) {
		/* What nobody answers would take the entry away for good. */
		struct fuse_in_header in;
		struct fuse_out_header out = { .len = sizeof(out), .error = -EIO };

		memcpy(&in, e->head->in_out, sizeof(in));
		out.unique = in.unique;
		memcpy(e->head->in_out, &out, sizeof(out));
		e->head->ent.payload_size = 0;
	}
	e->state = FUSE_ENTRY_WAITING;
	return queue_command(r, e, FUSE_IO_URING_CMD_COMMIT_AND_FETCH, e->head->ent.commit_id);
}

/* What the thread had is done with, unless it is answered late. */
static int leave(struct fuse_ring *r)
{
	int error = 0;

	pthread_mutex_lock(&r->lock);
	if (r->now && r->now->state != FUSE_ENTRY_REQUEST)
		error = hand_over(r, r->now);
	r->now = NULL;
	pthread_mutex_unlock(&r->lock);
	return error;
}

static int hand_over_late(struct fuse_ring *r)
{
	int error = queue_event(r);

	pthread_mutex_lock(&r->lock);
	for (unsigned int i = 0; error == 0 && i < FUSE_RING_ENTRIES; i++)
		if (r->entry[i].state == FUSE_ENTRY_ANSWERED)
			error = hand_over(r, &r->entry[i]);
	pthread_mutex_unlock(&r->lock);
	return error;
}

/* --- a message in one piece --- */

static ssize_t take(struct fuse_ring_entry *e, uint8_t *buf, size_t size)
{
	uint32_t payload = e->head->ent.payload_size, arg;
	struct fuse_in_header h;

	memcpy(&h, e->head->in_out, sizeof(h));
	if (h.len < sizeof(h) || payload > h.len - sizeof(h) || payload > PAYLOAD || h.len > size)
		return -EAGAIN;
	arg = h.len - (uint32_t)sizeof(h) - payload;
	if (arg > sizeof(e->head->op_in))
		return -EAGAIN;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), e->head->op_in, arg);
	memcpy(buf + sizeof(h) + arg, e->payload, payload);
	e->unique = h.unique;
	return (ssize_t)h.len;
}

static ssize_t begin(struct fuse_ring *r, struct fuse_ring_entry *e, uint8_t *buf, size_t size)
{
	ssize_t n;

	r->used = true;
	pthread_mutex_lock(&r->lock);
	n = take(e, buf, size);
	e->state = n < 0 ? FUSE_ENTRY_BAD : FUSE_ENTRY_REQUEST;
	r->now = e;
	pthread_mutex_unlock(&r->lock);
	return n;
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
	struct fuse_ring_entry *e;
	struct io_uring_cqe *cqe;
	int error;

	if (r->state == FUSE_RING_NONE)
		return refused(r, 0, buf, size);
	error = r->state == FUSE_RING_NEW ? join(r) : leave(r);
	if (error == 0)
		error = io_uring_submit_and_wait(&r->ring, 1);
	if (error == -EINTR || error == -EAGAIN)
		return -EAGAIN;
	if (error < 0)
		return error;
	if (io_uring_peek_cqe(&r->ring, &cqe) < 0)
		return -EAGAIN;
	error = cqe->res;
	e = io_uring_cqe_get_data(cqe);
	io_uring_cqe_seen(&r->ring, cqe);
	if (!e) {
		error = hand_over_late(r);
		return error < 0 ? error : -EAGAIN;
	}
	if (error >= 0)
		return begin(r, e, buf, size);
	if (is_over(error))
		return 0;
	return r->used ? error : refused(r, error, buf, size);
}

/* Return: 0; -ENOENT, there is no such request, or it has been answered. */
static int answer(struct fuse_ring *r, uint64_t unique, const struct iovec *iov, int n)
{
	struct fuse_ring_entry *e = NULL;
	size_t at = 0;

	for (unsigned int i = 0; !e && i < FUSE_RING_ENTRIES; i++)
		if (r->entry[i].state == FUSE_ENTRY_REQUEST && r->entry[i].unique == unique)
			e = &r->entry[i];
	if (!e)
		return -ENOENT;
	for (int i = 1; i < n; i++) {
		if (iov[i].iov_len > PAYLOAD - at)
			return -EIO;
		memcpy(e->payload + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	memcpy(e->head->in_out, iov[0].iov_base, sizeof(struct fuse_out_header));
	e->head->ent.payload_size = (uint32_t)at;
	e->state = FUSE_ENTRY_ANSWERED;
	return 0;
}

static int ring_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct fuse_ring *r = ring_of(c);
	struct fuse_out_header h;
	int error;

	memcpy(&h, iov[0].iov_base, sizeof(h));
	/* Notifications leave by the device. */
	if (h.unique == 0 || r->state == FUSE_RING_NONE)
		return r->dev->chan.ops->send(&r->dev->chan, iov, n);
	pthread_mutex_lock(&r->lock);
	error = answer(r, h.unique, iov, n);
	pthread_mutex_unlock(&r->lock);
	if (error == 0 && !pthread_equal(r->self, pthread_self()))
		(void)eventfd_write(r->event, 1);
	return error;
}

/* Besides this request one has to be with the kernel. */
static bool ring_has_room(struct fuse_chan *c)
{
	struct fuse_ring *r = ring_of(c);
	unsigned int n = 0;

	if (r->state == FUSE_RING_NONE)
		return true;
	pthread_mutex_lock(&r->lock);
	for (unsigned int i = 0; i < FUSE_RING_ENTRIES; i++)
		n += r->entry[i].state != FUSE_ENTRY_REQUEST;
	pthread_mutex_unlock(&r->lock);
	return n > 0;
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
	.late = true,
	.has_room = ring_has_room,
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

static int entry_init(struct fuse_ring_entry *e)
{
	e->head = aligned_alloc(PAGE, PAGE);
	e->payload = aligned_alloc(PAGE, PAYLOAD);
	if (!e->head || !e->payload)
		return -ENOMEM;
	memset(e->head, 0, PAGE);
	e->iov[0] = (struct iovec){ e->head, sizeof(*e->head) };
	e->iov[1] = (struct iovec){ e->payload, PAYLOAD };
	return 0;
}

static int ring_init(struct fuse_ring *r, struct fuse_dev *dev, unsigned int queue)
{
	/* IORING_SETUP_SQE128: Linux 5.19; DEFER_TASKRUN: 6.1. Whoever enables it is its one user. */
	struct io_uring_params p = { .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN |
					      IORING_SETUP_R_DISABLED };
	int error = 0;

	r->chan.ops = &ring_transport;
	r->dev = dev;
	r->queue = queue;
	r->ring.ring_fd = -1;
	pthread_mutex_init(&r->lock, NULL);
	r->event = eventfd(0, EFD_CLOEXEC);
	if (r->event < 0)
		return -errno;
	for (unsigned int i = 0; error == 0 && i < FUSE_RING_ENTRIES; i++)
		error = entry_init(&r->entry[i]);
	/* A command of each at most, and that of the event. */
	if (error == 0)
		error = io_uring_queue_init_params(2 * FUSE_RING_ENTRIES, &r->ring, &p);
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
		for (unsigned int k = 0; k < FUSE_RING_ENTRIES; k++) {
			free(r->ring[i].entry[k].head);
			free(r->ring[i].entry[k].payload);
		}
		if (r->ring[i].event >= 0)
			(void)close(r->ring[i].event);
		pthread_mutex_destroy(&r->ring[i].lock);
	}
	free(r->ring);
	*r = (struct fuse_rings){ 0 };
}
