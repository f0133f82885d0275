/* SPDX-License-Identifier: MIT */
#include "store_far.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store_file.h"

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

/* Over itself, if it is there. Should that fail nothing is, and reads are errors. */
static int map(struct store_far *f)
{
	void *p = mmap(f->map, f->map_size, PROT_READ, MAP_SHARED | (f->map ? MAP_FIXED : 0), f->fd,
		       0);

	if (p == MAP_FAILED)
		return -errno;
	f->map = p;
	f->read = 0;
	return 0;
}

static int read_far(struct store_far *f, uint64_t off, const struct iovec *v, unsigned int n,
		    uint64_t len)
{
	int r = f->read > f->conf.keep ? map(f) : 0;

	f->read += len;
	return r < 0 ? r : f->conf.put(f->conf.arg, f->map + f->base + off, v, n);
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
