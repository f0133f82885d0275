/* SPDX-License-Identifier: MIT */
/*
 * blk_page.h - a virtio-mmio block device whose registers are plain memory, served by who looks at it now and then.
 *
 * Theory of operation
 *
 * blk_page_init() fills a page so that a driver (virtio 1.2, 4.2.3.1; Linux from 5.0 on) finds all that it reads, whatever it
 * wrote before:
 * there is one queue, and the features are the same word for both halves of them. A bit of that word is thus offered twice:
 *
 *	0	VIRTIO_F_VERSION_1		BARRIER, which drivers of today do not know
 *	1	VIRTIO_F_ACCESS_PLATFORM	VIRTIO_BLK_F_SIZE_MAX
 *	2	VIRTIO_F_RING_PACKED		VIRTIO_BLK_F_SEG_MAX
 *	5	VIRTIO_F_SR_IOV, of PCI alone	VIRTIO_BLK_F_RO
 *	9	41, of PCI alone		VIRTIO_BLK_F_FLUSH
 *
 * Therefore the queue is a packed one. blk_page_turn() looks at the status, takes what is offered, copies each chain once into a
 * split queue of ours, and has struct blk carry it out, by lib/virtio, which checks it. What is done is given back in the
 * order in which it was offered, so that one number says how far the queue came: whoever goes on
 * after us needs no more. @next is written before an answer becomes visible, @position after it.
 *
 * QUEUE_READY is set to BLK_PAGE_TAKEN once the queue is known: the driver that writes 1 there has made another one.
 *
 * The driver is not trusted. Addresses are within @memory, and for what is read from the disk from BLK_PAGE_FAR on within @far, too:
 * memory that the store alone reaches. Header and status never lie there. One thread. No allocation after blk_page_init().
 */
#ifndef VDEV_BLK_PAGE_H
#define VDEV_BLK_PAGE_H

#include "blk.h"

#define BLK_PAGE_SIZE  4096
#define BLK_PAGE_QUEUE 256 /* descriptors, at most; one request may have all of them */
#define BLK_PAGE_WRAP  0x8000U
#define BLK_PAGE_TAKEN 2
#define BLK_PAGE_FAR   (UINT64_C(1) << 60)
#define BLK_PAGE_FARS  4 /* regions, at most */

struct blk_page_conf {
	struct store *store; /* borrowed */
	const char *id;
	uint8_t *memory; /* with @far all that the driver can name; registers at its beginning */
	uint64_t address, size; /* of it, as the driver sees it; < 2^40 */
	uint32_t piece_max;     /* bytes of a buffer; 0: any, and none in @far */
	uint32_t *position, *next;
	/* Of addresses that nothing is mapped at here, one behind the other (store_far.h); borrowed; each base is >= BLK_PAGE_FAR. */
	const struct gmem_region *far;
	size_t nfar;
};

/* A chain that was offered. */
struct blk_page_chain {
	uint32_t len; /* written; once it is done */
	uint16_t count, id;
	bool done;
};

struct blk_page {
	struct blk_page_conf conf;
	struct blk blk;
	struct gmem_region region[2 + BLK_PAGE_FARS]; /* the driver's, our split queue, @far */
	struct gmem mem;
	struct vq_dev vq;
	bool up, broken;
	uint8_t *ring; /* the packed queue */
	uint16_t size;
	uint32_t at, first; /* next that is offered; first that is not answered; positions */
	uint16_t navail, nused, inflight;            /* of the split queue */
	struct blk_page_chain chain[BLK_PAGE_QUEUE]; /* by the index of its first descriptor */
	struct blk_page_split *split;                /* owned */
};

int blk_page_init(struct blk_page *p, const struct blk_page_conf *conf, struct err *e) _must_check_;
void blk_page_fini(struct blk_page *p);

/* Return: how many requests were answered; -EPROTO, for good: the driver broke the rules, and the device needs a reset. */
int blk_page_turn(struct blk_page *p) _must_check_;

#endif
