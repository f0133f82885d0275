/* SPDX-License-Identifier: MIT */
/* disk.h - the driver's side of a vhost-user disk, for tests and benchmarks: one queue, polled. */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <linux/virtio_blk.h>

#include "err.h"
#include "vq_drv.h"
#include "vu_front.h"

#define DISK_QUEUE  256
#define DISK_DEPTH  64      /* requests in flight */
#define DISK_BUF    0x20000 /* bytes of data of one */
#define DISK_TABLE  16      /* descriptors of one */
#define DISK_MEMORY ((size_t)DISK_DEPTH * DISK_BUF + 0x80000)

struct disk_req {
	unsigned int slot;
	uint32_t type;
	uint8_t *data; /* in shared memory */
	uint8_t *status;
	uint32_t written;
};

struct disk {
	int sock, memfd, kick, call;
	uint8_t *mem;
	uint64_t base; /* what the back end is told where @mem is, in both of its addresses */
	struct vu_front front;
	struct vq_drv vq;
	struct vq_slot slots[DISK_QUEUE];
	struct disk_req req[DISK_DEPTH];
	struct virtio_blk_config config;
	unsigned int inflight;
	uint64_t kicks;
};

struct disk_conf {
	const char *path;  /* socket; or NULL, and */
	int sock;          /* one that is connected */
	uint64_t features; /* besides VERSION_1 */
};

int disk_open(struct disk *d, const struct disk_conf *conf, struct err *e) _must_check_;
void disk_close(struct disk *d);

/* Offer request @slot of @size bytes at @sector; data lies in d->req[slot].data. Not published. */
int disk_push(struct disk *d, unsigned int slot, uint32_t type, uint64_t sector, uint32_t size)
	_must_check_;
void disk_publish(struct disk *d);
/* Return: 1 and a request that is done; 0 none; -EPROTO. */
int disk_pop(struct disk *d, struct disk_req **ret) _must_check_;

/* One request from beginning to end. Return: its status; -ETIMEDOUT after 10 seconds. */
int disk_do(struct disk *d, uint32_t type, uint64_t sector, uint32_t size) _must_check_;

#endif
