/* SPDX-License-Identifier: MIT */
/*
 * lossy_blk.c - a disk that loses its power: a stand-in for rktio-blk, which "rktio run" starts the same way.
 *
 *	[LOSSY_LIES=1] LOSSY_AFTER=N LOSSY_SEED=S lossy-blk --fd FD --blk-file IMAGE
 *
 * What is written is a list of sectors in memory, and is in IMAGE only after a flush; reads see both. At the Nth
 * write or flush the power goes: of what was written since the last flush some sectors reach IMAGE, chosen by the seed, in
 * no order, and the program ends. So a sector that was written twice may have either contents or what was there
 * before the flush. One that lies says that it has flushed, and hasn't.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk_vhost.h"
#include "err.h"
#include "vu_serve.h"

#define SECTOR 512

struct kept {
	uint64_t off;
	uint8_t data[SECTOR];
};

static struct {
	struct store store;
	int fd;
	struct kept *kept; /* in the order of writing */
	size_t n, room;
	unsigned long after; /* writes and flushes until the power goes; 0: never */
	uint64_t seed;
	bool lies;
} disk = { .fd = -1 };

static uint64_t random_next(void)
{
	disk.seed ^= disk.seed << 13;
	disk.seed ^= disk.seed >> 7;
	disk.seed ^= disk.seed << 17;
	return disk.seed;
}

static void give_up(const char *why)
{
	perror(why);
	_exit(1);
}

static void put(const struct kept *k)
{
	if (pwrite(disk.fd, k->data, SECTOR, (off_t)k->off) != SECTOR)
		give_up("lossy-blk: writing the image");
}

/* None of them, all, or some: what a disk's cache may do. */
static _Noreturn void lose_power(void)
{
	uint64_t percent = random_next() % 101;

	for (size_t i = disk.n; i > 1; i--) {
		size_t other = random_next() % i;
		struct kept k = disk.kept[i - 1];

		disk.kept[i - 1] = disk.kept[other];
		disk.kept[other] = k;
	}
	for (size_t i = 0; i < disk.n; i++)
		if (random_next() % 100 < percent)
			put(&disk.kept[i]);
	dprintf(STDERR_FILENO, "lossy-blk: the power is gone, %zu sectors were not flushed\n",
		disk.n);
	_exit(0);
}

static void count_down(void)
{
	if (disk.after && !--disk.after)
		lose_power();
}

static void keep(uint64_t off, const uint8_t *data)
{
	if (disk.n == disk.room) {
		disk.room = disk.room ? 2 * disk.room : 1024;
		disk.kept = realloc(disk.kept, disk.room * sizeof(*disk.kept));
		if (!disk.kept)
			give_up("lossy-blk: no memory");
	}
	disk.kept[disk.n].off = off;
	memcpy(disk.kept[disk.n++].data, data, SECTOR);
}

static int flush(void)
{
	for (size_t i = 0; i < disk.n; i++)
		put(&disk.kept[i]);
	disk.n = 0;
	return 0;
}

static int copy_out(struct store_req *r, uint8_t *buf)
{
	size_t done = 0;

	for (unsigned int i = 0; i < r->niov; done += r->iov[i++].iov_len)
		memcpy(buf + done, r->iov[i].iov_base, r->iov[i].iov_len);
	for (size_t i = 0; i < r->len; i += SECTOR)
		keep(r->off + i, buf + i);
	return 0;
}

static int copy_in(struct store_req *r, uint8_t *buf)
{
	size_t done = 0;

	if (pread(disk.fd, buf, r->len, (off_t)r->off) != (ssize_t)r->len)
		return -EIO;
	for (size_t i = 0; i < disk.n; i++)
		if (disk.kept[i].off >= r->off && disk.kept[i].off < r->off + r->len)
			memcpy(buf + (disk.kept[i].off - r->off), disk.kept[i].data, SECTOR);
	for (unsigned int i = 0; i < r->niov; done += r->iov[i++].iov_len)
		memcpy(r->iov[i].iov_base, buf + done, r->iov[i].iov_len);
	return 0;
}

static int transfer(struct store_req *r)
{
	uint8_t *buf = malloc(r->len);
	int ret = -ENOMEM;

	if (buf)
		ret = r->op == STORE_READ ? copy_in(r, buf) : copy_out(r, buf);
	free(buf);
	return ret;
}

static bool lossy_submit(struct store *s, struct store_req *r)
{
	(void)s;
	if (r->op != STORE_READ)
		count_down();
	switch (r->op) {
	case STORE_READ:
	case STORE_WRITE:
		r->result = transfer(r);
		return true;
	case STORE_FLUSH:
		r->result = disk.lies ? 0 : flush();
		return true;
	default:
		r->result = -EOPNOTSUPP;
		return true;
	}
}

static void lossy_push(struct store *s)
{
	(void)s;
}

static struct store_req *lossy_reap(struct store *s, bool wait)
{
	(void)s;
	(void)wait;
	return NULL;
}

static int serve(int fd, struct err *e)
{
	struct blk blk;
	struct vu_device dev;
	int r = blk_init(&blk, &disk.store, "lossy", 1);

	if (r < 0)
		return err_set(e, -r, "no memory");
	dev = blk_vhost(&blk, 1, -1);
	r = vu_serve_one(&dev, fd, VU_POLL_NS, e);
	(void)flush();
	blk_fini(&blk);
	return r;
}

static unsigned long number(const char *name)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	static const struct store_ops ops = { "lossy", lossy_submit, lossy_push, lossy_reap, NULL };
	struct err e = { 0 };
	struct stat st;

	if (argc < 5 || strcmp(argv[1], "--fd") != 0 || strcmp(argv[3], "--blk-file") != 0)
		return 2;
	disk.fd = open(argv[4], O_RDWR | O_CLOEXEC);
	if (disk.fd < 0 || fstat(disk.fd, &st) < 0)
		give_up(argv[4]);
	disk.after = number("LOSSY_AFTER");
	disk.seed = (number("LOSSY_SEED") + 1) * 0x9e3779b97f4a7c15u;
	disk.lies = number("LOSSY_LIES");
	disk.store = (struct store){ .ops = &ops,
				     .size = (uint64_t)st.st_size / SECTOR * SECTOR,
				     .physical = 4096,
				     .fd = -1 };
	if (serve(atoi(argv[2]), &e) < 0)
		dprintf(STDERR_FILENO, "lossy-blk: %s\n", e.msg);
	free(disk.kept);
	return 0;
}
