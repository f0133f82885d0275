/* SPDX-License-Identifier: MIT */
/* merge_names.c - names of the merged tree that come, go and move. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "merge_private.h"

static int with_lock(struct merge *m, struct fuse_call *c,
		     int (*f)(struct merge *m, struct fuse_call *c, const struct merge_ref *dir))
{
	struct merge_ref dir;
	int r;

	pthread_mutex_lock(&m->change);
	r = merge_get(m, c->req->h.nodeid, &dir);
	if (r == 0)
		r = f(m, c, &dir);
	pthread_mutex_unlock(&m->change);
	return r;
}

static bool is_mark(const char *name)
{
	return strncmp(name, MERGE_WHITEOUT, strlen(MERGE_WHITEOUT)) == 0;
}

/* May @name of @dir come, or go? */
static int may_change(struct merge *m, const struct merge_ref *dir, const char *name)
{
	policy_mark mark = policy_step(m->policy, dir->parts.mark, name);

	if (policy_hides(m->policy, mark))
		return -EPERM;
	return policy_protects(m->policy, dir->parts.mark) || policy_protects(m->policy, mark)
		       ? -EROFS
		       : 0;
}

/* Where something that is made in @dir goes, and the directory's part there. */
static int place_for(struct merge *m, const struct merge_ref *dir, const char *name,
		     enum merge_layer *ret_layer, uint64_t *ret_part)
{
	*ret_layer = dir->parts.id[MERGE_UPPER] ? MERGE_UPPER : MERGE_SCRATCH;
	*ret_part = dir->parts.id[MERGE_UPPER];
	if (*ret_layer == MERGE_UPPER)
		return 0;
	return is_mark(name) ? -EPERM : merge_scratch_dir(m, dir->index, ret_part);
}

static int exists(struct merge *m, const struct merge_ref *dir, const char *name,
		  struct merge_parts *ret)
{
	struct fuse_entry_out entry;
	int r = merge_find(m, dir, name, ret, &entry);

	if (r == 0)
		merge_drop(m, ret);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* What exists() does not find may be there, and be another name of what is hidden: it is not to be replaced. */
static int is_free(struct merge *m, const struct merge_ref *dir, const char *name)
{
	int r = m->policy && *name ? merge_has(m, dir, name, MERGE_UPPER) : 0;

	return r == 1 ? -EPERM : r;
}

/* --- names that come --- */

static int make(struct merge *m, struct fuse_call *c, const struct merge_ref *dir)
{
	uint32_t opcode = c->req->h.opcode;
	bool opens = opcode == FUSE_CREATE || opcode == FUSE_TMPFILE;
	const char *name = opcode == FUSE_TMPFILE ? "" : c->req->name[0];
	struct fuse_entry_out *entry;
	enum merge_layer layer;
	struct merge_parts p;
	uint64_t part;
	int r = *name ? exists(m, dir, name, &p) : 0;

	if (r < 0)
		return r;
	/* A file that is there by now, the kernel opens when it has looked again. */
	if (r && opcode == FUSE_CREATE && !(c->req->in.create.flags & O_EXCL))
		return -ESTALE;
	if (r)
		return -EEXIST;
	r = may_change(m, dir, name);
	if (r == 0)
		r = is_free(m, dir, name);
	if (r == 0)
		r = place_for(m, dir, name, &layer, &part);
	if (r == 0)
		r = merge_pass(m, c, layer, part);
	if (r < 0)
		return r;
	entry = (void *)c->out.buf;
	if (opens)
		merge_tag_open((void *)(entry + 1), layer);
	return merge_made(m, dir, name, layer, entry);
}

int merge_op_make(void *fs, struct fuse_call *c)
{
	return with_lock(fs, c, make);
}

static int link_node(struct merge *m, struct fuse_call *c, const struct merge_ref *dir)
{
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	enum merge_layer layer = MERGE_UPPER, old_layer;
	struct merge_parts p;
	struct merge_ref old;
	uint64_t part;
	int r = merge_get(m, req.in.link.oldnodeid, &old);

	if (r == 0)
		r = exists(m, dir, req.name[0], &p);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	old_layer = merge_top(&old.parts);
	if (old_layer == MERGE_LOWER)
		return -EXDEV;
	r = may_change(m, dir, req.name[0]);
	if (r == 0 && old.parts.mark != policy_step(m->policy, dir->parts.mark, req.name[0]))
		r = -EXDEV;
	if (r == 0)
		r = is_free(m, dir, req.name[0]);
	if (r == 0)
		r = place_for(m, dir, req.name[0], &layer, &part);
	if (r == 0 && layer != old_layer)
		r = -EXDEV;
	if (r < 0)
		return r;
	req.in.link.oldnodeid = old.parts.id[layer];
	sub.req = &req;
	r = merge_pass(m, &sub, layer, part);
	c->out = sub.out;
	return r < 0 ? r : merge_made(m, dir, req.name[0], layer, (void *)c->out.buf);
}

int merge_op_link(void *fs, struct fuse_call *c)
{
	return with_lock(fs, c, link_node);
}

/* --- names that go --- */

/* A directory of the scratch layer that shows nothing has marks at most. */
static void remove_marks(int parent, const char *name)
{
	_cleanup_close_ int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir)
		return;
	(void)take_fd(&fd);
	while ((d = readdir(dir)))
		if (is_mark(d->d_name))
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	(void)closedir(dir);
}

static int remove_scratch(struct merge *m, const struct merge_ref *dir, const char *name)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	int r;

	if (!dir->parts.id[MERGE_SCRATCH] || is_mark(name))
		return 0;
	r = node_ref(&m->layer[MERGE_SCRATCH]->nodes, dir->parts.id[MERGE_SCRATCH], &ref);
	if (r < 0)
		return r;
	if (unlinkat(ref.fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	remove_marks(ref.fd, name);
	return unlinkat(ref.fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/*
 * Have @name of the layers below @layer gone, so that what is above can be removed, or moved.
 * Return: 1, merge_unhide() takes it back; 0, there was nothing; -errno.
 */
static int hide_below(struct merge *m, const struct merge_ref *dir, const char *name)
{
	int r = merge_has(m, dir, name, MERGE_LOWER);

	if (r == 1)
		r = merge_hide(m, dir, name) < 0 ? -EROFS : 1;
	return r;
}

static int remove_name(struct merge *m, struct fuse_call *c, const struct merge_ref *dir)
{
	bool rmdir = c->req->h.opcode == FUSE_RMDIR;
	const char *name = c->req->name[0];
	struct merge_parts p;
	struct merge_ref now;
	int hidden, r = exists(m, dir, name, &p);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = may_change(m, dir, name);
	if (r < 0)
		return r;
	if (policy_is_place(p.mark))
		return -EBUSY;
	if (p.dir != rmdir)
		return rmdir ? -ENOTDIR : -EISDIR;
	r = rmdir ? merge_is_filled(m, &p) : 0;
	if (r != 0)
		return r < 0 ? r : -ENOTEMPTY;
	hidden = hide_below(m, dir, name);
	if (hidden < 0)
		return hidden;
	if (p.id[MERGE_UPPER])
		r = merge_pass(m, c, MERGE_UPPER, dir->parts.id[MERGE_UPPER]);
	if (r < 0) {
		if (hidden)
			merge_unhide(m, dir, name);
		return r;
	}
	r = merge_get(m, c->req->h.nodeid, &now); /* it may have got a part of the scratch layer */
	return r < 0 ? r : remove_scratch(m, &now, name);
}

int merge_op_unlink(void *fs, struct fuse_call *c)
{
	return with_lock(fs, c, remove_name);
}

int merge_op_rmdir(void *fs, struct fuse_call *c)
{
	return with_lock(fs, c, remove_name);
}

/* --- names that move --- */

struct move {
	struct merge_ref from, to;
	const char *name, *newname;
	unsigned int flags;
	enum merge_layer layer;
	struct merge_parts what, target;
	bool replaces;
};

static bool is_of(const struct merge_parts *p, enum merge_layer layer)
{
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		if ((i == layer) != (p->id[i] != 0))
			return false;
	return true;
}

/* Would @name show something else of a deeper layer, if that of @layer went? */
static int has_below(struct merge *m, const struct merge_ref *dir, const char *name,
		     enum merge_layer layer)
{
	return merge_has(m, dir, name, layer + 1);
}

static int may_replace(struct merge *m, const struct move *v)
{
	int r;

	if (v->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (v->flags & RENAME_EXCHANGE) {
		if (!is_of(&v->target, v->layer))
			return -EXDEV;
		r = has_below(m, &v->to, v->newname, v->layer);
		if (r == 0)
			r = has_below(m, &v->from, v->name, v->layer);
		return r == 1 ? -EXDEV : r;
	}
	if (v->what.dir != v->target.dir)
		return v->what.dir ? -ENOTDIR : -EISDIR;
	if (!v->what.dir)
		return 0;
	r = merge_is_filled(m, &v->target);
	if (r != 0)
		return r < 0 ? r : -ENOTEMPTY;
	return is_of(&v->target, v->layer) ? 0 : -EXDEV;
}

/* Return: 0, the layer's own renaming does it; -errno. */
static int may_move(struct merge *m, struct move *v)
{
	int r = exists(m, &v->from, v->name, &v->what);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = may_change(m, &v->from, v->name);
	if (r == 0)
		r = may_change(m, &v->to, v->newname);
	if (r < 0)
		return r;
	if (policy_is_place(v->what.mark))
		return -EBUSY;
	if (v->what.mark != policy_step(m->policy, v->to.parts.mark, v->newname))
		return -EXDEV;
	v->layer = merge_top(&v->what);
	if (v->layer == MERGE_LOWER || (v->what.dir && !is_of(&v->what, v->layer)))
		return -EXDEV;
	if ((v->to.parts.id[MERGE_UPPER] != 0) != (v->layer == MERGE_UPPER))
		return -EXDEV;
	if (v->flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = exists(m, &v->to, v->newname, &v->target);
	if (r < 0)
		return r;
	v->replaces = r;
	if (r)
		return may_replace(m, v);
	return v->flags & RENAME_EXCHANGE ? -ENOENT : is_free(m, &v->to, v->newname);
}

static int do_move(struct merge *m, struct fuse_call *c, const struct move *v)
{
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	struct merge_ref now;
	enum merge_layer to;
	int r, hidden = 0;

	r = place_for(m, &v->to, v->newname, &to, &req.in.rename.newdir);
	if (r < 0)
		return r;
	if (!(v->flags & RENAME_EXCHANGE))
		hidden = hide_below(m, &v->from, v->name);
	if (hidden < 0)
		return hidden;
	sub.req = &req;
	r = merge_pass(m, &sub, v->layer, v->from.parts.id[v->layer]);
	c->out = sub.out;
	if (r < 0 && hidden)
		merge_unhide(m, &v->from, v->name);
	if (r < 0 || v->layer != MERGE_UPPER || v->flags & RENAME_EXCHANGE)
		return r;
	/* A copy that the upper tree has hidden would show. */
	r = merge_get(m, c->req->h.nodeid, &now);
	return r < 0 ? r : remove_scratch(m, &now, v->name);
}

static int move(struct merge *m, struct fuse_call *c, const struct merge_ref *from)
{
	bool has_flags = c->req->h.opcode == FUSE_RENAME2;
	struct move v = { .from = *from,
			  .name = c->req->name[0],
			  .newname = c->req->name[1],
			  .flags = has_flags ? c->req->in.rename2.flags : 0 };
	/* Both structures begin with the directory. */
	int r = merge_get(m, c->req->in.rename.newdir, &v.to);

	if (r == 0)
		r = may_move(m, &v);
	return r < 0 ? r : do_move(m, c, &v);
}

int merge_op_rename(void *fs, struct fuse_call *c)
{
	return with_lock(fs, c, move);
}
