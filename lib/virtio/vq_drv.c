/* SPDX-License-Identifier: MIT */
#include "vq_drv.h"

#include <errno.h>

#include "gmem.h"

int vq_drv_init(struct vq_drv *vq, const struct vq_drv_conf *conf)
{
	if (!vq_size_ok(conf->size) || (conf->table && !conf->indirect))
		return -EINVAL;
	*vq = (struct vq_drv){
		.conf = *conf,
		.avail = conf->avail,
		.used = conf->used,
		.size = conf->size,
		.nfree = conf->size,
	};
	for (uint16_t i = 0; i < conf->size; i++)
		conf->slot[i] = (struct vq_slot){ .next = (uint16_t)(i + 1) };
	return 0;
}

static struct vq_desc desc_of(const struct vq_buf *b, uint16_t flags, uint16_t next)
{
	return (struct vq_desc){
		.addr = le64_of(b->addr),
		.len = le32_of(b->len),
		.flags = le16_of(flags),
		.next = le16_of(next),
	};
}

/* Return: the slot after the chain's last, the new head of the free list. */
static uint16_t push_direct(struct vq_drv *vq, const struct vq_buf *buf, unsigned int nout,
			    unsigned int n)
{
	uint16_t i = vq->free_head;

	for (unsigned int k = 0; k < n; k++) {
		uint16_t next = vq->conf.slot[i].next;
		uint16_t flags = k + 1 < n ? VRING_DESC_F_NEXT : 0;

		if (k >= nout)
			flags |= VRING_DESC_F_WRITE;
		vq->conf.desc[i] = desc_of(&buf[k], flags, next);
		i = next;
	}
	return i;
}

static uint16_t push_indirect(struct vq_drv *vq, const struct vq_buf *buf, unsigned int nout,
			      unsigned int n)
{
	uint16_t head = vq->free_head;
	size_t first = (size_t)head * vq->conf.indirect;
	struct vq_desc *table = vq->conf.table + first;
	struct vq_buf whole = { vq->conf.table_addr + first * sizeof(*table),
				n * (uint32_t)sizeof(*table) };

	for (unsigned int k = 0; k < n; k++) {
		uint16_t flags = k + 1 < n ? VRING_DESC_F_NEXT : 0;

		if (k >= nout)
			flags |= VRING_DESC_F_WRITE;
		table[k] = desc_of(&buf[k], flags, (uint16_t)(k + 1));
	}
	vq->conf.desc[head] = desc_of(&whole, VRING_DESC_F_INDIRECT, 0);
	return vq->conf.slot[head].next;
}

int vq_drv_push(struct vq_drv *vq, const struct vq_buf *buf, unsigned int nout, unsigned int nin,
		void *cookie)
{
	uint16_t head = vq->free_head;
	unsigned int n = nout + nin;
	bool indirect = vq->conf.table && n > 1 && n <= vq->conf.indirect;
	uint64_t writable = 0;

	if (!n || !cookie)
		return -EINVAL;
	if ((indirect ? 1 : n) > vq->nfree)
		return -ENOSPC;
	for (unsigned int k = nout; k < n; k++)
		writable += buf[k].len;
	if (writable > UINT32_MAX)
		return -EINVAL;

	vq->free_head = (indirect ? push_indirect : push_direct)(vq, buf, nout, n);
	vq->conf.slot[head].cookie = cookie;
	vq->conf.slot[head].writable = (uint32_t)writable;
	vq->conf.slot[head].count = indirect ? 1 : (uint16_t)n;
	vq->nfree = (uint16_t)(vq->nfree - vq->conf.slot[head].count);
	vq_store(vq->avail + VQ_RING_OFF + sizeof(le16) * (vq->avail_idx % vq->size), head);
	vq->avail_idx++;
	return 0;
}

bool vq_drv_publish(struct vq_drv *vq)
{
	uint16_t before = vq->published;

	if (before == vq->avail_idx)
		return false;
	/* Release: descriptors and buffers before idx; pairs with the acquire in vq_dev_pop(). */
	vq_store_release(vq->avail + VQ_IDX_OFF, vq->avail_idx);
	vq->published = vq->avail_idx;
	vq_fence(); /* idx is out before the device's wish is read; pairs with vq_dev_kicks_on() */
	if (vq->conf.event_idx)
		return vq_passed(vq_load(vq->used + vq_avail_event_off(vq->size)), vq->avail_idx,
				 before);
	return !(vq_load(vq->used) & VRING_USED_F_NO_NOTIFY);
}

int vq_drv_pop(struct vq_drv *vq, void **ret_cookie, uint32_t *ret_written)
{
	/* Acquire: the element and the data behind idx; pairs with the release in vq_dev_publish(). */
	uint16_t used_idx = vq_load_acquire(vq->used + VQ_IDX_OFF);
	uint16_t ready = (uint16_t)(used_idx - vq->last_used);
	struct vq_used_elem e;
	struct vq_slot *s;
	uint32_t id, len;
	uint16_t last;

	if (!ready)
		return 0;
	if (ready > vq->size)
		return -EPROTO;
	gmem_copy(&e, vq->used + VQ_RING_OFF + sizeof(e) * (vq->last_used % vq->size), sizeof(e));
	id = le32_get(e.id);
	len = le32_get(e.len);
	if (id >= vq->size || !vq->conf.slot[id].cookie || len > vq->conf.slot[id].writable)
		return -EPROTO;

	s = &vq->conf.slot[id];
	*ret_cookie = s->cookie;
	*ret_written = len;
	s->cookie = NULL;

	last = (uint16_t)id;
	for (uint16_t k = 1; k < s->count; k++)
		last = vq->conf.slot[last].next;
	vq->conf.slot[last].next = vq->free_head;
	vq->free_head = (uint16_t)id;
	vq->nfree = (uint16_t)(vq->nfree + s->count);
	vq->last_used++;
	return 1;
}

void vq_drv_calls_off(struct vq_drv *vq)
{
	if (!vq->conf.event_idx && !vq->polling)
		vq_store(vq->avail, VRING_AVAIL_F_NO_INTERRUPT);
	vq->polling = true;
}

bool vq_drv_calls_on(struct vq_drv *vq)
{
	if (vq->conf.event_idx)
		vq_store(vq->avail + vq_used_event_off(vq->size), vq->last_used);
	else
		vq_store(vq->avail, 0);
	vq->polling = false;
	vq_fence(); /* the wish is out before the last look; pairs with the fence in vq_dev_publish() */
	return vq_drv_ready(vq);
}
