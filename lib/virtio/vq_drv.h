/* SPDX-License-Identifier: MIT */
/*
 * vq_drv.h - driver side of a split virtqueue. The device is not trusted.
 *
 * Theory of operation
 *
 * The rings are memory that the device can write. What the driver needs to
 * know about its own requests (which chain is in flight, how long it is, how
 * much of it the device may write) is kept in struct vq_slot, private memory,
 * and never read back from the ring. A completion names a head: it must be in
 * flight, and its length must fit what was offered.
 *
 * vq_drv_push() only writes; the device sees what was pushed at
 * vq_drv_publish(), which says whether it wants to be told.
 *
 * No I/O, no allocation. One thread per queue.
 */
#ifndef VIRTIO_VQ_DRV_H
#define VIRTIO_VQ_DRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "vring.h"

struct vq_buf {
	uint64_t addr; /* as the device sees it: guest-physical or IOVA */
	uint32_t len;
};

struct vq_slot {
	void *cookie; /* NULL if this slot is not the head of a chain in flight */
	uint32_t writable;
	uint16_t count; /* descriptors of the ring that the chain takes */
	uint16_t next;  /* free list, or next in the chain */
};

/* Everything is the caller's, zeroed, and outlives the queue. */
struct vq_drv_conf {
	struct vq_desc *desc;
	void *avail, *used;
	struct vq_slot *slot; /* @size of them, private memory */
	uint16_t size;
	bool event_idx;

	/* Indirect tables, one of @indirect entries for each head, @size in a row; NULL: none. */
	struct vq_desc *table;
	uint64_t table_addr; /* of @table, as the device sees it */
	uint16_t indirect;
};

struct vq_drv {
	struct vq_drv_conf conf;
	uint8_t *avail;
	uint8_t *used;
	uint16_t size;
	uint16_t free_head;
	uint16_t nfree;
	uint16_t avail_idx; /* of the next chain that is offered */
	uint16_t published; /* what the device sees */
	uint16_t last_used;
	bool polling;
};

int vq_drv_init(struct vq_drv *vq, const struct vq_drv_conf *conf) _must_check_;

/* Offer @nout readable and then @nin writable buffers. -ENOSPC if the ring is full. */
int vq_drv_push(struct vq_drv *vq, const struct vq_buf *buf, unsigned int nout, unsigned int nin,
		void *cookie) _must_check_;

/* Let the device see what was pushed. Return: is it to be told? */
bool vq_drv_publish(struct vq_drv *vq) _must_check_;

/* Is something done that was not popped? */
static inline bool vq_drv_ready(const struct vq_drv *vq)
{
	return vq_load_acquire(vq->used + VQ_IDX_OFF) != vq->last_used;
}

/* Return: 1, the cookie and the length written; 0 if none is ready; -EPROTO. */
int vq_drv_pop(struct vq_drv *vq, void **ret_cookie, uint32_t *ret_written) _must_check_;

/* The device need not, or must, call us. Return: is something done already? */
void vq_drv_calls_off(struct vq_drv *vq);
bool vq_drv_calls_on(struct vq_drv *vq) _must_check_;

#endif
