/* SPDX-License-Identifier: MIT */
/*
 * vfs_pass.c - who does the input and output of an open file: the kernel alone, or we.
 *
 * Theory of operation
 *
 * The first open of a node decides, and the others follow until the last is closed: the kernel refuses
 * a mixture. A backing file that was opened for reading only stays registered after that, with
 * the kernel and without a descriptor of ours, so that the next open for reading needs no system call
 * but one that looks whether it may be used still. The last PASS_IDLE_MAX stay; those of a forgotten
 * node go. One that can be written stays nowhere: the file could not be executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ident.h"
#include "nodes_table.h"
#include "vfs_private.h"

void vfs_pass_close(void *arg, int id)
{
	struct vfs *v = arg;
	struct fuse_chan *chan = atomic_load(&v->pass_chan);

	if (id > 0 && chan)
		chan->ops->backing_close(chan, id);
}

/* Whose capabilities a write to the backing file has, is decided here: without CAP_FSETID. */
static int backing_open(struct vfs *v, struct fuse_chan *chan, int fd)
{
	int id = ident_drop_fsetid();

	if (id == 0)
		id = chan->ops->backing_open(chan, fd);
	ident_restore_fsetid();
	atomic_store(&v->pass_chan, chan);
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

/* --- backing files that nobody has open; under the lock of nodes --- */

/* Return: a backing file that has to go instead; 0. */
static int idle_add(struct vfs *v, struct node *n)
{
	uint64_t *place = &v->idle[v->idle_next];
	struct node *old = *place ? table_get(&v->nodes, *place) : NULL;
	int id = 0;

	if (n->pass & NODE_PASS_QUEUED)
		return 0;
	if (old && old->pass & NODE_PASS_QUEUED) {
		old->pass &= ~NODE_PASS_QUEUED;
		if (!old->direct_opens)
			id = node_take_backing(old);
	}
	n->pass |= NODE_PASS_QUEUED;
	*place = node_id(n);
	v->idle_next = (v->idle_next + 1) % PASS_IDLE_MAX;
	return id;
}

/* --- opens --- */

/* Count an open that goes as those before it go. Return: it does; false, it is the first. */
static bool join(struct node *n, bool *ret_direct)
{
	if (n->direct_opens)
		n->direct_opens++;
	else if (n->cached_opens)
		n->cached_opens++;
	else
		return false;
	*ret_direct = n->direct_opens != 0;
	return true;
}

int vfs_pass_again(struct vfs *v, const struct node_ref *n)
{
	int id = 0, drop = 0;
	bool idle, may;

	pthread_mutex_lock(&v->nodes.lock);
	idle = !n->node->direct_opens && n->node->backing_id > 0;
	if (n->node->direct_opens) {
		n->node->direct_opens++;
		id = n->node->backing_id;
	}
	pthread_mutex_unlock(&v->nodes.lock);
	if (!idle)
		return id;
	may = may_pass(n->fd);
	pthread_mutex_lock(&v->nodes.lock);
	if (n->node->direct_opens || (may && n->node->backing_id > 0)) {
		n->node->direct_opens++;
		id = n->node->backing_id;
	} else {
		drop = node_take_backing(n->node);
	}
	pthread_mutex_unlock(&v->nodes.lock);
	vfs_pass_close(v, drop);
	return id;
}

/* As the first open, with the backing file @mine, or through us. Return: a backing file that is not used. */
static int begin(struct node *n, int mine, bool keep)
{
	/* One that nobody used could be of another time: with other set-id bits. */
	int old = node_take_backing(n);

	if (mine > 0) {
		n->backing_id = mine;
		n->direct_opens = 1;
		n->pass |= keep ? NODE_PASS_KEEP : 0;
	} else {
		n->cached_opens = 1;
	}
	return old;
}

int vfs_pass_choose(struct vfs *v, const struct fuse_call *c, const struct node_ref *n,
		    const struct vfs_opened *o)
{
	bool can = c->params->flags & FUSE_PASSTHROUGH && c->chan->ops->backing_open;
	bool joined, direct = false;
	int mine = 0, drop, id;

	pthread_mutex_lock(&v->nodes.lock);
	joined = join(n->node, &direct);
	id = n->node->backing_id;
	pthread_mutex_unlock(&v->nodes.lock);
	if (joined)
		return direct ? id : 0;
	if (can && !o->small && (o->fresh || may_pass(o->fd)))
		mine = backing_open(v, c->chan, o->fd);
	pthread_mutex_lock(&v->nodes.lock);
	/* Unless somebody else was faster. */
	drop = mine;
	if (!join(n->node, &direct)) {
		drop = begin(n->node, mine, o->reads_only);
		direct = mine > 0;
	}
	id = n->node->backing_id;
	pthread_mutex_unlock(&v->nodes.lock);
	vfs_pass_close(v, drop);
	return direct ? id : 0;
}

void vfs_pass_leave(struct vfs *v, struct node *n, bool direct, bool used)
{
	int id = 0;

	pthread_mutex_lock(&v->nodes.lock);
	if (used)
		node_used(&v->nodes, n);
	if (!direct)
		n->cached_opens--;
	else if (--n->direct_opens == 0)
		id = n->pass & NODE_PASS_KEEP && n->nlookup ? idle_add(v, n) : node_take_backing(n);
	pthread_mutex_unlock(&v->nodes.lock);
	vfs_pass_close(v, id);
}
