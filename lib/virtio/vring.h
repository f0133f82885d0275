/* SPDX-License-Identifier: MIT */
/* vring.h - split virtqueue layout (virtio 1.2, 2.7), shared by both sides. */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>

#include "le.h"

#define VQ_SIZE_MAX 1024

struct vq_desc {
	le64 addr;
	le32 len;
	le16 flags;
	le16 next;
};
_Static_assert(sizeof(struct vq_desc) == sizeof(struct vring_desc), "vq_desc is the wire format");

struct vq_used_elem {
	le32 id;
	le32 len;
};
_Static_assert(sizeof(struct vq_used_elem) == sizeof(struct vring_used_elem), "wire format");

/* The avail and used rings: flags, idx, ring[], and the other side's event index after it. */
#define VQ_IDX_OFF  2
#define VQ_RING_OFF 4

static inline size_t vq_desc_size(uint16_t n)
{
	return sizeof(struct vq_desc) * n;
}

static inline size_t vq_avail_size(uint16_t n)
{
	return VQ_RING_OFF + sizeof(le16) * n + sizeof(le16);
}

static inline size_t vq_used_size(uint16_t n)
{
	return VQ_RING_OFF + sizeof(struct vq_used_elem) * n + sizeof(le16);
}

/* Where used_event lies in the avail ring, avail_event in the used ring. */
static inline size_t vq_used_event_off(uint16_t n)
{
	return vq_avail_size(n) - sizeof(le16);
}

static inline size_t vq_avail_event_off(uint16_t n)
{
	return vq_used_size(n) - sizeof(le16);
}

static inline bool vq_size_ok(uint16_t n)
{
	return n && n <= VQ_SIZE_MAX && !(n & (n - 1));
}

static inline uint16_t vq_load(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED));
}

static inline uint16_t vq_load_acquire(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE));
}

static inline void vq_store(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELAXED);
}

static inline void vq_store_release(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELEASE);
}

/* Orders what we stored before it against what we load after it; both sides need one (2.7.13.4). */
static inline void vq_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Did the index pass @event on its way from @before to @now (2.7.7.1)? */
static inline bool vq_passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

#endif
