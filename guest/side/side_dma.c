/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side_dma.c - what a driver gives the disk to read or write is copied to and from the memory that the host sees, too.
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

/* @n in a row of @used that are free, from *@near on. Return: the first; @count none. */
static uint32_t take(uint8_t *used, uint32_t count, uint32_t n, uint32_t *near)
{
	uint32_t at = *near, run = 0;

	for (uint32_t k = 0; k < count + n; k++, at++) {
		if (at >= count) {
			at = 0;
			run = 0;
		}
		run = used[at] ? 0 : run + 1;
		if (run < n)
			continue;
		for (uint32_t i = 0; i < n; i++)
			used[at - i] = 1;
		*near = at + 1 < count ? at + 1 : 0;
		return at + 1 - n;
	}
	return count;
}

static uint32_t pages_of(uint64_t size)
{
	return (uint32_t)((size + SIDE_DISK_PAGE - 1) / SIDE_DISK_PAGE);
}

/* Where a piece is, and the place where its origin is noted; false: this is no address of ours. */
static bool find(uint64_t address, uint8_t **ret_used, void ***ret_origin)
{
	struct side_disk *d = disk();
	uint64_t off = address - d->area;

	if (off >= SIDE_DISK_SIZE || off < SIDE_DISK_SMALL_AT)
		return false;
	if (off < SIDE_DISK_PAGES_AT) {
		off = (off - SIDE_DISK_SMALL_AT) / SIDE_DISK_SMALL;
		*ret_used = &d->small_used[off];
		*ret_origin = &d->small_of[off];
		return true;
	}
	off = (off - SIDE_DISK_PAGES_AT) / SIDE_DISK_PAGE;
	*ret_used = &d->page_used[off];
	*ret_origin = &d->page_of[off];
	return true;
}

/* Return: its address; 0 there is no room. */
static uint64_t take_piece(uint64_t size)
{
	struct side_disk *d = disk();
	uint32_t k;

	if (!size || size > SIDE_DISK_SIZE)
		return 0;
	if (size <= SIDE_DISK_SMALL) {
		k = take(d->small_used, SIDE_DISK_SMALLS, 1, &d->near_small);
		return k < SIDE_DISK_SMALLS ? d->area + SIDE_DISK_SMALL_AT + k * SIDE_DISK_SMALL
					    : 0;
	}
	k = take(d->page_used, SIDE_DISK_PAGES, pages_of(size), &d->near_page);
	return k < SIDE_DISK_PAGES ? d->area + SIDE_DISK_PAGES_AT + k * SIDE_DISK_PAGE : 0;
}

static void free_piece(uint64_t address, uint64_t size)
{
	uint8_t *used;
	void **origin;

	if (!find(address, &used, &origin))
		return;
	for (uint32_t k = size <= SIDE_DISK_SMALL ? 1 : pages_of(size); k; k--)
		used[k - 1] = 0;
}

static void *alloc(void *device, size_t size, uint64_t *ret_address, unsigned int gfp,
		   unsigned long attrs)
{
	/* not one of the small ones, which are not far enough from each other */
	uint64_t at = take_piece(size < SIDE_DISK_PAGE ? SIDE_DISK_PAGE : size);

	(void)device;
	(void)gfp;
	(void)attrs;
	if (!at)
		return NULL;
	for (uint64_t k = 0; k < pages_of(size) * (uint64_t)SIDE_DISK_PAGE / 8; k++)
		((volatile uint64_t *)(void *)side_at(at))[k] = 0;
	*ret_address = at;
	return side_at(at);
}

static void free_memory(void *device, size_t size, void *p, uint64_t address, unsigned long attrs)
{
	(void)device;
	(void)p;
	(void)attrs;
	free_piece(address, size < SIDE_DISK_PAGE ? SIDE_DISK_PAGE : size);
}

static uint64_t map(uint8_t *from, size_t size, int direction)
{
	struct side_state *s = side_state();
	struct side_disk *d = &s->disk;
	uint64_t at = take_piece(size);
	uint8_t *used;
	void **origin;

	if (!at || !find(at, &used, &origin))
		return NO_ADDRESS;
	*origin = from;
	if (direction != FROM_DEVICE)
		(void)d->call.memcpy(side_at(at), from, size);
	if (!d->mapped++ && !side_get(&s->rung))
		s->call.__wake_up(d->wait_head, TASK_NORMAL, 0, NULL);
	/* the status, which is the last of a request: it is offered before anybody who is rung by this looks */
	if (size == 1 && direction == FROM_DEVICE && side_get(&d->asleep)) {
		side_set(&d->asked, d->asked + 1);
		side_bell_ring();
	}
	return at;
}

static void unmap(uint64_t address, size_t size, int direction)
{
	struct side_disk *d = disk();
	uint8_t *used;
	void **origin;

	if (!find(address, &used, &origin) || !*used || size > SIDE_DISK_PIECE_MAX)
		return;
	if (direction != TO_DEVICE)
		(void)d->call.memcpy(*origin, side_at(address), size);
	free_piece(address, size);
	d->mapped--;
}

static uint64_t map_page(void *device, const uint8_t *page, unsigned long off, size_t size,
			 int direction, unsigned long attrs)
{
	const struct side_disk *d = disk();
	uint64_t number = ((uint64_t)(uintptr_t)page - d->page_list) / d->at.page_size;

	(void)device;
	(void)attrs;
	return map((uint8_t *)(uintptr_t)(d->direct + number * SIDE_DISK_PAGE + off), size,
		   direction);
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
	return map((uint8_t *)(uintptr_t)(disk()->direct + physical), size, direction);
}

static size_t max_mapping_size(void *device)
{
	(void)device;
	return SIDE_DISK_PIECE_MAX;
}

void side_dma_init(void)
{
	struct side_disk *d = disk();

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
