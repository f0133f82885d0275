/* SPDX-License-Identifier: MIT */
/*
 * blk.h - a virtio block device over a store. The driver is not trusted.
 *
 * Theory of operation
 *
 * blk_take() takes chains from a queue, checks them, and submits what they ask
 * for to the store; blk_reap() gives those back that the store has done. A
 * request that makes no sense but has room for a status gets one; a chain
 * without that is -EPROTO, as is one that the queue cannot read. What fails in
 * the store is VIRTIO_BLK_S_IOERR, whatever the reason.
 *
 * A request lies in a pool of the device, not where the chain's head says: the
 * same head offered twice is two requests. When the pool is empty, chains wait.
 *
 * One thread. No allocation after blk_init().
 */
#ifndef VDEV_BLK_H
#define VDEV_BLK_H

#include "store.h"
#include "vq_dev.h"

/* Buffers of data in a request: what a driver is told, if nobody knows how long its queue is; and what there is room for. */
#define BLK_SEG_MAX  126
#define BLK_SEG_MOST 254
#define BLK_REQS_MAX 256 /* in flight, of all queues */

struct blk_req {
	struct store_req s; /* first */
	struct vq_dev *vq;
	uint8_t *status;
	uint32_t written; /* bytes that the device wrote if all goes well, the status not counted */
	uint32_t in_size; /* room before the status */
	uint16_t head;
	struct blk_req *next; /* free */
	/* Header, data, status; and data that spans regions of memory. */
	struct iovec iov[BLK_SEG_MOST + 2 + 8];
};

struct blk {
	struct store *store; /* borrowed */
	char id[20];
	unsigned int nqueues;
	bool durable_writes; /* the driver knows no flush */
	uint16_t seg_max;    /* BLK_SEG_MAX; its owner may set it before the driver reads it */
	/* Buffers within it are the store's alone to fill. Set after blk_init(); its caller keeps headers and statuses out of it. */
	const uint8_t *far;
	size_t far_size;
	struct blk_req *reqs;
	struct blk_req *free;
	unsigned int inflight;
	unsigned int crowd; /* batches until requests are thought to come one by one again */
};

/* @id is what the driver is told as the disk's name; at most 20 bytes of it. */
int blk_init(struct blk *b, struct store *store, const char *id, unsigned int nqueues) _must_check_;
void blk_fini(struct blk *b);

uint64_t blk_features(const struct blk *b);
void blk_set_features(struct blk *b, uint64_t features);

/* Bytes of the configuration space; zeros where there is none. */
void blk_config(const struct blk *b, uint32_t off, uint8_t *ret, uint32_t len);

/* Return: how many chains were taken; -EPROTO: the queue cannot go on. */
int blk_take(struct blk *b, struct vq_dev *vq) _must_check_;

/* Return: how many requests were given back, not published yet. With @wait: all that are in flight. */
unsigned int blk_reap(struct blk *b, bool wait);

#endif
