/* SPDX-License-Identifier: MIT */
#include "blk_page.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>

#define MAGIC   0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR  0x6873766d /* "mvsh": anything */
#define BIT(n)  (UINT32_C(1) << (n))
#define HALF(n) BIT((n)-32)

#define DESC_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define DESC_USED  BIT(VRING_PACKED_DESC_F_USED)

/* Where our split queue is, as struct vq_dev sees it: beyond what a driver may name. */
#define SPLIT_AT (UINT64_C(1) << 40)

struct blk_page_split {
	struct vq_desc desc[BLK_PAGE_QUEUE];
	uint8_t avail[VQ_RING_OFF + 2 * BLK_PAGE_QUEUE + 2];
	uint8_t used[VQ_RING_OFF + sizeof(struct vq_used_elem) * BLK_PAGE_QUEUE + 2]
		__attribute__((aligned(4)));
};

struct packed_desc {
	le64 addr;
	le32 len;
	le16 id, flags;
};
_Static_assert(sizeof(struct packed_desc) == sizeof(struct vring_packed_desc), "wire format");

static uint32_t *reg(const struct blk_page *p, uint32_t off)
{
	return (uint32_t *)(void *)(p->conf.memory + off);
}

static uint32_t load(const struct blk_page *p, uint32_t off)
{
	return __atomic_load_n(reg(p, off), __ATOMIC_ACQUIRE);
}

static void store(const struct blk_page *p, uint32_t off, uint32_t value)
{
	__atomic_store_n(reg(p, off), value, __ATOMIC_RELEASE);
}

static uint64_t load64(const struct blk_page *p, uint32_t low, uint32_t high)
{
	return load(p, low) | (uint64_t)load(p, high) << 32;
}

static void fill(const struct blk_page *p)
{
	const uint32_t size_max = p->conf.piece_max;
	uint32_t features = HALF(VIRTIO_F_VERSION_1) | HALF(VIRTIO_F_ACCESS_PLATFORM) |
			    HALF(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_BLK_F_FLUSH);

	_Static_assert(HALF(VIRTIO_F_ACCESS_PLATFORM) == BIT(VIRTIO_BLK_F_SIZE_MAX) &&
			       HALF(VIRTIO_F_RING_PACKED) == BIT(VIRTIO_BLK_F_SEG_MAX),
		       "bits that come together");
	if (p->blk.store->read_only)
		features |= BIT(VIRTIO_BLK_F_RO);
	memset(p->conf.memory, 0, BLK_PAGE_SIZE);
	blk_config(&p->blk, 0, p->conf.memory + VIRTIO_MMIO_CONFIG,
		   sizeof(struct virtio_blk_config));
	memcpy(p->conf.memory + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, size_max),
	       &size_max, sizeof(size_max));
	store(p, VIRTIO_MMIO_MAGIC_VALUE, MAGIC);
	store(p, VIRTIO_MMIO_VERSION, VERSION);
	store(p, VIRTIO_MMIO_DEVICE_ID, VIRTIO_ID_BLOCK);
	store(p, VIRTIO_MMIO_VENDOR_ID, VENDOR);
	store(p, VIRTIO_MMIO_DEVICE_FEATURES, features);
	store(p, VIRTIO_MMIO_QUEUE_NUM_MAX, BLK_PAGE_QUEUE);
	store(p, VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_INT_VRING);
	/* no memory of its own that is shared (4.2.2) */
	store(p, VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX);
	store(p, VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX);
}

int blk_page_init(struct blk_page *p, const struct blk_page_conf *conf, struct err *e)
{
	*p = (struct blk_page){ .conf = *conf };
	if (conf->size < BLK_PAGE_SIZE || conf->address >= SPLIT_AT ||
	    conf->size >= SPLIT_AT - conf->address || conf->nfar > BLK_PAGE_FARS)
		return err_set(e, EINVAL, "no memory for a disk");
	p->split = calloc(1, sizeof(*p->split));
	if (!p->split || blk_init(&p->blk, conf->store, conf->id, 1) < 0) {
		free(p->split);
		return err_set(e, ENOMEM, "no memory for a disk");
	}
	/* the page itself is nobody's buffer */
	p->region[0] = (struct gmem_region){ .base = { conf->address + BLK_PAGE_SIZE },
					     .size = conf->size - BLK_PAGE_SIZE,
					     .hva = conf->memory + BLK_PAGE_SIZE };
	p->region[1] = (struct gmem_region){ .base = { SPLIT_AT },
					     .size = sizeof(*p->split),
					     .hva = (uint8_t *)p->split };
	_Static_assert(BLK_PAGE_QUEUE - 2 <= BLK_SEG_MOST, "all but a header and a status");
	p->blk.seg_max = BLK_PAGE_QUEUE - 2;
	for (size_t i = 0; i < conf->nfar; i++) {
		p->region[2 + i] = conf->far[i];
		p->blk.far_size += conf->far[i].size;
	}
	if (conf->nfar)
		p->blk.far = conf->far[0].hva;
	p->mem = (struct gmem){ .region = p->region, .nregions = 2 + conf->nfar };
	fill(p);
	return 0;
}

void blk_page_fini(struct blk_page *p)
{
	if (!p->split)
		return;
	(void)blk_reap(&p->blk, true);
	blk_fini(&p->blk);
	free(p->split);
	p->split = NULL;
}

/* --- the queue --- */

static uint32_t advance(const struct blk_page *p, uint32_t position, uint32_t n)
{
	uint32_t idx = (position & ~BLK_PAGE_WRAP) + n, wrap = position & BLK_PAGE_WRAP;

	return idx < p->size ? idx | wrap : (idx - p->size) | (wrap ^ BLK_PAGE_WRAP);
}

static void say_position(uint32_t *where, uint32_t position)
{
	__atomic_store_n(where, position, __ATOMIC_RELEASE);
}

/* Only its flags are read as long as they do not say that it is offered. */
static uint16_t flags_at(const struct blk_page *p, uint32_t idx)
{
	const struct packed_desc *d = (const struct packed_desc *)(const void *)p->ring + idx;

	return le16toh(
		__atomic_load_n((const uint16_t *)(const void *)&d->flags, __ATOMIC_ACQUIRE));
}

static bool is_offered(const struct blk_page *p)
{
	uint16_t flags = flags_at(p, p->at & ~BLK_PAGE_WRAP);
	bool wrap = p->at & BLK_PAGE_WRAP;

	return !!(flags & DESC_AVAIL) == wrap && !!(flags & DESC_USED) != wrap;
}

/*
 * Is it what a chain may have at this place? Our own queue is not the driver's to name. Far away is only what is read from the disk: the header is read
 * here, and the status, the last byte of all, is written here. There is more memory there than is read into in one turn: a piece is no longer than
 * the driver was told.
 */
static bool is_allowed(const struct blk_page *p, const struct packed_desc *d, bool *any_far)
{
	const uint64_t addr = le64_get(d->addr);
	const uint16_t flags = le16_get(d->flags);
	const bool far = addr >= BLK_PAGE_FAR;

	*any_far |= far;
	if ((addr >= SPLIT_AT && !far) || flags & VRING_DESC_F_INDIRECT)
		return false;
	if (far)
		return flags & VRING_DESC_F_WRITE && flags & VRING_DESC_F_NEXT &&
		       le32_get(d->len) <= p->conf.piece_max;
	return flags & VRING_DESC_F_NEXT || !*any_far || le32_get(d->len);
}

/* What was offered, in our own queue: at the same indices, each copied once. */
static int copy_chain(struct blk_page *p)
{
	uint32_t first = p->at & ~BLK_PAGE_WRAP, n = 0;
	struct packed_desc d;
	bool any_far = false;
	uint16_t flags;

	do {
		uint32_t idx = (first + n) % p->size;

		/* one that is under way is not offered once more */
		if (n == p->size || p->inflight + n >= p->size)
			return -EPROTO;
		gmem_copy(&d, p->ring + sizeof(d) * idx, sizeof(d));
		flags = le16_get(d.flags) & (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
		p->split->desc[idx] = (struct vq_desc){
			.addr = d.addr,
			.len = d.len,
			.flags = le16_of(flags),
			.next = le16_of((uint16_t)((idx + 1) % p->size)),
		};
		if (!is_allowed(p, &d, &any_far))
			return -EPROTO;
		n++;
	} while (flags & VRING_DESC_F_NEXT);
	p->chain[first] = (struct blk_page_chain){ .count = (uint16_t)n, .id = le16_get(d.id) };
	vq_store(p->split->avail + VQ_RING_OFF + 2 * (p->navail % p->size), (uint16_t)first);
	p->navail++;
	vq_store_release(p->split->avail + VQ_IDX_OFF, p->navail);
	p->inflight += (uint16_t)n;
	p->at = advance(p, p->at, n);
	return 0;
}

static void answer(struct blk_page *p, const struct blk_page_chain *c)
{
	uint32_t idx = p->first & ~BLK_PAGE_WRAP, next = advance(p, p->first, c->count);
	struct packed_desc *d = (struct packed_desc *)(void *)p->ring + idx;
	uint16_t flags = p->first & BLK_PAGE_WRAP ? (uint16_t)(DESC_AVAIL | DESC_USED) : 0;

	say_position(p->conf.next, next);
	d->id = le16_of(c->id);
	d->len = le32_of(c->len);
	/* the data, id and length before it (2.8.14) */
	__atomic_store_n((uint16_t *)(void *)&d->flags, htole16(flags), __ATOMIC_RELEASE);
	p->first = next;
	say_position(p->conf.position, next);
	p->inflight -= c->count;
}

/* Of our own queue, in any order. */
static int give_back(struct blk_page *p)
{
	const uint8_t *used = p->split->used;
	int n = 0;

	(void)!vq_dev_publish(&p->vq);
	for (; p->nused != vq_load_acquire(used + VQ_IDX_OFF); p->nused++) {
		struct vq_used_elem u;
		struct blk_page_chain *c;

		memcpy(&u, used + VQ_RING_OFF + sizeof(u) * (p->nused % p->size), sizeof(u));
		c = &p->chain[le32_get(u.id) % BLK_PAGE_QUEUE];
		c->len = le32_get(u.len);
		c->done = true;
	}
	while (p->inflight) {
		struct blk_page_chain *c = &p->chain[p->first & ~BLK_PAGE_WRAP];

		if (!c->done)
			break;
		c->done = false;
		answer(p, c);
		n++;
	}
	return n;
}

/* --- its beginning and end --- */

static int begin(struct blk_page *p)
{
	const struct vq_conf conf = {
		.desc = { SPLIT_AT + offsetof(struct blk_page_split, desc) },
		.avail = { SPLIT_AT + offsetof(struct blk_page_split, avail) },
		.used = { SPLIT_AT + offsetof(struct blk_page_split, used) },
		.size = (uint16_t)load(p, VIRTIO_MMIO_QUEUE_NUM),
	};
	const gpa_t at = { load64(p, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH) };
	const struct gmem theirs = { .region = p->region, .nregions = 1 };
	size_t size = sizeof(struct packed_desc) * conf.size;
	uint32_t expected = 1;
	void *ring;

	if (!vq_size_ok(conf.size) || conf.size > BLK_PAGE_QUEUE || at.v % 16 ||
	    gmem_at(&theirs, at, size, &ring) != size)
		return -EPROTO;
	/* before it is taken: whoever goes on after us believes it from there on */
	say_position(p->conf.next, BLK_PAGE_WRAP);
	say_position(p->conf.position, BLK_PAGE_WRAP);
	if (!__atomic_compare_exchange_n(reg(p, VIRTIO_MMIO_QUEUE_READY), &expected, BLK_PAGE_TAKEN,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	memset(p->split, 0, sizeof(*p->split));
	memset(p->chain, 0, sizeof(p->chain));
	p->ring = ring;
	p->size = conf.size;
	p->at = p->first = BLK_PAGE_WRAP;
	p->navail = p->nused = p->inflight = 0;
	/* the lower half is written last, and of the higher one all was needed */
	blk_set_features(&p->blk, load(p, VIRTIO_MMIO_DRIVER_FEATURES));
	p->up = true;
	return vq_dev_init(&p->vq, &p->mem, &conf);
}

/* What is under way is for nobody any more. */
static void end(struct blk_page *p)
{
	(void)blk_reap(&p->blk, true);
	p->up = false;
}

static bool is_up(const struct blk_page *p)
{
	return load(p, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK;
}

static int serve(struct blk_page *p)
{
	int r = 0, n;

	while (!r && is_offered(p))
		r = copy_chain(p);
	/* what came before a broken one is carried out */
	do
		n = blk_take(&p->blk, &p->vq);
	while (n > 0 && vq_dev_waiting(&p->vq) && p->blk.free);
	(void)blk_reap(&p->blk, false);
	if (n < 0)
		r = n;
	n = give_back(p);
	return r < 0 ? r : n;
}

int blk_page_turn(struct blk_page *p)
{
	uint32_t ready = load(p, VIRTIO_MMIO_QUEUE_READY);
	int r = 0;

	if (p->broken)
		return -EPROTO;
	if (p->up && (!is_up(p) || ready != BLK_PAGE_TAKEN))
		end(p);
	if (!p->up && is_up(p) && ready == 1)
		r = begin(p);
	if (!r && p->up)
		r = serve(p);
	if (r < 0) {
		p->broken = true;
		store(p, VIRTIO_MMIO_STATUS,
		      load(p, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	return r;
}
