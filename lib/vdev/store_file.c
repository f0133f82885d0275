/* SPDX-License-Identifier: MIT */
#include "store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define ZEROS_SIZE 65536

int store_file_mode(const struct store_req *r)
{
	if (r->op == STORE_DISCARD || r->unmap)
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
}

bool store_req_advance(struct store_req *r, size_t done)
{
	r->off += done;
	r->len -= done;
	while (r->niov && done >= r->iov->iov_len) {
		done -= r->iov->iov_len;
		r->iov++;
		r->niov--;
	}
	if (r->niov) {
		r->iov->iov_base = (uint8_t *)r->iov->iov_base + done;
		r->iov->iov_len -= done;
	}
	return r->len;
}

int store_file_fd(const struct store_file *f, const struct store_req *r)
{
	uint64_t bits = 0;

	if (f->direct < 0 || (r->off | r->len) & (f->align_off - 1))
		return f->fd;
	for (unsigned int i = 0; i < r->niov; i++)
		bits |= (uintptr_t)r->iov[i].iov_base | r->iov[i].iov_len;
	return bits & (f->align_mem - 1) ? f->fd : f->direct;
}

/* Until all is done, or an error. A read that ends early: somebody cut the file. */
static int transfer(const struct store_file *f, struct store_req *r)
{
	ssize_t n;

	do {
		int fd = store_file_fd(f, r);

		if (r->op == STORE_READ)
			n = preadv(fd, r->iov, (int)r->niov, (off_t)r->off);
		else
			n = pwritev2(fd, r->iov, (int)r->niov, (off_t)r->off,
				     r->durable ? RWF_DSYNC : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	} while (n < 0 || store_req_advance(r, (size_t)n));
	return 0;
}

static int write_zeros(const struct store_file *f, const struct store_req *r)
{
	static const uint8_t zeros[ZEROS_SIZE];
	uint64_t end = r->off + r->len;

	for (uint64_t off = r->off; off < end;) {
		size_t n = end - off < ZEROS_SIZE ? (size_t)(end - off) : ZEROS_SIZE;
		ssize_t w = pwrite(f->fd, zeros, n, (off_t)off);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -EIO;
		off += (uint64_t)w;
	}
	return 0;
}

static int zero_or_discard(const struct store_file *f, const struct store_req *r)
{
	int ret = fallocate(f->fd, store_file_mode(r), (off_t)r->off, (off_t)r->len);

	if (ret == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	/* A discard is advice. */
	return r->op == STORE_DISCARD ? 0 : write_zeros(f, r);
}

void store_file_do(struct store_file *f, struct store_req *r)
{
	switch (r->op) {
	case STORE_READ:
	case STORE_WRITE:
		r->result = transfer(f, r);
		return;
	case STORE_FLUSH:
		r->result = fdatasync(f->fd) < 0 ? -errno : 0;
		return;
	case STORE_DISCARD:
	case STORE_ZERO:
		r->result = zero_or_discard(f, r);
		return;
	}
}

static bool plain_submit(struct store *s, struct store_req *r)
{
	struct store_file *f = (struct store_file *)s;

	r->off += f->base;
	store_file_do(f, r);
	return true;
}

static void plain_push(struct store *s)
{
	(void)s;
}

static struct store_req *plain_reap(struct store *s, bool wait)
{
	(void)s;
	(void)wait;
	return NULL;
}

void store_file_free(struct store *s)
{
	struct store_file *f = (struct store_file *)s;

	(void)close(f->fd);
	if (f->direct >= 0)
		(void)close(f->direct);
	free(f);
}

/* Of the whole file, against us and against QEMU, which locks single bytes the same way; and by flock(2), which lib/disk knows. */
static int lock_image(int fd, const struct store_file_conf *conf, struct err *e)
{
	struct flock l = { .l_type = conf->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &l) == 0 &&
	    flock(fd, (conf->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(e, EBUSY, "'%s' is in use by another process", conf->path);
	return err_set(e, errno, "cannot lock '%s': %s", conf->path, err_str(errno));
}

static int measure(struct store_file *f, const struct store_file_conf *conf, struct err *e)
{
	const char *path = conf->path;
	struct stat st;
	off_t size;

	if (fstat(f->fd, &st) < 0)
		return err_set(e, errno, "cannot look at '%s': %s", path, err_str(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "'%s' is neither a file nor a block device", path);
	size = lseek(f->fd, 0, SEEK_END);
	if (size < 512)
		return err_set(e, EINVAL,
			       "'%s' is empty: a disk has at least one sector of 512 bytes", path);
	if (conf->off > (uint64_t)size || conf->size > (uint64_t)size - conf->off)
		return err_set(e, EINVAL, "'%s' is shorter than it says", path);
	f->base = conf->off;
	f->store.size = (conf->size ? conf->size : (uint64_t)size - conf->off) / 512 * 512;
	f->store.physical = st.st_blksize >= 512 ? (uint32_t)st.st_blksize : 512;
	return 0;
}

/* What statx() tells since Linux 6.1; before that, what is always enough. */
static void alignment(struct store_file *f)
{
	f->align_off = f->align_mem = 4096;
#ifdef STATX_DIOALIGN
	struct statx x;

	if (statx(f->direct, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 &&
	    x.stx_mask & STATX_DIOALIGN && x.stx_dio_mem_align && x.stx_dio_offset_align) {
		f->align_mem = x.stx_dio_mem_align;
		f->align_off = x.stx_dio_offset_align;
	}
#endif
}

/*
 * An error of what the host writes back is told once to each descriptor that was open by then. The one that is locked is never asked
 * while all goes well. So it knows what one before us was told, or would have been.
 */
static int check_nothing_lost(const struct store_file_conf *conf, struct err *e)
{
	if (conf->again && fdatasync((int)conf->fd) < 0)
		return err_set(e, errno, "what was written to '%s' may be lost: %s", conf->path,
			       err_str(errno));
	return 0;
}

static int open_file(const struct store_file_conf *conf, struct store_file *f, struct err *e)
{
	int flags = (conf->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char self[32];
	int r;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%ld", conf->fd);
	f->fd = open(conf->fd < 0 ? conf->path : self, flags);
	if (f->fd < 0)
		return err_set(e, errno, "cannot open '%s': %s", conf->path, err_str(errno));
	r = measure(f, conf, e);
	if (r < 0)
		return r;
	r = lock_image(conf->fd < 0 ? f->fd : (int)conf->fd, conf, e);
	if (r == 0)
		r = check_nothing_lost(conf, e);
	if (r < 0 || conf->no_direct)
		return r;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	f->direct = open(self, flags | O_DIRECT); /* fails where the file system has none */
	if (f->direct >= 0)
		alignment(f);
	return 0;
}

int store_file_new(const struct store_file_conf *conf, struct store **ret, struct err *e)
{
	static const struct store_ops plain = { "plain", plain_submit, plain_push, plain_reap,
						store_file_free };
	struct store_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	f->fd = f->direct = -1;
	f->store = (struct store){ .ops = &plain, .read_only = conf->read_only, .fd = -1 };
	r = open_file(conf, f, e);
	if (r < 0) {
		store_file_free(&f->store);
		return r;
	}
	if (conf->no_uring || store_uring_init(f, (int)conf->alive, ret) < 0)
		*ret = &f->store;
	return 0;
}
