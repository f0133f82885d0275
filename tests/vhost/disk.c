/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vu_sock.h"

/* Up to write_zeroes_may_unmap; what newer headers have behind it, older back ends refuse. */
#define CONFIG_SIZE 60

/* Where things lie in shared memory. */
#define OFF_DESC   0x0
#define OFF_AVAIL  0x2000
#define OFF_USED   0x3000
#define OFF_TABLE  0x10000 /* DISK_QUEUE * DISK_TABLE descriptors: 64 KiB */
#define OFF_HEADER 0x40000 /* 16 bytes each */
#define OFF_STATUS 0x50000
#define OFF_DATA   0x80000

static uint64_t at(const struct disk *d, const void *p)
{
	return d->base + (uint64_t)((const uint8_t *)p - d->mem);
}

static int share(struct disk *d, struct err *e)
{
	struct vu_region r = { .gpa = d->base, .size = DISK_MEMORY, .user_addr = d->base };

	d->memfd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->memfd < 0 || ftruncate(d->memfd, DISK_MEMORY) < 0)
		return err_set(e, errno, "cannot make shared memory: %s", err_str(errno));
	d->mem = mmap(NULL, DISK_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      d->memfd, 0);
	if (d->mem == MAP_FAILED)
		return err_set(e, errno, "cannot map shared memory: %s", err_str(errno));
	if (vu_front_share(&d->front, &r, &d->memfd, 1) < 0)
		return err_set(e, EPROTO, "cannot share memory: %s", d->front.why);
	return 0;
}

static int start(struct disk *d, const struct disk_conf *conf, struct err *e)
{
	struct vq_drv_conf c = {
		.desc = (void *)(d->mem + OFF_DESC),
		.avail = d->mem + OFF_AVAIL,
		.used = d->mem + OFF_USED,
		.slot = d->slots,
		.size = DISK_QUEUE,
		.event_idx = d->front.features >> VIRTIO_RING_F_EVENT_IDX & 1,
	};
	struct vu_front_queue q = { .size = DISK_QUEUE,
				    .desc = d->base + OFF_DESC,
				    .avail = d->base + OFF_AVAIL,
				    .used = d->base + OFF_USED,
				    .err = -1 };

	(void)conf;
	if (d->front.features >> VIRTIO_RING_F_INDIRECT_DESC & 1) {
		c.table = (void *)(d->mem + OFF_TABLE);
		c.table_addr = d->base + OFF_TABLE;
		c.indirect = DISK_TABLE;
	}
	d->kick = q.kick = eventfd(0, EFD_CLOEXEC);
	d->call = q.call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vq_drv_init(&d->vq, &c) < 0 || vu_front_queue(&d->front, &q) < 0)
		return err_set(e, EPROTO, "cannot start the queue: %s", d->front.why);
	vq_drv_calls_off(&d->vq);
	for (unsigned int i = 0; i < DISK_DEPTH; i++)
		d->req[i] = (struct disk_req){ .slot = i,
					       .data = d->mem + OFF_DATA + (size_t)i * DISK_BUF,
					       .status = d->mem + OFF_STATUS + i };
	return 0;
}

int disk_open(struct disk *d, const struct disk_conf *conf, struct err *e)
{
	uint64_t want = conf->features | UINT64_C(1) << VIRTIO_F_VERSION_1;
	struct vu_io io = vu_sock_io(&d->sock);
	int r;

	*d = (struct disk){ .sock = conf->sock, .memfd = -1, .kick = -1, .call = -1 };
	d->base = 0x7f0000000000;
	r = conf->path ? vu_sock_connect(conf->path, &d->sock, e) : 0;
	if (r < 0)
		return r;
	if (vu_front_open(&d->front, &io) < 0 ||
	    vu_front_set_protocol(&d->front, VU_P_CONFIG | VU_P_REPLY_ACK | VU_P_MQ) < 0 ||
	    vu_front_set_features(&d->front, want) < 0 ||
	    vu_front_config(&d->front, 0, &d->config, CONFIG_SIZE) < 0)
		return err_set(e, EPROTO, "cannot negotiate: %s", d->front.why);
	r = share(d, e);
	return r < 0 ? r : start(d, conf, e);
}

void disk_close(struct disk *d)
{
	const int fd[] = { d->sock, d->memfd, d->kick, d->call };

	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		if (fd[i] >= 0)
			(void)close(fd[i]);
	if (d->mem && d->mem != MAP_FAILED)
		(void)munmap(d->mem, DISK_MEMORY);
}

int disk_push(struct disk *d, unsigned int slot, uint32_t type, uint64_t sector, uint32_t size)
{
	struct disk_req *q = &d->req[slot];
	struct virtio_blk_outhdr *h = (void *)(d->mem + OFF_HEADER + slot * sizeof(*h));
	struct vq_buf b[3] = { { at(d, h), sizeof(*h) } };
	unsigned int n = 1;
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	*h = (struct virtio_blk_outhdr){ .type = htole32(type), .sector = htole64(sector) };
	*q->status = 0xff;
	q->type = type;
	if (size)
		b[n++] = (struct vq_buf){ at(d, q->data), size };
	b[n++] = (struct vq_buf){ at(d, q->status), 1 };
	return vq_drv_push(&d->vq, b, n - (in && size ? 2 : 1), in && size ? 2 : 1, q);
}

void disk_publish(struct disk *d)
{
	uint64_t one = 1;

	if (!vq_drv_publish(&d->vq))
		return;
	d->kicks++;
	(void)!write(d->kick, &one, sizeof(one));
}

int disk_pop(struct disk *d, struct disk_req **ret)
{
	uint32_t written;
	void *cookie;
	int r = vq_drv_pop(&d->vq, &cookie, &written);

	if (r <= 0)
		return r;
	*ret = cookie;
	(*ret)->written = written;
	return 1;
}

int disk_do(struct disk *d, uint32_t type, uint64_t sector, uint32_t size)
{
	struct disk_req *q;
	int r = disk_push(d, 0, type, sector, size);

	if (r < 0)
		return r;
	disk_publish(d);
	for (int ms = 0; ms < 10000;) {
		struct pollfd p = { .fd = d->call, .events = POLLIN };
		uint64_t count;

		r = disk_pop(d, &q);
		if (r < 0)
			return r;
		if (r > 0)
			return *q->status;
		if (vq_drv_calls_on(&d->vq))
			continue;
		ms += poll(&p, 1, 100) ? 0 : 100;
		(void)!read(d->call, &count, sizeof(count));
		vq_drv_calls_off(&d->vq);
	}
	return -ETIMEDOUT;
}
