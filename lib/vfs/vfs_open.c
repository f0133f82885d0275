/* SPDX-License-Identifier: MIT */
/* vfs_open.c - regular files are opened, made and closed; who does their input and output. */
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

/* --- passthrough --- */

/* Whose capabilities a write to the backing file has, is decided here: without CAP_FSETID. */
static int backing_open(struct fuse_chan *chan, int fd)
{
	int id = ident_drop_fsetid();

	if (id == 0)
		id = chan->ops->backing_open(chan, fd);
	ident_restore_fsetid();
	return id;
}

/*
 * Not of a file with set-id bits: who keeps them when he writes, is decided for all who have it open.
 * Nor of one that can only be appended to: the kernel would not refuse to write to a mapping of it.
 */
static bool may_pass(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MODE, &stx) == 0 &&
	       !(stx.stx_mode & (S_ISUID | S_ISGID)) && !(stx.stx_attributes & STATX_ATTR_APPEND);
}

/* Count an open that goes as those before it go. Return: it does; false, it is the first. */
static bool join(struct node *n, bool *ret_direct)
{
	if (n->backing_id > 0)
		n->direct_opens++;
	else if (n->cached_opens)
		n->cached_opens++;
	else
		return false;
	*ret_direct = n->backing_id > 0;
	return true;
}

/* Decide how this open goes. Return: the backing file's id; 0, it goes through us. */
static int choose_path(struct vfs *v, const struct fuse_call *c, const struct node_ref *n, int fd)
{
	bool can = c->params->flags & FUSE_PASSTHROUGH && c->chan->ops->backing_open;
	bool joined, direct = false;
	int mine = 0, id;

	pthread_mutex_lock(&v->nodes.lock);
	joined = join(n->node, &direct);
	id = n->node->backing_id;
	pthread_mutex_unlock(&v->nodes.lock);
	if (joined)
		return direct ? id : 0;
	if (can && may_pass(fd))
		mine = backing_open(c->chan, fd);
	pthread_mutex_lock(&v->nodes.lock);
	if (!join(n->node, &direct)) {
		if (mine > 0) {
			n->node->backing_id = mine;
			n->node->direct_opens = 1;
			direct = true;
			mine = 0;
		} else {
			n->node->cached_opens = 1;
		}
	}
	id = n->node->backing_id;
	pthread_mutex_unlock(&v->nodes.lock);
	/* Somebody else was faster. */
	if (mine > 0)
		c->chan->ops->backing_close(c->chan, mine);
	return direct ? id : 0;
}

static void leave_path(struct vfs *v, const struct fuse_call *c, struct node *n, bool direct)
{
	int id = 0;

	pthread_mutex_lock(&v->nodes.lock);
	if (!direct) {
		n->cached_opens--;
	} else if (--n->direct_opens == 0) {
		id = n->backing_id;
		n->backing_id = 0;
	}
	pthread_mutex_unlock(&v->nodes.lock);
	if (id > 0)
		c->chan->ops->backing_close(c->chan, id);
}

/* --- opening --- */

/* Make @fd, which is taken in any case, a file of the node @id, and fill in the reply. */
static int finish_open(struct vfs *v, const struct fuse_call *c, uint64_t id, int fd,
		       struct fuse_open_out *ret)
{
	_cleanup_close_ int owned = fd;
	_cleanup_node_ struct node_ref n = { 0 };
	int backing, r = node_ref(&v->nodes, id, &n);
	struct node *node;
	struct file *f;

	if (r < 0)
		return r;
	node = n.node;
	backing = choose_path(v, c, &n, fd);
	r = files_add(&v->files, fd, &n, false, &ret->fh);
	if (r < 0) {
		leave_path(v, c, node, backing > 0);
		return r;
	}
	(void)take_fd(&owned);
	f = file_get(&v->files, ret->fh);
	f->direct = backing > 0;
	file_put(&v->files, f);
	/* Nothing waits for a flush. */
	ret->open_flags = FOPEN_NOFLUSH | (backing > 0 ? FOPEN_PASSTHROUGH : FOPEN_KEEP_CACHE);
	ret->backing_id = backing;
	return 0;
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

int vfs_op_open(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	const struct fuse_open_in *in = &c->req->in.open;
	int fd, r = node_ref(&v->nodes, c->req->h.nodeid, &n);

	if (r < 0)
		return r;
	fd = open_data(c, &n, in->flags, in->open_flags);
	if (fd < 0)
		return fd;
	return finish_open(v, c, c->req->h.nodeid, fd,
			   fuse_out_add(&c->out, sizeof(struct fuse_open_out)));
}

/* The reply to an open that made, or found, the file @fd, which is taken. */
static int reply_create(struct vfs *v, struct fuse_call *c, int fd)
{
	struct fuse_entry_out *entry = fuse_out_add(&c->out, sizeof(*entry));
	struct fuse_open_out *open = fuse_out_add(&c->out, sizeof(*open));
	int r = vfs_lookup_fd(v, fd, entry);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = finish_open(v, c, entry->nodeid, fd, open);
	if (r < 0)
		nodes_forget(&v->nodes, entry->nodeid, 1);
	return r;
}

/* The file was made by somebody else meanwhile. */
static int open_existing(struct vfs *v, struct fuse_call *c, int dir)
{
	const struct fuse_create_in *in = &c->req->in.create;
	_cleanup_node_ struct node_ref n = { 0 };
	struct fuse_entry_out entry;
	int fd, r = vfs_lookup(v, dir, c->req->name[0], &entry);

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
	return fd < 0 ? fd : reply_create(v, c, fd);
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
		return reply_create(v, c, fd);
	if (errno != EEXIST || in->flags & O_EXCL)
		return -errno;
	return open_existing(v, c, dir.fd);
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
	return fd < 0 ? -errno : reply_create(v, c, fd);
}

int vfs_op_release(void *fs, struct fuse_call *c)
{
	struct vfs *v = fs;
	struct file *f = files_del(&v->files, c->req->in.release.fh);

	if (!f)
		return -EBADF;
	if (!f->dir)
		leave_path(v, c, f->ref.node, f->direct);
	file_put(&v->files, f);
	return 0;
}
