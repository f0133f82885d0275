/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side_dma.c - what a driver gives the disk to read or write is copied to and from the memory that the host sees, too.
 *
 * What is read from it into memory that the host reaches itself is not: the piece's own address is given.
 *
 * Linux asks us for an address of each piece of a request (struct dma_map_ops), and tells when the device is done with it. The driver's lock
 * is held around that, and around all that it changes here.
 */
#include "side.h"

#define TO_DEVICE   1 /* enum dma_data_direction of Linux */
#define FROM_DEVICE 2
#define NO_ADDRESS  (~0ULL)

static struct side_disk *disk(void)
{
	return &side_state()->disk;
}

/* Room of one size. */
struct pool {
	uint32_t *nfree;
	uint16_t *free;
	void **of;
	uint32_t count;
	uint64_t at, size;
};

static struct pool pool_of(uint64_t size)
{
	struct side_disk *d = disk();

	if (size <= SIDE_DISK_SMALL)
		return (struct pool){ &d->nsmall,
				      d->small_free,
				      d->small_of,
				      SIDE_DISK_SMALLS,
				      d->area + SIDE_DISK_SMALL_AT,
				      SIDE_DISK_SMALL };
	return (struct pool){ &d->nslot,
			      d->slot_free,
			      d->slot_of,
			      SIDE_DISK_SLOTS,
			      d->area + SIDE_DISK_SLOTS_AT,
			      SIDE_DISK_PIECE_MAX };
}

/* All of it is free; what is first is taken first. */
static void fill(const struct pool *p)
{
	for (uint32_t k = 0; k < p->count; k++)
		p->free[k] = (uint16_t)(p->count - 1 - k);
	*p->nfree = p->count;
}

/* For what is at @from. Return: its address; 0 there is no room. */
static uint64_t take(const struct pool *p, void *from)
{
	uint32_t k, n = *p->nfree;

	if (!n || n > p->count)
		return 0;
	k = p->free[n - 1];
	if (k >= p->count)
		return 0;
	*p->nfree = n - 1;
	p->of[k] = from;
	return p->at + k * p->size;
}

/* Return: what it was for; NULL if it was for nothing. */
static void *give_back(const struct pool *p, uint64_t address)
{
	uint64_t k = (address - p->at) / p->size;
	void *from;

	if (address < p->at || k >= p->count || *p->nfree >= p->count || !p->of[k])
		return NULL;
	from = p->of[k];
	p->of[k] = NULL;
	p->free[(*p->nfree)++] = (uint16_t)k;
	return from;
}

/* The queue, and nothing else. */
static void *alloc(void *device, size_t size, uint64_t *ret_address, unsigned int gfp,
		   unsigned long attrs)
{
	struct side_disk *d = disk();
	const size_t n = (size + SIDE_DISK_PAGE - 1) / SIDE_DISK_PAGE;
	uint64_t at;
	size_t k = 0;

	(void)device;
	(void)gfp;
	(void)attrs;
	for (size_t run = 0; run < n; k++) {
		if (k == SIDE_DISK_RING_PAGES)
			return NULL;
		run = d->ring_used[k] ? 0 : run + 1;
	}
	for (size_t i = k - n; i < k; i++)
		d->ring_used[i] = 1;
	at = d->area + SIDE_DISK_RING_AT + (k - n) * SIDE_DISK_PAGE;
	for (uint64_t i = 0; i < n * SIDE_DISK_PAGE / 8; i++)
		((volatile uint64_t *)(void *)side_at(at))[i] = 0;
	/* it begins with its first descriptor */
	d->pieces = d->begun = d->last = 0;
	*ret_address = at;
	return side_at(at);
}

static void free_memory(void *device, size_t size, void *p, uint64_t address, unsigned long attrs)
{
	struct side_disk *d = disk();
	uint64_t k = (address - d->area - SIDE_DISK_RING_AT) / SIDE_DISK_PAGE;

	(void)device;
	(void)p;
	(void)attrs;
	for (uint64_t end = k + (size + SIDE_DISK_PAGE - 1) / SIDE_DISK_PAGE;
	     k < end && k < SIDE_DISK_RING_PAGES; k++)
		d->ring_used[k] = 0;
}

/* A request has all of its pieces, and is offered next: who rings is woken, and does so after that. */
static void begun(struct side_state *s)
{
	struct side_disk *d = &s->disk;

	side_set(&d->last, d->begun);
	d->begun = d->pieces;
	side_set(&d->asked, d->asked + 1);
	s->call.__wake_up(d->wait_head, TASK_NORMAL, 0, NULL);
}

static bool is_far(const struct side_disk *d, uint64_t physical, size_t size)
{
	for (size_t i = 0; i < SIDE_DISK_FARS; i++) {
		const struct side_disk_far *f = &d->far[i];

		if (physical - f->at < f->size && size <= f->size - (physical - f->at))
			return true;
	}
	return false;
}

/* Into a slot, if it is to be written. Return: its address; 0 there is no room. */
static uint64_t map_near(struct side_disk *d, uint64_t physical, size_t size, int direction)
{
	const struct pool p = pool_of(size);
	uint8_t *from = (uint8_t *)(uintptr_t)(d->direct + physical);
	uint64_t at = size && size <= p.size ? take(&p, from) : 0;

	if (at && direction != FROM_DEVICE)
		(void)d->call.memcpy(side_at(at), from, size);
	return at;
}

static uint64_t map(uint64_t physical, size_t size, int direction)
{
	struct side_state *s = side_state();
	struct side_disk *d = &s->disk;
	uint64_t at;

	if (direction == FROM_DEVICE && size >= SIDE_DISK_FAR_LEAST && is_far(d, physical, size))
		at = SIDE_DISK_FAR + physical;
	else
		at = map_near(d, physical, size, direction);
	if (!at) {
		/* Linux forgets the request */
		d->pieces = d->begun;
		return NO_ADDRESS;
	}
	d->mapped++;
	d->pieces++;
	/* the status is the last of each */
	if (size == 1 && direction == FROM_DEVICE)
		begun(s);
	return at;
}

static void unmap(uint64_t address, size_t size, int direction)
{
	struct side_disk *d = disk();
	const struct pool p = pool_of(size);
	const bool far = address >= SIDE_DISK_FAR;
	void *from = !far && size && size <= p.size ? give_back(&p, address) : NULL;

	if (!far && !from)
		return;
	if (!far && direction != TO_DEVICE)
		(void)d->call.memcpy(from, side_at(address), size);
	d->mapped--;
}

static uint64_t map_page(void *device, const uint8_t *page, unsigned long off, size_t size,
			 int direction, unsigned long attrs)
{
	const struct side_disk *d = disk();
	uint64_t number = ((uint64_t)(uintptr_t)page - d->page_list) / d->at.page_size;

	(void)device;
	(void)attrs;
	return map(number * SIDE_DISK_PAGE + off, size, direction);
}

static void unmap_page(void *device, uint64_t address, size_t size, int direction,
		       unsigned long attrs)
{
	(void)device;
	(void)attrs;
	unmap(address, size, direction);
}

static uint64_t map_phys(void *device, uint64_t physical, size_t size, int direction,
			 unsigned long attrs)
{
	(void)device;
	(void)attrs;
	return map(physical, size, direction);
}

static size_t max_mapping_size(void *device)
{
	(void)device;
	return SIDE_DISK_PIECE_MAX;
}

void side_dma_init(void)
{
	struct side_disk *d = disk();
	const struct pool small = pool_of(1), slots = pool_of(SIDE_DISK_PIECE_MAX);

	fill(&small);
	fill(&slots);
	side_store(d->ops, d->at.ops_alloc, (const void *)alloc);
	side_store(d->ops, d->at.ops_free, (const void *)free_memory);
	side_store(d->ops, d->at.ops_max_mapping_size, (const void *)max_mapping_size);
	if (d->at.ops_map_page) {
		side_store(d->ops, d->at.ops_map_page, (const void *)map_page);
		side_store(d->ops, d->at.ops_unmap_page, (const void *)unmap_page);
	}
	if (d->at.ops_map_phys) {
		side_store(d->ops, d->at.ops_map_phys, (const void *)map_phys);
		side_store(d->ops, d->at.ops_unmap_phys, (const void *)unmap_page);
	}
}
