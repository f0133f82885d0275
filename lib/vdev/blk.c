/* SPDX-License-Identifier: MIT */
#include "blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR      512
#define RANGE_MAX   (UINT32_C(1) << 21) /* sectors of one discard or zero: 1 GiB */
#define TAKE_BUDGET 128
#define CROWD_LASTS 4 /* batches */

struct header {
	le32 type;
	le32 reserved;
	le64 sector;
};
_Static_assert(sizeof(struct header) == sizeof(struct virtio_blk_outhdr), "wire format");

struct range {
	le64 sector;
	le32 count;
	le32 flags;
};
_Static_assert(sizeof(struct range) == sizeof(struct virtio_blk_discard_write_zeroes),
	       "wire format");

int blk_init(struct blk *b, struct store *store, const char *id, unsigned int nqueues)
{
	*b = (struct blk){ .store = store, .nqueues = nqueues, .seg_max = BLK_SEG_MAX };
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
	b->reqs = calloc(BLK_REQS_MAX, sizeof(*b->reqs));
	if (!b->reqs)
		return -ENOMEM;
	for (size_t i = 0; i < BLK_REQS_MAX; i++) {
		b->reqs[i].next = b->free;
		b->free = &b->reqs[i];
	}
	return 0;
}

void blk_fini(struct blk *b)
{
	free(b->reqs);
	b->reqs = b->free = NULL;
}

uint64_t blk_features(const struct blk *b)
{
	uint64_t f = UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX | UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE |
		     UINT64_C(1) << VIRTIO_BLK_F_FLUSH | UINT64_C(1) << VIRTIO_BLK_F_TOPOLOGY;

	if (b->nqueues > 1)
		f |= UINT64_C(1) << VIRTIO_BLK_F_MQ;
	if (b->store->read_only)
		return f | UINT64_C(1) << VIRTIO_BLK_F_RO;
	return f | UINT64_C(1) << VIRTIO_BLK_F_DISCARD | UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES;
}

void blk_set_features(struct blk *b, uint64_t features)
{
	b->durable_writes = !(features >> VIRTIO_BLK_F_FLUSH & 1);
}

void blk_config(const struct blk *b, uint32_t off, uint8_t *ret, uint32_t len)
{
	struct virtio_blk_config c = {
		.capacity = htole64(b->store->size / SECTOR),
		.seg_max = htole32(b->seg_max),
		.blk_size = htole32(SECTOR),
		.physical_block_exp = (uint8_t)__builtin_ctz(b->store->physical / SECTOR),
		.num_queues = htole16((uint16_t)b->nqueues),
		.max_discard_sectors = htole32(RANGE_MAX),
		.max_discard_seg = htole32(1),
		.discard_sector_alignment = htole32(b->store->physical / SECTOR),
		.max_write_zeroes_sectors = htole32(RANGE_MAX),
		.max_write_zeroes_seg = htole32(1),
		.write_zeroes_may_unmap = 1,
	};

	memset(ret, 0, len);
	if (off < sizeof(c))
		memcpy(ret, (const uint8_t *)&c + off,
		       len < sizeof(c) - off ? len : sizeof(c) - off);
}

static void give_back(struct blk *b, struct blk_req *r, uint8_t status)
{
	uint32_t written = status == VIRTIO_BLK_S_OK ? r->written : 0;

	gmem_copy(r->status, &status, 1);
	/* The used length counts from the start, so it counts the status only behind data (2.7.8.2). */
	vq_dev_push(r->vq, r->head, written == r->in_size ? written + 1 : written);
	r->next = b->free;
	b->free = r;
	b->inflight--;
}

static uint8_t status_of(int result)
{
	return result == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static void submit(struct blk *b, struct blk_req *r)
{
	if (store_submit(b->store, &r->s))
		give_back(b, r, status_of(r->s.result));
}

static bool in_store(const struct blk *b, uint64_t sector, uint64_t size)
{
	uint64_t sectors = b->store->size / SECTOR;

	return size % SECTOR == 0 && sector <= sectors && size / SECTOR <= sectors - sector;
}

static void transfer(struct blk *b, struct blk_req *r, const struct vq_chain *c, uint64_t sector)
{
	bool write = r->s.op == STORE_WRITE;
	uint64_t size = write ? vq_chain_out_size(c) : vq_chain_in_size(c);

	if (!in_store(b, sector, size) || (write && b->store->read_only)) {
		give_back(b, r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->s.off = sector * SECTOR;
	r->s.len = size;
	r->s.durable = write && b->durable_writes;
	r->s.iov = write ? vq_chain_out(c) : vq_chain_in(c);
	r->s.niov = write ? vq_chain_nout(c) : c->nin;
	if (!write)
		r->written = (uint32_t)size;
	if (!size)
		give_back(b, r, VIRTIO_BLK_S_OK);
	else
		submit(b, r);
}

static void clear(struct blk *b, struct blk_req *r, struct vq_chain *c)
{
	bool zero = r->s.op == STORE_ZERO;
	uint32_t known = zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	struct range range;
	uint64_t sector, size;

	/* We say that one range is the most. */
	if (vq_chain_out_size(c) != sizeof(range) || vq_chain_take(c, &range, sizeof(range)) < 0) {
		give_back(b, r, VIRTIO_BLK_S_IOERR);
		return;
	}
	sector = le64_get(range.sector);
	size = (uint64_t)le32_get(range.count) * SECTOR;
	if (le32_get(range.flags) & ~known) {
		give_back(b, r, VIRTIO_BLK_S_UNSUPP); /* 5.2.6.2 */
		return;
	}
	if (!size || size / SECTOR > RANGE_MAX || !in_store(b, sector, size) ||
	    b->store->read_only) {
		give_back(b, r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->s.off = sector * SECTOR;
	r->s.len = size;
	r->s.unmap = le32_get(range.flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	submit(b, r);
}

static bool is_far(const struct blk *b, const struct vq_chain *c)
{
	for (unsigned int i = 0; i < c->nin; i++)
		if ((uintptr_t)vq_chain_in(c)[i].iov_base - (uintptr_t)b->far < b->far_size)
			return true;
	return false;
}

static void get_id(struct blk *b, struct blk_req *r, const struct vq_chain *c)
{
	if (is_far(b, c) || vq_chain_put(c, b->id, sizeof(b->id)) < 0) {
		give_back(b, r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->written = sizeof(b->id);
	give_back(b, r, VIRTIO_BLK_S_OK);
}

static void dispatch(struct blk *b, struct blk_req *r, struct vq_chain *c, const struct header *h)
{
	switch (le32_get(h->type)) {
	case VIRTIO_BLK_T_IN:
		r->s.op = STORE_READ;
		transfer(b, r, c, le64_get(h->sector));
		return;
	case VIRTIO_BLK_T_OUT:
		r->s.op = STORE_WRITE;
		transfer(b, r, c, le64_get(h->sector));
		return;
	case VIRTIO_BLK_T_FLUSH:
		r->s.op = STORE_FLUSH;
		submit(b, r);
		return;
	case VIRTIO_BLK_T_DISCARD:
		r->s.op = STORE_DISCARD;
		clear(b, r, c);
		return;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		r->s.op = STORE_ZERO;
		clear(b, r, c);
		return;
	case VIRTIO_BLK_T_GET_ID:
		get_id(b, r, c);
		return;
	default:
		give_back(b, r, VIRTIO_BLK_S_UNSUPP);
	}
}

/* A request from the pool with the next chain. */
static int take_one(struct blk *b, struct vq_dev *vq)
{
	struct blk_req *r = b->free;
	struct vq_chain c = { .iov = r->iov, .max = ARRAY_SIZE(r->iov) };
	struct header h;
	int n = vq_dev_pop(vq, &c);

	if (n <= 0)
		return n == -ENOBUFS ? -EPROTO : n;
	if (vq_chain_take(&c, &h, sizeof(h)) < 0)
		return -EPROTO;
	r->s = (struct store_req){ .op = STORE_READ };
	r->status = vq_chain_take_last(&c);
	if (!r->status)
		return -EPROTO;
	r->vq = vq;
	r->head = c.head;
	r->written = 0;
	r->in_size = (uint32_t)vq_chain_in_size(&c);
	b->free = r->next;
	b->inflight++;
	dispatch(b, r, &c, &h);
	return 1;
}

/* Who had to wait while one request was carried out would rather have had it done beside that. */
static void look_for_crowd(struct blk *b, const struct vq_dev *vq)
{
	if (vq_dev_waiting(vq))
		b->crowd = CROWD_LASTS;
	else if (b->crowd)
		b->crowd--;
	b->store->patient = !b->crowd && b->nqueues == 1;
}

int blk_take(struct blk *b, struct vq_dev *vq)
{
	int n = 0, r = 0;

	while (n < TAKE_BUDGET && b->free && (r = take_one(b, vq)) > 0)
		n++;
	if (n) {
		store_push(b->store);
		look_for_crowd(b, vq);
	}
	return r < 0 ? r : n;
}

unsigned int blk_reap(struct blk *b, bool wait)
{
	struct store_req *s;
	unsigned int n = 0;

	while (b->inflight && (s = store_reap(b->store, wait))) {
		give_back(b, (struct blk_req *)s, status_of(s->result));
		n++;
	}
	return n;
}
