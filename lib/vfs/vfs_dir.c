/* SPDX-License-Identifier: MIT */
/*
 * vfs_dir.c - directories are read.
 *
 * A position is that of the backing file system, so it stays right whatever happens to the directory.
 * Entries that were read and did not fit are kept with the open directory; whoever asks for another
 * position gets them anew. A directory that the peer opens without a message (vfs_stateless.c) is opened for each request.
 *
 * A list that the kernel keeps is one of names. Reading a file makes the kernel forget its time of access, and so ask for
 * the attributes of it the next time, one request for each file; a list that is taken anew brings those of all in one or
 * two (FUSE_READDIRPLUS). So that is what is asked for once a part of the files were used (nodes_list_is_old()).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "vfs_private.h"

/* A name of 255 bytes fits, several times. */
#define BATCH_MIN 4096

int vfs_op_opendir(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	_cleanup_close_ int fd = -1;
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	struct fuse_open_out *out;

	if (r < 0)
		return r;
	if (vfs_is_stateless(v, c, true))
		return -ENOSYS;
	fd = node_open(&n, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return take_fd(&fd);
	out = fuse_out_add(&c->out, sizeof(*out));
	/* By timeouts alone two changes within a clock tick would leave an old list. */
	if (n.node->mount == 0 && atomic_load_explicit(&v->watched, memory_order_relaxed))
		out->open_flags = FOPEN_CACHE_DIR | (nodes_list_is_old(&n) ? 0 : FOPEN_KEEP_CACHE);
	r = files_add(&v->files, fd, &n, true, &out->fh);
	if (r == 0)
		(void)take_fd(&fd);
	return r;
}

/*
 * How much to read at one time. What does not fit into the reply is lost if the directory is open for this request alone: so
 * not much more. An entry with its attributes is five times as long.
 */
static size_t batch(const struct vfs *v, const struct fuse_call *c)
{
	size_t size = c->req->in.read.size;

	if (!vfs_is_stateless(v, c, true))
		return DIR_BUFFER;
	size = c->req->h.opcode == FUSE_READDIRPLUS ? size / 4 : size;
	return size < BATCH_MIN ? BATCH_MIN : size > DIR_BUFFER ? DIR_BUFFER : size;
}

/* Have something at d->off, if there is more. Return: 1 there is; 0 the end; -errno. */
static int refill(struct file *f, size_t size)
{
	struct dir *d = f->dir;
	ssize_t n;

	if (d->off < d->end)
		return 1;
	n = getdents64(f->fd, d->buf, size);
	d->off = 0;
	d->end = n > 0 ? (size_t)n : 0;
	/* A directory that was removed has no entries. */
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	return n > 0;
}

static int seek(struct file *f, uint64_t pos)
{
	struct dir *d = f->dir;

	if (pos == d->pos)
		return 0;
	if (lseek(f->fd, (off_t)pos, SEEK_SET) < 0)
		return -errno;
	d->off = d->end = 0;
	d->pos = pos;
	return 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Return: 1 it was added; 0 it does not fit. */
static int add_entry(struct vfs *v, struct fuse_call *c, const struct file *f,
		     const struct dirent64 *e)
{
	/* Of a mount that is known: its entry does not change. */
	const struct node_mount *m = &v->nodes.mount[f->ref.node->mount];
	const struct fuse_out_name name = { vfs_ino(v, m, e->d_ino),
					    (uint64_t)e->d_off,
					    e->d_type,
					    { e->d_name, strlen(e->d_name) } };
	bool plus = c->req->h.opcode == FUSE_READDIRPLUS;
	struct fuse_entry_out entry = { 0 };

	if (!fuse_out_fits(&c->out, &name, plus, c->req->in.read.size))
		return 0;
	/* What cannot be looked up, for it is gone by now, is a plain entry: its nodeid is 0. */
	if (plus && !is_dots(e->d_name) && vfs_lookup(v, f->fd, e->d_name, &entry) < 0)
		memset(&entry, 0, sizeof(entry));
	nodes_listed(&f->ref, entry.nodeid, true);
	fuse_out_entry(&c->out, &name, plus ? &entry : NULL);
	return 1;
}

static int read_entries(struct vfs *v, struct fuse_call *c, struct file *f)
{
	struct dir *d = f->dir;
	int r = seek(f, c->req->in.read.offset);

	if (c->req->in.read.offset == 0)
		nodes_list_begin(&f->ref);
	while (r >= 0) {
		const struct dirent64 *e;

		r = refill(f, batch(v, c));
		if (r <= 0)
			break;
		e = (const void *)(d->buf + d->off);
		if (!add_entry(v, c, f, e))
			break;
		d->off += e->d_reclen;
		d->pos = (uint64_t)e->d_off;
	}
	/* An error after entries comes again, as the first thing of the next reply. */
	return c->out.size ? 0 : r < 0 ? r : 0;
}

/* And FUSE_READDIRPLUS. */
int vfs_op_readdir(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	_cleanup_file_ struct file_ref f = { &v->files, vfs_file(v, c, c->req->in.read.fh, true) };
	int r;

	if (!f.file || !f.file->dir)
		return -EBADF;
	pthread_mutex_lock(&f.file->dir->lock);
	r = read_entries(v, c, f.file);
	pthread_mutex_unlock(&f.file->dir->lock);
	return r;
}
