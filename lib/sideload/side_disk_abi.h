/* SPDX-License-Identifier: MIT */
/*
 * side_disk_abi.h - a disk in the guest: what the host and the library have in common for it.
 *
 * Theory of operation
 *
 * The guest's own drivers, virtio_mmio and virtio_blk, get a device whose registers are a page of the memory that both map. Nothing
 * that they read there depends on what was written just before (lib/vdev/blk_page.h), so no access to it is an exit.
 * The library makes the device, in a thread of its own, and is what moves its data: operations for DMA (struct dma_map_ops)
 * that copy to and from this memory, so that the host never reads or writes memory of the guest. The addresses in the queue
 * are distances from this memory's beginning.
 *
 *	0			registers
 *	SIDE_DISK_SMALL_AT	pieces of up to SIDE_DISK_SMALL bytes: headers and statuses
 *	SIDE_DISK_PAGES_AT	pages: the queue, and data
 *
 * The host serves the queue in its order, and says how far it came. If it ends, the library answers the rest, so that
 * nobody in the guest waits for ever: @served tells which of the two it is.
 */
#ifndef SIDELOAD_SIDE_DISK_ABI_H
#define SIDELOAD_SIDE_DISK_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_DISK_SIZE      (4U << 20)
#define SIDE_DISK_PAGE      4096U
#define SIDE_DISK_SMALL     64U
#define SIDE_DISK_SMALLS    1024U
#define SIDE_DISK_SMALL_AT  SIDE_DISK_PAGE
#define SIDE_DISK_PAGES_AT  (SIDE_DISK_SMALL_AT + SIDE_DISK_SMALLS * SIDE_DISK_SMALL)
#define SIDE_DISK_PAGES     ((SIDE_DISK_SIZE - SIDE_DISK_PAGES_AT) / SIDE_DISK_PAGE)
#define SIDE_DISK_WRAP      0x8000U /* of a position */
#define SIDE_DISK_PIECE_MAX 65536U  /* of data that lies in one piece in the guest's memory */

/* As SIDE_FUNCTIONS; "" for the other name: NULL if it is not there. */
#define SIDE_DISK_FUNCTIONS(X)                                                              \
	X(__request_module, "", int, (bool wait, const char *format, ...))                  \
	X(platform_device_alloc, NULL, void *, (const char *name, int id))                  \
	X(platform_device_add_resources, NULL, int,                                         \
	  (void *device, const void *resources, unsigned int n))                            \
	X(platform_device_add, NULL, int, (void *device))                                   \
	X(platform_device_put, NULL, void, (void *device))                                  \
	X(platform_device_unregister, NULL, void, (void *device))                           \
	X(__irq_alloc_descs, NULL, int,                                                     \
	  (int irq, unsigned int from, unsigned int n, int node, void *owner, void *masks)) \
	X(irq_free_descs, NULL, void, (unsigned int from, unsigned int n))                  \
	X(irq_set_chip_and_handler_name, NULL, void,                                        \
	  (unsigned int irq, const void *chip, const void *handler, const char *name))      \
	X(generic_handle_irq, NULL, int, (unsigned int irq))                                \
	X(memcpy, "__memcpy", void *, (void *to, const void *from, size_t n))

/* As SIDE_FIELDS, but "" for the other name: 0 if it is not there. */
#define SIDE_DISK_FIELDS(X)                                                    \
	X(page_size, "page", "", NULL)                                         \
	X(resource_size, "resource", "", NULL)                                 \
	X(resource_start, "resource", "start", NULL)                           \
	X(resource_end, "resource", "end", NULL)                               \
	X(resource_flags, "resource", "flags", NULL)                           \
	X(device_ops, "platform_device", "dev.dma_ops", NULL)                  \
	X(ops_size, "dma_map_ops", "", NULL)                                   \
	X(ops_alloc, "dma_map_ops", "alloc", NULL)                             \
	X(ops_free, "dma_map_ops", "free", NULL)                               \
	X(ops_map_page, "dma_map_ops", "map_page", "")                         \
	X(ops_unmap_page, "dma_map_ops", "unmap_page", "")                     \
	X(ops_map_phys, "dma_map_ops", "map_phys", "")     /* Linux 6.18 */    \
	X(ops_unmap_phys, "dma_map_ops", "unmap_phys", "") /* and no others */ \
	X(ops_max_mapping_size, "dma_map_ops", "max_mapping_size", NULL)

struct side_disk_functions {
#define X(name, other, type, args) \
	type(*name) args; /* NOLINT(bugprone-macro-parentheses): a declaration */
	SIDE_DISK_FUNCTIONS(X)
#undef X
};

struct side_disk_fields {
#define X(name, structure, member, other) uint32_t name;
	SIDE_DISK_FIELDS(X)
#undef X
};

enum side_disk_stage {
	SIDE_DISK_NONE,
	SIDE_DISK_STARTS,
	SIDE_DISK_READY,
	SIDE_DISK_FAILED, /* @error says why */
};

#define SIDE_DISK_ROOM_RESOURCES  256
#define SIDE_DISK_ROOM_OPS        512
#define SIDE_DISK_ROOM_COMPLETION 256
#define SIDE_DISK_ROOM_WAIT_HEAD  256

struct side_disk {
	/* the host's, before it starts */
	struct side_disk_functions call;
	struct side_disk_fields at;
	uint64_t chip,
		handler; /* of an interrupt that no hardware makes: dummy_irq_chip, handle_simple_irq */
	uint64_t direct, page_list; /* where the guest's memory and its struct pages are */
	uint64_t gpa;               /* of the registers */
	uint32_t area; /* SIDE_DISK_SIZE bytes, from the memory's beginning; 0: there is no disk */

	/* the host's */
	uint32_t wanted;
	uint32_t served; /* there is somebody who answers; the guest may set it to 0, too */
	uint32_t done;   /* how many times something was answered */
	uint32_t asleep; /* who answers is to be rung */
	/* where the queue goes on: index and, in bit 15, the wrap counter (virtio 1.2, 2.8.1). @next is said before an answer, @position after it */
	uint32_t position, next;

	/* the guest's */
	uint32_t stage; /* enum side_disk_stage */
	int32_t error;
	uint32_t mapped; /* pieces that are the device's: something is under way */
	uint32_t asked;  /* how many times it has rung who answers */

	/* the guest's own */
	uint32_t started, stop, poll_stop, seen, raising;
	int32_t irq;
	uint32_t near_small, near_page; /* where was found room last */
	void *device, *poller;
	uint64_t lock_key;
	uint8_t resources[SIDE_DISK_ROOM_RESOURCES], ops[SIDE_DISK_ROOM_OPS];
	uint8_t wait_head[SIDE_DISK_ROOM_WAIT_HEAD];
	uint8_t gone[SIDE_DISK_ROOM_COMPLETION], polled[SIDE_DISK_ROOM_COMPLETION];
	uint8_t small_used[SIDE_DISK_SMALLS], page_used[SIDE_DISK_PAGES];
	void *small_of[SIDE_DISK_SMALLS],
		*page_of[SIDE_DISK_PAGES]; /* what was copied, or will be */
};

#endif
