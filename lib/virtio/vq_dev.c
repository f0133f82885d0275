/* SPDX-License-Identifier: MIT */
#include "vq_dev.h"

#include <errno.h>

static int map_ring(const struct gmem *mem, gpa_t gpa, size_t len, size_t align, void **ret)
{
	void *p;

	if (gpa.v % align || gmem_at(mem, gpa, len, &p) != len || (uintptr_t)p % align)
		return -EFAULT;
	*ret = p;
	return 0;
}

int vq_dev_init(struct vq_dev *vq, const struct gmem *mem, const struct vq_conf *conf)
{
	void *desc, *avail, *used;
	uint16_t n = conf->size;

	if (!vq_size_ok(n))
		return -EINVAL;
	if (map_ring(mem, conf->desc, vq_desc_size(n), 16, &desc) < 0 ||
	    map_ring(mem, conf->avail, vq_avail_size(n), 2, &avail) < 0 ||
	    map_ring(mem, conf->used, vq_used_size(n), 4, &used) < 0)
		return -EFAULT;
	*vq = (struct vq_dev){
		.mem = mem,
		.desc = desc,
		.avail = avail,
		.used = used,
		.size = n,
		.last_avail = conf->next_avail,
		.used_idx = vq_load((uint8_t *)used + VQ_IDX_OFF),
		.event_idx = conf->event_idx,
		.indirect = conf->indirect,
	};
	vq->published = vq->used_idx;
	return 0;
}

/* Append one descriptor's buffer, in as many pieces as it spans regions. */
static int add_buffer(const struct vq_dev *vq, struct vq_chain *c, const struct vq_desc *d,
		      unsigned int *count)
{
	gpa_t gpa = { le64_get(d->addr) };
	uint32_t len = le32_get(d->len);

	while (len) {
		void *p;
		size_t n = gmem_at(vq->mem, gpa, len, &p);

		if (!n)
			return -EPROTO;
		if (c->nout + c->nin >= c->max)
			return -ENOBUFS;
		c->iov[c->nout + c->nin] = (struct iovec){ .iov_base = p, .iov_len = n };
		(*count)++;
		gpa.v += n;
		len -= (uint32_t)n;
	}
	return 0;
}

static int add_desc(const struct vq_dev *vq, struct vq_chain *c, const struct vq_desc *d)
{
	if (le16_get(d->flags) & VRING_DESC_F_WRITE)
		return add_buffer(vq, c, d, &c->nin);
	if (c->nin)
		return -EPROTO; /* readable after writable (2.7.4.2) */
	return add_buffer(vq, c, d, &c->nout);
}

/* A table of descriptors: the queue's own, or an indirect one. */
struct table {
	const struct vq_desc *desc; /* NULL: at gpa, perhaps in pieces */
	gpa_t gpa;
	uint32_t entries;
};

static int table_read(const struct vq_dev *vq, const struct table *t, uint32_t index,
		      struct vq_desc *ret)
{
	if (index >= t->entries)
		return -EPROTO;
	if (t->desc) {
		gmem_copy(ret, t->desc + index, sizeof(*ret));
		return 0;
	}
	return gmem_read(vq->mem, (gpa_t){ t->gpa.v + index * sizeof(*ret) }, ret, sizeof(*ret)) < 0
		       ? -EPROTO
		       : 0;
}

/* 2.7.5.3.1: negotiated, the last of its chain, not within another table. */
static int enter_indirect(const struct vq_dev *vq, const struct vq_desc *d, struct table *t)
{
	uint32_t len = le32_get(d->len);

	if (!vq->indirect || !t->desc || le16_get(d->flags) & VRING_DESC_F_NEXT || !len ||
	    len % sizeof(*d) || len / sizeof(*d) > VQ_SIZE_MAX)
		return -EPROTO;
	*t = (struct table){ .gpa = { le64_get(d->addr) }, .entries = len / (uint32_t)sizeof(*d) };
	return 0;
}

static int walk(const struct vq_dev *vq, struct vq_chain *c)
{
	struct table t = { .desc = vq->desc, .entries = vq->size };
	uint32_t steps = 0, index = c->head;
	uint64_t total = 0;
	struct vq_desc d;
	int r;

	for (;;) {
		if (steps++ >= t.entries)
			return -EPROTO; /* a loop */
		r = table_read(vq, &t, index, &d);
		if (r < 0)
			return r;
		if (le16_get(d.flags) & VRING_DESC_F_INDIRECT) {
			r = enter_indirect(vq, &d, &t);
			if (r < 0)
				return r;
			steps = index = 0;
			continue;
		}
		total += le32_get(d.len);
		if (total > UINT32_MAX)
			return -EPROTO;
		r = add_desc(vq, c, &d);
		if (r < 0)
			return r;
		if (!(le16_get(d.flags) & VRING_DESC_F_NEXT))
			return 0;
		index = le16_get(d.next);
	}
}

int vq_dev_pop(struct vq_dev *vq, struct vq_chain *c)
{
	/* Acquire: the ring entry and descriptors behind idx are read after it; pairs with the driver's release. */
	uint16_t avail_idx = vq_load_acquire(vq->avail + VQ_IDX_OFF);
	uint16_t pending = (uint16_t)(avail_idx - vq->last_avail);
	int r;

	if (!pending)
		return 0;
	if (pending > vq->size)
		return -EPROTO;
	c->head = vq_load(vq->avail + VQ_RING_OFF + sizeof(le16) * (vq->last_avail % vq->size));
	c->first = c->nout = c->nin = 0;
	r = walk(vq, c);
	if (r < 0)
		return r;
	vq->last_avail++;
	return 1;
}

void vq_dev_push(struct vq_dev *vq, uint16_t head, uint32_t written)
{
	struct vq_used_elem e = { .id = le32_of(head), .len = le32_of(written) };

	memcpy(vq->used + VQ_RING_OFF + sizeof(e) * (vq->used_idx % vq->size), &e, sizeof(e));
	vq->used_idx++;
}

bool vq_dev_publish(struct vq_dev *vq)
{
	uint16_t before = vq->published;

	if (before == vq->used_idx)
		return false;
	/* Release: the elements and the data before idx; pairs with the acquire in vq_drv_pop(). */
	vq_store_release(vq->used + VQ_IDX_OFF, vq->used_idx);
	vq->published = vq->used_idx;
	vq_fence(); /* idx is out before the driver's wish is read (2.7.7.2); pairs with vq_drv_calls_on() */
	if (vq->event_idx)
		return vq_passed(vq_load(vq->avail + vq_used_event_off(vq->size)), vq->used_idx,
				 before);
	return !(vq_load(vq->avail) & VRING_AVAIL_F_NO_INTERRUPT);
}

void vq_dev_kicks_off(struct vq_dev *vq)
{
	/* With EVENT_IDX the flag must stay 0 (2.7.10.1); an index that was passed means silence enough. */
	if (!vq->event_idx && !vq->polling)
		vq_store(vq->used, VRING_USED_F_NO_NOTIFY);
	vq->polling = true;
}

bool vq_dev_kicks_on(struct vq_dev *vq)
{
	if (vq->event_idx)
		vq_store(vq->used + vq_avail_event_off(vq->size), vq->last_avail);
	else
		vq_store(vq->used, 0);
	vq->polling = false;
	vq_fence(); /* the wish is out before the last look; pairs with the fence in vq_drv_publish() */
	return vq_dev_waiting(vq);
}
