/* SPDX-License-Identifier: GPL-2.0-only */
/* vhost.h - virtio devices of vhost-user back ends, which are not trusted */
#ifndef LO_VHOST_H
#define LO_VHOST_H

#include <asm/event.h>
#include <asm/linux_versions.h>
#include <linux/interrupt.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "gmem.h"
#include "vq_chain.h"
#include "vq_dev.h"
#include "vq_drv.h"
#include "vu_again.h"
#include "vu_front.h"

#define LO_VHOST_DEVICES 16
#define LO_VHOST_QUEUES  3
#define LO_VHOST_SIZE    256 /* entries of a ring, the driver's and the back end's */
#define LO_VHOST_REQS    (LO_VHOST_SIZE / 2)
#define LO_VHOST_SEGS    64
#define LO_VHOST_WINDOW  (16UL << 20) /* bytes of memory shared with one back end */
#define LO_VHOST_CONFIG  60
#define LO_VHOST_SPARES  3

#if LO_LINUX_BEFORE(6, 11)
/* What a driver wants of a queue. */
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx; /* each buffer comes with a pointer of the driver's */
};
#endif

struct lo_vhost_queue;

/* A chain of the driver's, private; its copy lies in the window. */
struct lo_vhost_req {
	struct lo_vhost_req *next; /* free */
	struct vq_chain chain;
	bool inflight;
	bool returned;            /* the driver has it back already */
	bool stranded;            /* was to be filled by a back end that is gone */
	unsigned int page, pages; /* of the window; none: 0 pages */
	u8 *in;                   /* in the window */
	u32 in_size;
	struct iovec iov[LO_VHOST_SEGS + 4];
};

/* `lock` is for all of it but what is set once. */
struct lo_vhost_queue {
	struct lo_vhost *dev;
	struct virtqueue *vq; /* the driver's; NULL: not in use */
	bool ready;           /* both rings are there */
	bool ring;            /* the driver is to be called */
	bool at_once;         /* the driver spins until it has back what it sends */
	bool slow;            /* was waited for, and took nothing since */
	bool lost;            /* something was, and nobody has said so yet */
	spinlock_t lock;
	struct vq_dev own;    /* our end of the driver's ring */
	struct vq_drv shared; /* our end of the ring that the back end has */
	struct vq_slot slots[LO_VHOST_SIZE];
	struct lo_vhost_req *reqs, *free;
	struct lo_vhost_req *waiting; /* taken from the driver, no room in the window */
	u8 *rings;                    /* in the window */
	int kick;
	struct tasklet_struct done; /* calls the driver, which rang and holds its locks */
};

/* What it takes for a back end to come again. */
struct lo_vhost_again {
	int script; /* takes what is said at the start; -1: it is over, or no other will come */
	int spare[LO_VHOST_SPARES]; /* sockets; those before `next` were used */
	unsigned int nspare, next;
	struct vu_words last; /* enables the queues */
	struct vu_again replies;
	bool waiting; /* for the same replies */
};

struct lo_vhost {
	struct virtio_device virtio;
	struct platform_device *parent;
	struct vu_front front;
	struct gmem ram;
	struct gmem_region ram_region;
	struct lo_vhost_queue queue[LO_VHOST_QUEUES];
	struct lo_event gone, call;
	struct lo_poll poll;
	struct lo_vhost_again again;
	int sock, memfd;
	bool listening; /* all was said that is said at the start */
	bool dead;      /* the back end is gone, or broke the rules: no request is answered */
	bool away;      /* a disk's is gone, and may come again: requests wait */
	struct timer_list patience; /* ends that */
	u8 status;
	u8 *window;
	unsigned long *used; /* pages of the window */
	spinlock_t window_lock;
	u8 config[LO_VHOST_CONFIG];
};

static inline bool lo_vhost_is_disk(const struct lo_vhost *dev)
{
	return dev->virtio.id.device == VIRTIO_ID_BLOCK;
}

/* --- vhost_queue.c --- */

/* Rings for the driver, which may want a @context with each buffer, and for the back end; -errno. */
int lo_vhost_queue_init(struct lo_vhost_queue *q, unsigned int index, vq_callback_t *callback,
			const char *name, bool context);
void lo_vhost_queue_fini(struct lo_vhost_queue *q);
/* Hand on what the driver offers and give back what is done; true: there was something done. */
bool lo_vhost_queue_work(struct lo_vhost_queue *q);
/* The back end tells us, or need not; true: something is done already. */
bool lo_vhost_queue_arm(struct lo_vhost_queue *q);
void lo_vhost_queue_disarm(struct lo_vhost_queue *q);

/* Nothing is shared any more. */
void lo_vhost_queue_clear(struct lo_vhost_queue *q);
/* A back end is there again: what is not done, is offered once more. */
void lo_vhost_queue_again(struct lo_vhost_queue *q);

/* --- vhost.c --- */

/* No word more with the back end: what is in flight fails, and so does what comes. */
void lo_vhost_kill(struct lo_vhost *dev, const char *why);

/* --- vhost_again.c --- */

/* At the start: what was said, what was replied. */
void lo_vhost_again_say(struct lo_vhost *dev, const void *buf, size_t len, const int *fds,
			size_t nfds);
void lo_vhost_again_told(struct lo_vhost *dev, const void *buf, size_t len);
/* That was all: the start is over. */
void lo_vhost_again_told_all(struct lo_vhost *dev);
/* No other is waited for, from now on. */
void lo_vhost_again_never(struct lo_vhost *dev);
/* Another socket is the device's; false: there is none. */
bool lo_vhost_again_begin(struct lo_vhost *dev);
/* That socket is readable. 1: the back end is there; 0: wait; -ECONNRESET: it is gone; -EPROTO: it is another. */
int lo_vhost_again_hear(struct lo_vhost *dev);

/* --- vhost_sock.c --- */

struct vu_io lo_vhost_io(struct lo_vhost *dev);

#endif
