/* SPDX-License-Identifier: MIT */
/*
 * side_disk_abi.h - a disk in the guest: what the host and the library have in common for it.
 *
 * Theory of operation
 *
 * The guest's own drivers, virtio_mmio and virtio_blk, get a device whose registers are a page of the memory that both map. Nothing
 * that they read there depends on what was written just before (lib/vdev/blk_page.h), so no access to it is an exit.
 * The library makes the device, in a thread of its own, and is what moves its data: operations for DMA (struct dma_map_ops)
 * that copy to and from this memory. The addresses in the queue are distances from this memory's beginning; or SIDE_DISK_FAR and a
 * guest-physical address, for what is read from the disk into memory that the host has said it reaches (side_far.h): it is copied there by the host itself.
 *
 *	0			registers
 *	SIDE_DISK_SMALL_AT	pieces of up to SIDE_DISK_SMALL bytes: headers and statuses
 *	SIDE_DISK_RING_AT	pages: the queue
 *	SIDE_DISK_SLOTS_AT	slots: data, each piece in one of its own, whatever its size
 *
 * Linux makes an I/O error of a piece that gets no address (virtqueue_add_packed()), and some versions leave descriptors then that look
 * as if they were offered. So there is always room: as many small pieces as a queue has descriptors, and as many slots as it can
 * have beside a request's header and status. What was given back last is taken first, so that a
 * guest that asks for little touches little of it: the host has no memory behind the rest.
 *
 * The host serves the queue in its order, and says how far it came. If it ends, the library answers the rest, so that
 * nobody in the guest waits for ever: @served tells which of the two it is. The host claims it for each turn, so
 * that the library does not begin in the midst of one that takes long.
 */
#ifndef SIDELOAD_SIDE_DISK_ABI_H
#define SIDELOAD_SIDE_DISK_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_DISK_SIZE     (8U << 20)
#define SIDE_DISK_PAGE     4096U
#define SIDE_DISK_QUEUE    256U /* descriptors, at most */
#define SIDE_DISK_SMALL    64U
#define SIDE_DISK_SMALLS   SIDE_DISK_QUEUE
#define SIDE_DISK_SMALL_AT SIDE_DISK_PAGE
#define SIDE_DISK_RING_AT  (SIDE_DISK_SMALL_AT + SIDE_DISK_SMALLS * SIDE_DISK_SMALL)
/* Descriptors of 16 bytes, and two event suppression structures (virtio 1.2, 2.8), each of which is given a page. */
#define SIDE_DISK_RING_PAGES (SIDE_DISK_QUEUE * 16U / SIDE_DISK_PAGE + 2)
#define SIDE_DISK_SLOTS_AT   (SIDE_DISK_RING_AT + SIDE_DISK_RING_PAGES * SIDE_DISK_PAGE)
#define SIDE_DISK_PIECE_MAX  (32U << 10) /* of data that lies in one piece in the guest's memory */
#define SIDE_DISK_SLOTS      ((SIDE_DISK_SIZE - SIDE_DISK_SLOTS_AT) / SIDE_DISK_PIECE_MAX)
#define SIDE_DISK_WRAP       0x8000U      /* of a position */
#define SIDE_DISK_FAR        (1ULL << 60) /* more than a processor has of physical addresses */
#define SIDE_DISK_FARS       4U
#define SIDE_DISK_FAR_LEAST  4096U /* bytes; less is copied by the guest */

_Static_assert(SIDE_DISK_SLOTS + 2 > SIDE_DISK_QUEUE,
	       "room for all that a driver can offer at once");

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

enum side_disk_served {
	SIDE_DISK_NOT, /* the library answers */
	SIDE_DISK_SERVED,
	SIDE_DISK_TURN, /* and the host does so just now */
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
	/* memory that the host reaches itself, guest-physical; said before @wanted */
	struct side_disk_far {
		uint64_t at, size;
	} far[SIDE_DISK_FARS];
	uint32_t wanted;
	uint32_t served; /* enum side_disk_served; the guest may set it to NOT, too */
	uint32_t done;   /* how many times something was answered */
	uint32_t asleep; /* who answers is to be rung */
	/* where the queue goes on: index and, in bit 15, the wrap counter (virtio 1.2, 2.8.1). @next is said before an answer, @position after it */
	uint32_t position, next;

	/* the guest's */
	uint32_t stage; /* enum side_disk_stage */
	int32_t error;
	uint32_t mapped; /* pieces that are the device's: something is under way */

	/* the guest's own */
	uint32_t started, stop, poll_stop, seen, raising;
	int32_t irq;
	uint32_t asked, told; /* how many requests were begun; and when who answers was told last */
	uint32_t pieces; /* that got an address since the queue was made: one for each descriptor */
	uint32_t begun;  /* of these, before the request that is made just now */
	uint32_t last;   /* and before the one that was made last */
	uint32_t woken_head, woken_tail; /* of the channel, when who waits for it was woken last */
	void *device, *poller;
	uint64_t lock_key;
	uint8_t resources[SIDE_DISK_ROOM_RESOURCES], ops[SIDE_DISK_ROOM_OPS];
	uint8_t wait_head[SIDE_DISK_ROOM_WAIT_HEAD];
	uint8_t gone[SIDE_DISK_ROOM_COMPLETION], polled[SIDE_DISK_ROOM_COMPLETION];
	/* room: what is free, the next one last; and of what is not, the memory of the guest that was copied, or will be */
	uint32_t nsmall, nslot;
	uint16_t small_free[SIDE_DISK_SMALLS], slot_free[SIDE_DISK_SLOTS];
	void *small_of[SIDE_DISK_SMALLS], *slot_of[SIDE_DISK_SLOTS];
	uint8_t ring_used[SIDE_DISK_RING_PAGES];
};

#endif
