/* SPDX-License-Identifier: MIT */
/*
 * vq_dev.h - device side of a split virtqueue. The driver is not trusted.
 *
 * Theory of operation
 *
 * vq_dev_pop() takes the next chain the driver made available and turns it
 * into two lists of host buffers: what the device may read, then what it may
 * write. Each descriptor is copied out of guest memory once and only the copy
 * is looked at. A chain is walked at most queue-size (or table-size) steps.
 * Anything the driver did wrong is -EPROTO: the caller marks the device
 * DEVICE_NEEDS_RESET and stops. It is never an assertion and never an exit.
 *
 * Done chains are given back by vq_dev_push(), and become visible to the driver
 * together, with vq_dev_publish(), which says whether it wants to be told. A
 * device that polls turns notifications off; before it sleeps it asks for them
 * with vq_dev_kicks_on(), which looks once more.
 *
 * No I/O, no allocation. One thread per queue.
 */
#ifndef VIRTIO_VQ_DEV_H
#define VIRTIO_VQ_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "gmem.h"
#include "vq_chain.h"
#include "vring.h"

struct vq_conf {
	gpa_t desc, avail, used;
	uint16_t size;
	uint16_t next_avail; /* 0, or where an earlier run of the queue stopped */
	bool event_idx;      /* VIRTIO_F_EVENT_IDX was negotiated */
	bool indirect;       /* VIRTIO_F_INDIRECT_DESC was */
};

struct vq_dev {
	const struct gmem *mem;
	const struct vq_desc
		*desc; /* resolved and checked once, by vq_dev_init(), as are the rings */
	uint8_t *avail;
	uint8_t *used;
	uint16_t size;
	uint16_t last_avail;
	uint16_t used_idx;  /* of the next element that is given back */
	uint16_t published; /* what the driver sees */
	bool event_idx;
	bool indirect;
	bool polling;
};

/* -EINVAL for a size that is none, -EFAULT for rings that are misaligned or not in one piece of @mem. */
int vq_dev_init(struct vq_dev *vq, const struct gmem *mem, const struct vq_conf *conf) _must_check_;

static inline bool vq_dev_waiting(const struct vq_dev *vq)
{
	return vq_load_acquire(vq->avail + VQ_IDX_OFF) != vq->last_avail;
}

/* Return: 1 and a chain, 0 if none is waiting, -EPROTO, or -ENOBUFS if @c is too small. */
int vq_dev_pop(struct vq_dev *vq, struct vq_chain *c) _must_check_;

/* Give chain @head back, @written bytes of its writable part filled in from its start. */
void vq_dev_push(struct vq_dev *vq, uint16_t head, uint32_t written);

/* Let the driver see what was pushed. Return: is it to be told? */
bool vq_dev_publish(struct vq_dev *vq) _must_check_;

/* The driver need not, or must, notify us. Return: is something waiting already? */
void vq_dev_kicks_off(struct vq_dev *vq);
bool vq_dev_kicks_on(struct vq_dev *vq) _must_check_;

#endif
