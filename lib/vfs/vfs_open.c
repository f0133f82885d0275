/* SPDX-License-Identifier: MIT */
/* vfs_open.c - regular files are opened, made and closed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "ident.h"
#include "vfs_private.h"

/*
 * What an open may bring to our descriptor. O_EXCL and O_CREAT have had their effect, or would have one a
 * second time. O_APPEND and O_DIRECT are properties of a single write, for pages that were changed in a
 * mapping come by the same descriptor: vfs_op_write(). What is passed through has the opener's own flags.
 */
#define OPEN_FLAGS (O_ACCMODE | O_DSYNC | O_SYNC | O_NOATIME | O_LARGEFILE)

/* --- opening --- */

/* An open of the node that goes the way that was chosen; @o->fd is taken in any case, @n if it succeeds. */
static int add_open(struct vfs *v, struct node_ref *n, const struct vfs_opened *o, int backing,
		    struct fuse_open_out *ret)
{
	struct node *node = n->node;
	int r = files_add(&v->files, o->fd, n, false, &ret->fh);
	struct file *f;

	if (r < 0) {
		if (o->fd >= 0)
			(void)close(o->fd);
		vfs_pass_leave(v, node, backing > 0, false);
		return r;
	}
	f = file_get(&v->files, ret->fh);
	if (!f) /* a hostile client has closed what it was not told of yet */
		return -EBADF;
	f->direct = backing > 0;
	f->writer = o->writer;
	file_put(&v->files, f);
	/* Nothing waits for a flush. */
	ret->open_flags = FOPEN_NOFLUSH | (backing > 0 ? FOPEN_PASSTHROUGH : FOPEN_KEEP_CACHE);
	if (o->small && backing == 0)
		ret->open_flags |= FOPEN_DIRECT_IO;
	ret->backing_id = backing;
	return 0;
}

/* Make @o, whose descriptor is taken in any case, a file of the node @id, and fill in the reply. */
static int finish_open(struct vfs *v, const struct fuse_call *c, uint64_t id,
		       const struct vfs_opened *o, struct fuse_open_out *ret)
{
	_cleanup_node_ struct node_ref n = { 0 };
	int r = node_pin(&v->nodes, id, &n);

	if (r < 0) {
		(void)close(o->fd);
		return r;
	}
	return add_open(v, &n, o, vfs_pass_choose(v, c, &n, o), ret);
}

static int open_as_asked(const struct node_ref *n, uint32_t flags)
{
	int fd = node_open(n, (int)(flags & (OPEN_FLAGS | O_TRUNC)));

	/* A file that can only be appended to (chattr +a) has to be opened for that. */
	if (fd == -EPERM && flags & O_APPEND)
		fd = node_open(n, (int)(flags & (OPEN_FLAGS | O_TRUNC | O_APPEND)));
	return fd;
}

/* A descriptor for the data of a regular file. */
static int open_data(const struct fuse_call *c, const struct node_ref *n, uint32_t flags,
		     uint32_t open_flags)
{
	struct vfs_kill kill = { 0 };
	int fd, r;

	if (n->node->type != S_IFREG >> 12)
		return -EINVAL;
	if (!(open_flags & FUSE_OPEN_KILL_SUIDGID))
		return open_as_asked(n, flags);
	r = vfs_kill_begin(c, c->req->h.nodeid, n->fd, &kill);
	fd = r < 0 ? r : open_as_asked(n, flags);
	vfs_kill_end(c, &kill);
	return fd;
}

static struct vfs_opened opened_of(struct vfs *v, const struct fuse_call *c, int fd, uint32_t flags)
{
	uint32_t writer = vfs_small_writer(c, flags);

	return (struct vfs_opened){ .fd = fd,
				    .reads_only = (flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY,
				    .small = vfs_small_expected(v, writer),
				    .writer = writer };
}

int vfs_op_open(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	const struct fuse_open_in *in = &c->req->in.open;
	struct vfs_opened opened = opened_of(v, c, -1, in->flags);
	int backing, r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	struct fuse_open_out *out;

	if (r < 0)
		return r;
	if (vfs_is_stateless(v, c, false))
		return -ENOSYS;
	out = fuse_out_add(&c->out, sizeof(*out));
	/* Whoever only reads needs no descriptor of ours where the kernel has one. */
	if (opened.reads_only && (backing = vfs_pass_again(v, &n)) > 0)
		return add_open(v, &n, &opened, backing, out);
	opened.fd = open_data(c, &n, in->flags, in->open_flags);
	return opened.fd < 0 ? opened.fd : finish_open(v, c, c->req->h.nodeid, &opened, out);
}

/* The reply to an open that made, or found, the file @fd, which is taken. */
static int reply_create(struct vfs *v, struct fuse_call *c, const struct node_ref *dir, int fd,
			bool made)
{
	struct vfs_opened opened = opened_of(v, c, fd, c->req->in.create.flags);
	struct fuse_entry_out *entry = fuse_out_add(&c->out, sizeof(*entry));
	struct fuse_open_out *open = fuse_out_add(&c->out, sizeof(*open));
	int r = vfs_lookup_fd(v, fd, entry);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	opened.fresh = made && !(entry->attr.mode & (S_ISUID | S_ISGID));
	if (made)
		vfs_watch_fresh(v, entry->nodeid);
	nodes_listed(dir, entry->nodeid, false);
	r = finish_open(v, c, entry->nodeid, &opened, open);
	if (r < 0)
		nodes_forget(&v->nodes, entry->nodeid, 1);
	return r;
}

/* The file was made by somebody else meanwhile. */
static int open_existing(struct vfs *v, struct fuse_call *c, const struct node_ref *dir)
{
	const struct fuse_create_in *in = &c->req->in.create;
	_cleanup_node_ struct node_ref n = { 0 };
	struct fuse_entry_out entry;
	int fd, r = vfs_lookup(v, dir->fd, c->req->name[0], &entry);

	if (r < 0)
		return r;
	r = node_ref(&v->nodes, entry.nodeid, &n);
	nodes_forget(&v->nodes, entry.nodeid, 1);
	if (r < 0)
		return r;
	/* The kernel looks again, then, and does what is right for a FIFO or a link. */
	if (n.node->type != S_IFREG >> 12)
		return -ESTALE;
	fd = open_data(c, &n, in->flags, in->open_flags);
	return fd < 0 ? fd : reply_create(v, c, dir, fd, false);
}

int vfs_op_create(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	const struct fuse_create_in *in = &c->req->in.create;
	int flags = (int)(in->flags & OPEN_FLAGS) | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd, r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = vfs_become(c, in->umask);
	if (r < 0)
		return r;
	fd = openat(dir.fd, c->req->name[0], flags, in->mode & 07777);
	if (fd >= 0)
		return reply_create(v, c, &dir, fd, true);
	if (errno != EEXIST || in->flags & O_EXCL)
		return -errno;
	return open_existing(v, c, &dir);
}

int vfs_op_tmpfile(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct vfs *v = fs;
	const struct fuse_create_in *in = &c->req->in.create;
	/* O_EXCL: never to have a name. */
	int flags = (int)(in->flags & (OPEN_FLAGS | O_EXCL)) | O_TMPFILE | O_CLOEXEC;
	int fd, r = node_ref(&v->nodes, c->req->h.nodeid, &dir);

	if (r == 0)
		r = vfs_become(c, in->umask);
	if (r < 0)
		return r;
	fd = openat(dir.fd, ".", flags, in->mode & 07777);
	return fd < 0 ? -errno : reply_create(v, c, &dir, fd, true);
}

int vfs_op_release(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	struct file *f = files_del(&v->files, c->req->in.release.fh);

	if (!f)
		return -EBADF;
	vfs_small_closed(v, f);
	if (!f->dir)
		vfs_pass_leave(v, f->ref.node, f->direct, f->direct || f->writes);
	file_put(&v->files, f);
	return 0;
}
