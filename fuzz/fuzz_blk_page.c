/* SPDX-License-Identifier: MIT */
/*
 * The input is what a driver wrote: the first bytes say the queue's size and place and what is offered again, the rest is the queue
 * and the buffers. Twice, with the device between; then it lets go, and takes the device again. With data[7] some of what it names is
 * memory that only the store reaches: whoever else touches it is ended by that.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "blk_page.h"

#define AT   0x200000
#define HEAD 8
#define SIZE (12 << 10)
#define DISK (1 << 20)
#define FAR  (64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set(uint8_t *memory, uint32_t off, uint32_t v)
{
	memcpy(memory + off, &v, sizeof(v));
}

static void write_all(uint8_t *memory, const uint8_t *data, size_t size)
{
	set(memory, VIRTIO_MMIO_QUEUE_NUM, data[0] & 1 ? data[1] : 1U << (data[1] & 15));
	set(memory, VIRTIO_MMIO_QUEUE_DESC_LOW, AT + BLK_PAGE_SIZE + 16U * data[2]);
	set(memory, VIRTIO_MMIO_QUEUE_DESC_HIGH, data[3] == 0xff);
	set(memory, VIRTIO_MMIO_DRIVER_FEATURES, data[4] << 8);
	set(memory, VIRTIO_MMIO_QUEUE_READY, 1);
	set(memory, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
	memcpy(memory + BLK_PAGE_SIZE, data + HEAD, size - HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct blk_page page;
	static struct gmem_region far[2];
	uint32_t position = 0, next = 0;
	uint8_t *memory; /* on the heap, so that ASan guards its ends */
	struct store *store;
	struct err e = { 0 };

	if (size < HEAD || size > HEAD + SIZE - BLK_PAGE_SIZE ||
	    store_null_new(DISK, &store, &e) < 0)
		return 0;
	if (!far->hva) {
		uint8_t *p = mmap(NULL, FAR, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		far[0] = (struct gmem_region){ { BLK_PAGE_FAR }, FAR / 2, p };
		far[1] = (struct gmem_region){ { BLK_PAGE_FAR + FAR }, FAR / 2, p + FAR / 2 };
	}
	memory = calloc(1, SIZE);
	const struct blk_page_conf conf = { store, "fuzz",    memory, AT,  SIZE,
					    4096,  &position, &next,  far, data[7] & 1 ? 2 : 0 };
	if (!memory || far->hva == MAP_FAILED || blk_page_init(&page, &conf, &e) < 0)
		abort();
	for (int round = 0; round < 3; round++) {
		write_all(memory, data, size);
		for (int turn = 0; turn < 4 && blk_page_turn(&page) >= 0; turn++)
			if (position != next)
				abort();
		/* what is there is offered once more, by the other wrap counter */
		for (size_t i = BLK_PAGE_SIZE + 14; data[5] & 1 && i + 1 < SIZE; i += 16)
			memory[i] ^= 0x80, memory[i + 1] ^= 0x80;
		(void)!blk_page_turn(&page);
		set(memory, VIRTIO_MMIO_STATUS, 0);
		set(memory, VIRTIO_MMIO_QUEUE_READY, 0);
		if (data[6] & 1)
			(void)!blk_page_turn(&page);
	}
	blk_page_fini(&page);
	store_free(store);
	free(memory);
	return 0;
}
