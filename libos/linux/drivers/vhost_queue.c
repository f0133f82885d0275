// SPDX-License-Identifier: GPL-2.0-only
/* vhost_queue.c - one virtqueue twice: the driver's, in private memory, and its shadow in the window. */
/*
 * Theory of operation
 *
 * The in-tree driver has a ring in RAM, which the back end never sees. We are the device of that ring
 * (lib/virtio/vq_dev.h), and the driver of another one (vq_drv.h), which lies in the window beside
 * the data. A chain is taken from the first, what the device may read of it is copied into the
 * window, and it is offered in the second as at most two buffers. When the back end gives it
 * back, what it wrote is copied to where the driver wants it.
 *
 * So the driver, and virtio_ring.c, read nothing that the back end can write but the data. What is in
 * flight and how long it is, is our own record: an id that is not, or a length beyond what was
 * offered, is the end of the device.
 *
 * The driver of a console spins, interrupts off, until it has back what it sends. It gets it back as
 * soon as it is copied. If there is no room for the copy, all waits for the back end, but only once for a
 * second: from then on what finds no room is lost, until the back end goes on.
 *
 * A message may go to a console that is such a device, whose driver, or queue, is the one that we are in: they
 * are put off until we have left (exchange()).
 *
 * The back end of a disk that comes again is offered anew what is in flight, from the driver's own memory and at
 * the same place of the window.
 *
 * The data behind the first 16 bytes of a request, and what is read, start at multiples of 512, so that a
 * back end can do direct I/O from and to the window.
 */
#include <asm/lo.h>
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>

#include "../host/host.h"
#include "vhost.h"

#define HEADER      16
#define DATA_ALIGN  512
#define RING_STRIDE 0x4000 /* bytes of the window for the rings of one queue */
#define OFF_AVAIL   0x2000
#define OFF_USED    0x3000

#define CONSOLE_OUT 1    /* the queue of what it sends */
#define PATIENCE_MS 1000 /* how long all waits for a console */

/* --- the window --- */

static int window_take(struct lo_vhost *dev, unsigned int pages, unsigned int *ret_page)
{
	unsigned int total = LO_VHOST_WINDOW >> PAGE_SHIFT;
	unsigned long flags, at;

	spin_lock_irqsave(&dev->window_lock, flags);
	/* The lowest ones: pages that both sides have touched already, and have in their caches. */
	at = bitmap_find_next_zero_area(dev->used, total, 0, pages, 0);
	if (at < total)
		bitmap_set(dev->used, at, pages);
	spin_unlock_irqrestore(&dev->window_lock, flags);
	if (at >= total)
		return -ENOSPC;
	*ret_page = at;
	return 0;
}

static void window_give(struct lo_vhost *dev, struct lo_vhost_req *r)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->window_lock, flags);
	bitmap_clear(dev->used, r->page, r->pages);
	spin_unlock_irqrestore(&dev->window_lock, flags);
	r->pages = 0;
}

/* --- copies --- */

static void copy_out(u8 *to, const struct vq_chain *c)
{
	unsigned int i;

	for (i = 0; i < c->nout; i++) {
		memcpy(to, c->iov[i].iov_base, c->iov[i].iov_len);
		to += c->iov[i].iov_len;
	}
}

static void copy_in(const struct vq_chain *c, const u8 *from, size_t left)
{
	struct iovec *v = vq_chain_in(c);

	for (; left; v++) {
		size_t n = min_t(size_t, left, v->iov_len);

		memcpy(v->iov_base, from, n);
		from += n;
		left -= n;
	}
}

/* Room in the window, if it has none yet, filled; and the buffers as the back end shall see them. */
static int bounce(struct lo_vhost_queue *q, struct lo_vhost_req *r, struct vq_buf *buf,
		  unsigned int *nout, unsigned int *nin)
{
	size_t out = vq_chain_out_size(&r->chain), in = vq_chain_in_size(&r->chain);
	size_t lead = out ? DATA_ALIGN - HEADER : 0, in_at = ALIGN(lead + out, DATA_ALIGN);
	unsigned int pages = PAGE_ALIGN(in_at + in) >> PAGE_SHIFT;
	struct lo_vhost *dev = q->dev;
	u8 *base;

	if (!r->pages && window_take(dev, pages, &r->page) < 0)
		return -ENOSPC;
	r->pages = pages;
	base = dev->window + ((size_t)r->page << PAGE_SHIFT);
	copy_out(base + lead, &r->chain);
	*nout = out ? 1 : 0;
	*nin = in ? 1 : 0;
	buf[0] = (struct vq_buf){ base + lead - dev->window, out };
	r->in = base + in_at;
	r->in_size = in;
	buf[*nout] = (struct vq_buf){ r->in - dev->window, in };
	if (in)
		r->in[in - 1] = 0xff; /* a disk's status that nobody has set is none */
	return 0;
}

/* --- from the driver to the back end --- */

static void finish(struct lo_vhost_queue *q, struct lo_vhost_req *r, u32 written)
{
	if (!r->returned)
		vq_dev_push(&q->own, r->chain.head, written);
	if (r->pages)
		window_give(q->dev, r);
	r->inflight = r->returned = false;
	r->next = q->free;
	q->free = r;
}

/*
 * A request that no back end will answer. A disk's gets an error for its status, what was sent is gone, what was to
 * be received does not come.
 */
static void fail(struct lo_vhost_queue *q, struct lo_vhost_req *r)
{
	u8 *status;

	r->inflight = false;
	if (lo_vhost_is_disk(q->dev)) {
		status = vq_chain_take_last(&r->chain);
		if (status)
			*status = VIRTIO_BLK_S_IOERR;
		finish(q, r, 0);
	} else if (!r->chain.nin) {
		finish(q, r, 0);
	} else {
		r->stranded = true;
	}
}

/* 0; -ENOSPC: later. */
static int offer(struct lo_vhost_queue *q, struct lo_vhost_req *r)
{
	unsigned int nout, nin;
	struct vq_buf buf[2];

	if (q->shared.nfree < 2 || (q->at_once && !q->free) /* it is needed for what is lost */)
		return -ENOSPC;
	if (bounce(q, r, buf, &nout, &nin) < 0)
		return -ENOSPC;
	if (WARN_ON_ONCE(vq_drv_push(&q->shared, buf, nout, nin, r) < 0)) {
		window_give(q->dev, r);
		fail(q, r);
		return 0;
	}
	r->inflight = true;
	if (q->at_once) {
		vq_dev_push(&q->own, r->chain.head, 0);
		r->returned = true;
	}
	lo_stats.device_requests++;
	return 0;
}

/* The next chain of the driver's, or the one that has no room yet. */
static struct lo_vhost_req *next_req(struct lo_vhost_queue *q)
{
	struct lo_vhost_req *r = q->waiting;
	int n;

	if (r) {
		q->waiting = NULL;
		return r;
	}
	r = q->free;
	if (!r)
		return NULL;
	r->chain = (struct vq_chain){ .iov = r->iov, .max = ARRAY_SIZE(r->iov) };
	n = vq_dev_pop(&q->own, &r->chain);
	if (WARN_ONCE(n < 0, "a driver of our own offers nonsense: %d\n", n) || n == 0)
		return NULL;
	q->free = r->next;
	return r;
}

/* --- and back --- */

static void give_back(struct lo_vhost_queue *q, struct lo_vhost_req *r, u32 written)
{
	/* Back ends differ in what they count for a disk; its status is behind the data. */
	if (lo_vhost_is_disk(q->dev))
		written = r->in_size;
	copy_in(&r->chain, r->in, written);
	finish(q, r, written);
}

static void fail_all(struct lo_vhost_queue *q)
{
	unsigned int i;

	for (i = 0; i < LO_VHOST_REQS; i++)
		if (q->reqs[i].inflight)
			fail(q, &q->reqs[i]);
}

static void take_back(struct lo_vhost_queue *q)
{
	void *cookie;
	u32 written;
	int r;

	if (q->dev->dead)
		fail_all(q);
	if (q->dev->dead || q->dev->away)
		return;
	while ((r = vq_drv_pop(&q->shared, &cookie, &written)) > 0)
		give_back(q, cookie, written);
	if (r < 0) {
		lo_vhost_kill(q->dev, "it broke a queue");
		fail_all(q);
	}
}

/* --- both ways --- */

static void publish(struct lo_vhost_queue *q)
{
	const u64 one = 1;

	if (!q->dev->dead && !q->dev->away && vq_drv_publish(&q->shared))
		host_write(q->kick, &one, sizeof(one));
}

/* True: the back end has taken something, or is gone. */
static bool wait_for_room(struct lo_vhost_queue *q)
{
	const struct host_timespec ms = { 0, NSEC_PER_MSEC };
	unsigned int i;

	publish(q);
	for (i = 0; i < PATIENCE_MS && !q->slow && !vq_drv_ready(&q->shared); i++)
		host_poll(NULL, 0, &ms);
	q->slow = !vq_drv_ready(&q->shared);
	take_back(q);
	return !q->slow;
}

/* 0, or -ENOSPC: later. */
static int hand_on_one(struct lo_vhost_queue *q, struct lo_vhost_req *r)
{
	while (!q->dev->dead) {
		if (!q->dev->away && offer(q, r) == 0)
			return 0;
		if (!q->at_once)
			return -ENOSPC;
		if (!wait_for_room(q)) {
			q->lost = true;
			break;
		}
	}
	fail(q, r);
	return 0;
}

static void hand_on(struct lo_vhost_queue *q)
{
	struct lo_vhost_req *r;

	while ((r = next_req(q))) {
		if (hand_on_one(q, r) < 0) {
			q->waiting = r;
			break;
		}
	}
	publish(q);
}

/* True: the driver has got something back. */
static bool exchange(struct lo_vhost_queue *q)
{
	u16 before = q->own.published;

	printk_deferred_enter();
	take_back(q);
	hand_on(q);
	printk_deferred_exit();
	if (vq_dev_publish(&q->own))
		q->ring = true;
	return q->own.published != before;
}

bool lo_vhost_queue_work(struct lo_vhost_queue *q)
{
	unsigned long flags;
	bool done, ring, lost;

	if (!READ_ONCE(q->ready))
		return false;
	spin_lock_irqsave(&q->lock, flags);
	done = exchange(q);
	ring = q->ring;
	lost = q->lost;
	q->ring = q->lost = false;
	spin_unlock_irqrestore(&q->lock, flags);
	if (lost)
		dev_err_once(&q->dev->virtio.dev,
			     "the back end takes nothing: what is written is lost\n");
	if (ring)
		vring_interrupt(0, q->vq); /* takes the driver's locks */
	return done;
}

/* The driver's doorbell, with its locks held: it is told from a tasklet, if it wants to be. */
static bool on_notify(struct virtqueue *vq)
{
	struct lo_vhost_queue *q = vq->priv;
	unsigned long flags;
	bool ring;

	spin_lock_irqsave(&q->lock, flags);
	exchange(q);
	ring = q->ring;
	spin_unlock_irqrestore(&q->lock, flags);
	if (ring)
		tasklet_schedule(&q->done);
	return true;
}

static void on_done(struct tasklet_struct *tasklet)
{
	struct lo_vhost_queue *q = from_tasklet(q, tasklet, done);

	lo_vhost_queue_work(q);
}

static bool is_served(const struct lo_vhost_queue *q)
{
	return q->ready && !q->dev->dead && !q->dev->away;
}

bool lo_vhost_queue_arm(struct lo_vhost_queue *q)
{
	return is_served(q) && vq_drv_calls_on(&q->shared);
}

void lo_vhost_queue_disarm(struct lo_vhost_queue *q)
{
	if (is_served(q))
		vq_drv_calls_off(&q->shared);
}

/* --- a back end that comes again --- */

void lo_vhost_queue_clear(struct lo_vhost_queue *q)
{
	const struct vq_drv_conf conf = q->shared.conf;
	unsigned long flags;

	if (!q->ready)
		return;
	spin_lock_irqsave(&q->lock, flags);
	memset(q->rings, 0, RING_STRIDE);
	memset(q->slots, 0, sizeof(q->slots));
	WARN_ON(vq_drv_init(&q->shared, &conf) < 0);
	spin_unlock_irqrestore(&q->lock, flags);
}

void lo_vhost_queue_again(struct lo_vhost_queue *q)
{
	unsigned long flags;
	unsigned int i;

	if (!q->ready)
		return;
	spin_lock_irqsave(&q->lock, flags);
	for (i = 0; i < LO_VHOST_REQS; i++) {
		struct lo_vhost_req *r = &q->reqs[i];

		if (!r->inflight && !r->stranded)
			continue;
		r->stranded = false;
		WARN_ON_ONCE(offer(q, r) < 0);
	}
	publish(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* --- beginning and end --- */

static int init_own(struct lo_vhost_queue *q)
{
	struct vq_conf conf = {
		.desc = { virtqueue_get_desc_addr(q->vq) },
		.avail = { virtqueue_get_avail_addr(q->vq) },
		.used = { virtqueue_get_used_addr(q->vq) },
		.size = virtqueue_get_vring_size(q->vq),
		.indirect = true,
	};

	return vq_dev_init(&q->own, &q->dev->ram, &conf);
}

static int init_shared(struct lo_vhost_queue *q, unsigned int index)
{
	struct lo_vhost *dev = q->dev;
	struct vq_drv_conf conf = { .slot = q->slots,
				    .size = LO_VHOST_SIZE,
				    .event_idx = dev->front.features >> VIRTIO_RING_F_EVENT_IDX &
						 1 };
	u64 at = (u64)index * RING_STRIDE, base = (unsigned long)dev->window;
	struct vu_front_queue back = { .index = index,
				       .size = LO_VHOST_SIZE,
				       .desc = base + at,
				       .avail = base + at + OFF_AVAIL,
				       .used = base + at + OFF_USED,
				       .call = dev->call.fd,
				       .err = -1 };
	int r;

	q->rings = dev->window + at;
	memset(q->rings, 0, RING_STRIDE);
	conf.desc = (void *)q->rings;
	conf.avail = q->rings + OFF_AVAIL;
	conf.used = q->rings + OFF_USED;
	q->kick = host_eventfd();
	if (q->kick < 0)
		return q->kick;
	back.kick = q->kick;
	r = vq_drv_init(&q->shared, &conf);
	return r < 0 ? r : vu_front_queue(&dev->front, &back);
}

static int init_reqs(struct lo_vhost_queue *q)
{
	unsigned int i;

	q->reqs = kvcalloc(LO_VHOST_REQS, sizeof(*q->reqs), GFP_KERNEL);
	if (!q->reqs)
		return -ENOMEM;
	for (i = 0; i < LO_VHOST_REQS; i++) {
		q->reqs[i].next = q->free;
		q->free = &q->reqs[i];
	}
	return 0;
}

int lo_vhost_queue_init(struct lo_vhost_queue *q, unsigned int index, vq_callback_t *callback,
			const char *name, bool context)
{
	struct virtqueue *vq;
	int r = init_reqs(q);

	if (r < 0)
		return r;
	spin_lock_init(&q->lock);
	tasklet_setup(&q->done, on_done);
	vq = vring_create_virtqueue(index, LO_VHOST_SIZE, PAGE_SIZE, &q->dev->virtio, true, true,
				    context, on_notify, callback, name);
	if (!vq)
		return -ENOMEM;
	vq->num_max = LO_VHOST_SIZE;
	vq->priv = q;
	q->vq = vq;
	q->at_once = q->dev->virtio.id.device == VIRTIO_ID_CONSOLE && index == CONSOLE_OUT;
	r = init_own(q);
	if (r == 0)
		r = init_shared(q, index);
	if (r < 0)
		lo_vhost_queue_fini(q);
	else
		WRITE_ONCE(q->ready, true); /* from here on a tick may work on it */
	return r;
}

void lo_vhost_queue_fini(struct lo_vhost_queue *q)
{
	WRITE_ONCE(q->ready, false);
	if (q->vq) {
		tasklet_kill(&q->done);
		vring_del_virtqueue(q->vq);
	}
	q->vq = NULL;
	kvfree(q->reqs);
	q->reqs = q->free = q->waiting = NULL;
	if (q->kick > 0)
		host_close(q->kick);
	q->kick = 0;
}
