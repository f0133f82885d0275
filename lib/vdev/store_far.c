/* SPDX-License-Identifier: MIT */
#include "store_far.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store_file.h"

#define PAGE     4096
#define AROUND   (64U << 10) /* is there, or read, by one fault (fault_around_bytes of Linux) */
#define LOOK_MAX (2U << 20)  /* of one request; what is larger is no driver's that we know */

#define TABLE_FOR (2U << 20) /* of a mapping that one page table is for, whatever was read of it */

struct store_far {
	struct store store;
	struct store_far_conf conf;
	struct store *file; /* owned */
	uint8_t *map;       /* of all of its file, up to its end */
	size_t map_size;
	uint64_t base; /* where the store begins in it */
	uint64_t read; /* since it was mapped */
	int fd;        /* borrowed */
};

static struct store_far *far_of(struct store *s)
{
	return (struct store_far *)s;
}

static bool is_far(const struct store_far *f, const struct iovec *v)
{
	return (uintptr_t)v->iov_base - (uintptr_t)f->conf.far < f->conf.size;
}

/* How many of @n are of the same kind as the first, and how long they are together. */
static unsigned int run_of(const struct store_far *f, const struct iovec *v, unsigned int n,
			   uint64_t *ret_len)
{
	const bool far = is_far(f, v);
	unsigned int k = 0;

	for (*ret_len = 0; k < n && is_far(f, v + k) == far; k++)
		*ret_len += v[k].iov_len;
	return k;
}

/* In place of the one that there is; if it can't be had, that stays. */
static int map(struct store_far *f)
{
	void *p = mmap(NULL, f->map_size, PROT_READ, MAP_SHARED, f->fd, 0);

	f->read = 0;
	if (p == MAP_FAILED)
		return -errno;
	if (f->map)
		(void)munmap(f->map, f->map_size);
	f->map = p;
	return 0;
}

/*
 * What is to come from the disk is asked for all at once: a copy that finds it missing waits for some 128 KiB each time. Of what is
 * there, as it mostly is, mincore(2) tells for less than another walk through the page cache costs.
 */
static void fetch(const struct store_far *f, uint64_t off, uint64_t len)
{
	unsigned char there[LOOK_MAX / PAGE];
	const uint64_t at = (f->base + off) / PAGE * PAGE, n = f->base + off + len - at;
	size_t k = 0;

	if (n <= AROUND)
		return;
	if (n <= LOOK_MAX && !mincore(f->map + at, n, there))
		while (k < n / PAGE && there[k] & 1)
			k++;
	if (k < n / PAGE)
		(void)readahead(f->fd, (off_t)at, n);
}

static int read_far(struct store_far *f, uint64_t off, const struct iovec *v, unsigned int n,
		    uint64_t len)
{
	if (f->map_size > f->conf.keep && f->read > f->conf.keep)
		(void)map(f);
	fetch(f, off, len);
	f->read += len < TABLE_FOR ? TABLE_FOR : len;
	return f->conf.put(f->conf.arg, f->map + f->base + off, v, n);
}

static int read_run(struct store_far *f, uint64_t off, struct iovec *v, unsigned int n,
		    uint64_t len)
{
	struct store_req r = { .op = STORE_READ, .off = off, .len = len, .iov = v, .niov = n };

	if (is_far(f, v))
		return read_far(f, off, v, n, len);
	(void)!store_submit(f->file, &r); /* it is done at once */
	return r.result;
}

static bool far_submit(struct store *s, struct store_req *r)
{
	struct store_far *f = far_of(s);
	uint64_t off = r->off, len;
	unsigned int n;

	if (r->op != STORE_READ)
		return store_submit(f->file, r);
	r->result = 0;
	for (unsigned int i = 0; i < r->niov && !r->result; i += n) {
		n = run_of(f, r->iov + i, r->niov - i, &len);
		r->result = read_run(f, off, r->iov + i, n, len);
		off += len;
	}
	return true;
}

static void far_push(struct store *s)
{
	store_push(far_of(s)->file);
}

static struct store_req *far_reap(struct store *s, bool wait)
{
	return store_reap(far_of(s)->file, wait);
}

static void far_free(struct store *s)
{
	struct store_far *f = far_of(s);

	(void)munmap(f->map, f->map_size);
	store_free(f->file);
	free(f);
}

int store_far_new(struct store *file, const struct store_far_conf *conf, struct store **ret)
{
	static const struct store_ops ops = { "far", far_submit, far_push, far_reap, far_free };
	const struct store_file *plain = (const struct store_file *)file;
	struct store_far *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->store = *file;
	f->store.ops = &ops;
	f->conf = *conf;
	f->file = file;
	f->base = plain->base;
	f->map_size = (size_t)(f->base + file->size);
	f->fd = plain->fd;
	r = map(f);
	if (r < 0) {
		free(f);
		return r;
	}
	*ret = &f->store;
	return 0;
}
