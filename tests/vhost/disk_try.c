/* SPDX-License-Identifier: MIT */
/*
 * disk_try.c - what a driver sees of a vhost-user disk.
 *
 *   disk-try SOCKET iops DEPTH SECONDS     random reads of 4 KiB; prints how many a second
 *   disk-try SOCKET verify ROUNDS SEED     random writes, zeroes and reads at depth 32, each read compared
 *   disk-try SOCKET config                 prints the configuration
 *   disk-try SOCKET status TYPE SECTOR SIZE  prints the status of one request
 *   disk-try SOCKET wait                   reads one sector every 10 ms until that fails, prints the status
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"

#define BLOCK 4096u

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static int iops(struct disk *d, char **argv)
{
	unsigned int depth = (unsigned int)strtoul(argv[0], NULL, 0);
	uint64_t start = now_ns(), end = start + strtoul(argv[1], NULL, 0) * 1000000000u, done = 0;
	uint64_t blocks = le64toh(d->config.capacity) / 8;
	uint32_t seed = 1;
	struct disk_req *q;
	int r;

	for (unsigned int i = 0; i < depth && i < DISK_DEPTH; i++)
		if (disk_push(d, i, VIRTIO_BLK_T_IN, next_random(&seed) % blocks * 8, BLOCK) < 0)
			return 1;
	disk_publish(d);
	for (uint64_t rounds = 1; rounds % 1024 || now_ns() < end; rounds++) {
		unsigned int n = 0;

		while ((r = disk_pop(d, &q)) > 0) {
			if (*q->status || disk_push(d, q->slot, VIRTIO_BLK_T_IN,
						    next_random(&seed) % blocks * 8, BLOCK) < 0)
				return 1;
			n++;
		}
		if (r < 0)
			return 1;
		if (n)
			disk_publish(d);
		else
			__builtin_ia32_pause();
		done += n;
	}
	printf("%.0f\n", (double)done * 1e9 / (double)(now_ns() - start));
	return 0;
}

/* What each block holds; blocks of requests in flight are not asked for by others. */
struct model {
	uint32_t *stamp;
	bool *busy;
	uint64_t blocks;
	uint64_t target[DISK_DEPTH]; /* block of the request in each slot */
	uint32_t want[DISK_DEPTH];
};

static void fill(uint8_t *data, uint64_t block, uint32_t stamp)
{
	uint64_t v = stamp ? block * 0x9e3779b97f4a7c15u ^ stamp : 0;

	for (size_t i = 0; i < BLOCK; i += sizeof(v), v = stamp ? v * 6364136223846793005u + 1 : 0)
		memcpy(data + i, &v, sizeof(v));
}

static bool holds(const uint8_t *data, uint64_t block, uint32_t stamp)
{
	uint8_t want[BLOCK];

	fill(want, block, stamp);
	return !memcmp(data, want, BLOCK);
}

static int start_one(struct disk *d, struct model *m, unsigned int slot, uint32_t *seed)
{
	uint64_t block = next_random(seed) % m->blocks;
	uint32_t kind = next_random(seed) % 8, stamp = next_random(seed) + 1;
	struct virtio_blk_discard_write_zeroes range = { .sector = htole64(block * 8),
							 .num_sectors = htole32(8) };

	while (m->busy[block])
		block = (block + 1) % m->blocks;
	m->busy[block] = true;
	m->target[slot] = block;
	m->want[slot] = m->stamp[block];
	if (kind == 0 && d->front.features >> VIRTIO_BLK_F_WRITE_ZEROES & 1) {
		m->stamp[block] = 0;
		range.sector = htole64(block * 8);
		memcpy(d->req[slot].data, &range, sizeof(range));
		return disk_push(d, slot, VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range));
	}
	if (kind < 4) {
		m->stamp[block] = stamp;
		fill(d->req[slot].data, block, stamp);
		return disk_push(d, slot, VIRTIO_BLK_T_OUT, block * 8, BLOCK);
	}
	memset(d->req[slot].data, 0x5a, BLOCK);
	return disk_push(d, slot, VIRTIO_BLK_T_IN, block * 8, BLOCK);
}

static int finish_one(struct model *m, const struct disk_req *q)
{
	uint64_t block = m->target[q->slot];

	m->busy[block] = false;
	if (*q->status) {
		printf("request of type %u for block %" PRIu64 " has status %u\n", q->type, block,
		       *q->status);
		return -EIO;
	}
	if (q->type == VIRTIO_BLK_T_IN && !holds(q->data, block, m->want[q->slot])) {
		printf("block %" PRIu64 " does not hold what was written\n", block);
		return -EIO;
	}
	return 0;
}

static int exchange(struct disk *d, struct model *m, unsigned long rounds, uint32_t seed)
{
	unsigned int depth = 32, inflight = 0;
	struct disk_req *q;
	int r = 0;

	while (inflight < depth && inflight < rounds) {
		if (start_one(d, m, inflight++, &seed) < 0)
			return -EIO;
	}
	rounds -= inflight;
	disk_publish(d);
	for (uint64_t deadline = now_ns() + 120000000000u; inflight && now_ns() < deadline;) {
		while ((r = disk_pop(d, &q)) > 0) {
			inflight--;
			if (finish_one(m, q) < 0)
				return -EIO;
			if (!rounds)
				continue;
			rounds--;
			inflight++;
			if (start_one(d, m, q->slot, &seed) < 0)
				return -EIO;
		}
		if (r < 0)
			return r;
		disk_publish(d);
	}
	return inflight ? -ETIMEDOUT : 0;
}

static int verify(struct disk *d, char **argv)
{
	struct model m = { .blocks = le64toh(d->config.capacity) / 8 };
	unsigned long rounds = strtoul(argv[0], NULL, 0);
	int r;

	m.stamp = calloc(m.blocks, sizeof(*m.stamp));
	m.busy = calloc(m.blocks, sizeof(*m.busy));
	if (!m.stamp || !m.busy)
		return 1;
	r = exchange(d, &m, rounds, (uint32_t)strtoul(argv[1], NULL, 0));
	/* Everything once more, in order, after a flush. */
	if (r == 0 && disk_do(d, VIRTIO_BLK_T_FLUSH, 0, 0) != 0)
		r = -EIO;
	for (uint64_t i = 0; r == 0 && i < m.blocks; i++)
		if (disk_do(d, VIRTIO_BLK_T_IN, i * 8, BLOCK) != 0 ||
		    !holds(d->req[0].data, i, m.stamp[i]))
			r = -EIO;
	printf("%s\n", r == 0 ? "same" : "different");
	free(m.stamp);
	free(m.busy);
	return r < 0;
}

static int show_config(struct disk *d)
{
	printf("capacity %" PRIu64 " seg_max %u blk_size %u queues %u features %#" PRIx64 "\n",
	       (uint64_t)le64toh(d->config.capacity), le32toh(d->config.seg_max),
	       le32toh(d->config.blk_size), le16toh(d->config.num_queues), d->front.offered);
	return 0;
}

static int status(struct disk *d, char **argv)
{
	printf("%d\n", disk_do(d, (uint32_t)strtoul(argv[0], NULL, 0), strtoull(argv[1], NULL, 0),
			       (uint32_t)strtoul(argv[2], NULL, 0)));
	return 0;
}

static int wait_for_end(struct disk *d)
{
	int r;

	while ((r = disk_do(d, VIRTIO_BLK_T_IN, 0, 512)) == 0)
		(void)usleep(10000);
	printf("%d\n", r);
	return 0;
}

int main(int argc, char **argv)
{
	struct disk_conf conf = { .path = argv[1],
				  .features = UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX |
					      UINT64_C(1) << VIRTIO_BLK_F_FLUSH |
					      UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES };
	static struct disk d;
	struct err e = { 0 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	if (!strcmp(argv[2], "verify"))
		conf.features |= UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC;
	if (disk_open(&d, &conf, &e) < 0) {
		(void)fprintf(stderr, "disk-try: %s\n", e.msg);
		return 1;
	}
	if (!strcmp(argv[2], "iops") && argc == 5)
		return iops(&d, argv + 3);
	if (!strcmp(argv[2], "verify") && argc == 5)
		return verify(&d, argv + 3);
	if (!strcmp(argv[2], "config"))
		return show_config(&d);
	if (!strcmp(argv[2], "status") && argc == 6)
		return status(&d, argv + 3);
	if (!strcmp(argv[2], "wait"))
		return wait_for_end(&d);
	return 2;
}
