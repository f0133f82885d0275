/* SPDX-License-Identifier: MIT */
#include "merge_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ident.h"
#include "vfs_map.h"

/* The layer of an open file stands in its number, above the index, which is not that large. */
#define FH_LAYER_SHIFT 30
#define FH_LAYER_MASK  (UINT64_C(3) << FH_LAYER_SHIFT)

int merge_pass(struct merge *m, struct fuse_call *c, enum merge_layer layer, uint64_t part)
{
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	int r;

	req.h.nodeid = part;
	sub.req = &req;
	r = vfs_functions(m->layer[layer])->op[req.h.opcode](m->layer[layer], &sub);
	c->out = sub.out;
	return r;
}

void merge_tag_open(struct fuse_open_out *open, enum merge_layer layer)
{
	open->fh |= (uint64_t)layer << FH_LAYER_SHIFT;
}

static int layer_of(struct merge *m, uint64_t *fh, enum merge_layer *ret)
{
	*ret = (*fh & FH_LAYER_MASK) >> FH_LAYER_SHIFT;
	*fh &= ~FH_LAYER_MASK;
	return *ret < MERGE_LAYERS && m->layer[*ret] ? 0 : -EBADF;
}

/* --- what is asked of a node --- */

static int op_lookup(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	const char *name = c->req->name[0];
	struct fuse_entry_out out = { 0 };
	struct merge_ref dir;
	int r = merge_get(m, c->req->h.nodeid, &dir);

	if (r < 0)
		return r;
	/* Nobody was told that there is an export. */
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -ESTALE;
	r = merge_lookup(m, &dir, name, &out);
	return vfs_reply_lookup(c, r, &out, m->layer[MERGE_UPPER]->conf.times.negative_ns);
}

/* The number of the inode, where the answer has one. */
static void fix_ino(struct fuse_call *c, enum merge_layer layer)
{
	struct fuse_attr_out *attr = (void *)c->out.buf;
	struct fuse_statx_out *statx = (void *)c->out.buf;

	if (c->req->h.opcode == FUSE_STATX)
		statx->stat.ino = merge_ino(statx->stat.ino, layer);
	else if (c->req->h.opcode == FUSE_GETATTR || c->req->h.opcode == FUSE_SETATTR)
		attr->attr.ino = merge_ino(attr->attr.ino, layer);
}

/* READLINK, GETATTR, STATX, LISTXATTR, STATFS */
static int op_ask(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct merge_ref ref;
	enum merge_layer top;
	int r = merge_get(m, c->req->h.nodeid, &ref);

	if (r < 0)
		return r;
	top = merge_top(&ref.parts);
	r = merge_pass(m, c, top, ref.parts.id[top]);
	if (r == 0)
		fix_ino(c, top);
	return r;
}

static int tell_layer(struct fuse_call *c, const struct merge_parts *p)
{
	static const char *const names[MERGE_LAYERS] = { "upper", "scratch", "lower" };
	char text[32] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		if (p->id[i])
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "+" : "",
					      names[i]);
	if (!c->req->in.getxattr.size) {
		struct fuse_getxattr_out *out = fuse_out_add(&c->out, sizeof(*out));

		out->size = (uint32_t)n;
		return 0;
	}
	if (n > c->req->in.getxattr.size)
		return -ERANGE;
	memcpy(fuse_out_add(&c->out, n), text, n);
	return 0;
}

static int op_getxattr(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct merge_ref ref;
	int r;

	if (strcmp(c->req->name[0], MERGE_XATTR) != 0)
		return op_ask(fs, c);
	r = merge_get(m, c->req->h.nodeid, &ref);
	return r < 0 ? r : tell_layer(c, &ref.parts);
}

/* --- what changes a node --- */

/* Have it in a layer that can be written. -ESTALE: it is now, but as another node. */
static int take_up(struct merge *m, uint64_t id, struct merge_ref *ref)
{
	uint64_t part;
	int r;

	pthread_mutex_lock(&m->change);
	r = merge_get(m, id, ref);
	if (r == 0 && policy_protects(m->policy, ref->parts.mark))
		r = -EROFS;
	if (r == 0 && merge_top(&ref->parts) == MERGE_LOWER) {
		if (ref->parts.dir) {
			r = merge_scratch_dir(m, ref->index, &part);
			ref->parts.id[MERGE_SCRATCH] = part;
		} else if (!m->layer[MERGE_SCRATCH]) {
			r = -EROFS;
		} else {
			r = merge_copy(m, ref);
			r = r < 0 ? r : -ESTALE;
		}
	}
	pthread_mutex_unlock(&m->change);
	return r;
}

/* SETXATTR, REMOVEXATTR */
static int op_change(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct merge_ref ref;
	enum merge_layer top;
	int r;

	if (c->req->name[0] && strcmp(c->req->name[0], MERGE_XATTR) == 0)
		return -EPERM;
	r = take_up(m, c->req->h.nodeid, &ref);
	if (r < 0)
		return r;
	top = merge_top(&ref.parts);
	return merge_pass(m, c, top, ref.parts.id[top]);
}

static int op_setattr(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	struct merge_ref ref;
	enum merge_layer top, opened;
	int r = take_up(m, req.h.nodeid, &ref);

	if (r < 0)
		return r;
	top = merge_top(&ref.parts);
	if (req.in.setattr.valid & FATTR_FH) {
		r = layer_of(m, &req.in.setattr.fh, &opened);
		if (r < 0 || opened != top)
			return -EBADF;
	}
	sub.req = &req;
	r = merge_pass(m, &sub, top, ref.parts.id[top]);
	c->out = sub.out;
	if (r == 0)
		fix_ino(c, top);
	return r;
}

static int op_open(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	uint32_t flags = c->req->in.open.flags;
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	struct merge_ref ref;
	enum merge_layer top;
	int r = writes ? take_up(m, c->req->h.nodeid, &ref) : merge_get(m, c->req->h.nodeid, &ref);

	if (r < 0)
		return r;
	top = merge_top(&ref.parts);
	r = merge_pass(m, c, top, ref.parts.id[top]);
	if (r == 0)
		merge_tag_open((void *)c->out.buf, top);
	return r;
}

/* --- what is done with an open file --- */

static uint64_t *fh_of(struct fuse_req *req)
{
	switch (req->h.opcode) {
	case FUSE_READ:
		return &req->in.read.fh;
	case FUSE_WRITE:
		return &req->in.write.fh;
	case FUSE_FSYNC:
		return &req->in.fsync.fh;
	case FUSE_FALLOCATE:
		return &req->in.fallocate.fh;
	case FUSE_LSEEK:
		return &req->in.lseek.fh;
	case FUSE_IOCTL:
		return &req->in.ioctl.fh;
	default:
		return &req->in.release.fh;
	}
}

/* It may set attributes of a file that is open for reading. */
static int may_ioctl(struct merge *m, const struct fuse_req *req)
{
	struct merge_ref ref;
	int r = merge_get(m, req->h.nodeid, &ref);

	if (r < 0 || !policy_protects(m->policy, ref.parts.mark))
		return r;
	return req->in.ioctl.cmd == FS_IOC_GETFLAGS || req->in.ioctl.cmd == FS_IOC_FSGETXATTR
		       ? 0
		       : -EROFS;
}

static int op_file(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	enum merge_layer layer;
	int r = 0;

	/* A directory is open in all of its layers, and in none. */
	if (req.h.opcode == FUSE_IOCTL && req.in.ioctl.flags & FUSE_IOCTL_DIR)
		return -ENOTTY;
	if (req.h.opcode == FUSE_IOCTL)
		r = may_ioctl(m, &req);
	r = r < 0 ? r : layer_of(m, fh_of(&req), &layer);
	if (r < 0)
		return r;
	sub.req = &req;
	r = merge_pass(m, &sub, layer, 0);
	c->out = sub.out;
	return r;
}

static int op_copy(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct fuse_req req = *c->req;
	struct fuse_call sub = *c;
	enum merge_layer from, to;
	int r = layer_of(m, &req.in.copy.fh_in, &from);

	if (r == 0)
		r = layer_of(m, &req.in.copy.fh_out, &to);
	if (r == 0 && from != to)
		r = -EXDEV; /* the kernel copies, then */
	if (r < 0)
		return r;
	sub.req = &req;
	r = merge_pass(m, &sub, from, 0);
	c->out = sub.out;
	return r;
}

static int op_syncfs(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	int r = 0;

	for (unsigned int i = MERGE_UPPER; r == 0 && i < MERGE_LOWER; i++)
		if (m->layer[i])
			r = merge_pass(m, c, i, FUSE_ROOT_ID);
	return r;
}

/* --- the whole --- */

int merge_new(struct vfs *const layer[MERGE_LAYERS], const struct policy *policy,
	      struct merge_stats *stats, struct merge **ret, struct err *e)
{
	struct merge *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(m->layer, layer, sizeof(m->layer));
	m->stats = stats ? stats : &m->own_stats;
	pthread_mutex_init(&m->change, NULL);
	pthread_mutex_init(&m->lock, NULL);
	r = merge_policy_init(m, policy, e);
	if (r == 0 && merge_table_init(m) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r < 0) {
		memset(m->layer, 0, sizeof(m->layer));
		merge_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	merge_dirs_fini(m);
	merge_table_fini(m);
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		vfs_free(m->layer[i]);
	policy_fini(&m->rules);
	pthread_mutex_destroy(&m->change);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static void op_destroy(void *fs)
{
	struct merge *m = fs;

	merge_dirs_fini(m);
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		if (m->layer[i])
			vfs_fs.destroy(m->layer[i]);
}

static void op_forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	merge_forget(fs, nodeid, nlookup);
}

static int op_thread_start(void *fs)
{
	(void)fs;
	return ident_start();
}

/* A node that is forgotten is gone: there is no way back to it from a file handle. */
uint64_t merge_flags(const struct vfs_conf *conf)
{
	return vfs_flags(conf) & ~(uint64_t)FUSE_EXPORT_SUPPORT;
}

const struct fuse_fs merge_fs = {
	.op = {
		[FUSE_LOOKUP] = op_lookup,
		[FUSE_GETATTR] = op_ask,
		[FUSE_STATX] = op_ask,
		[FUSE_SETATTR] = op_setattr,
		[FUSE_READLINK] = op_ask,
		[FUSE_SYMLINK] = merge_op_make,
		[FUSE_MKNOD] = merge_op_make,
		[FUSE_MKDIR] = merge_op_make,
		[FUSE_UNLINK] = merge_op_unlink,
		[FUSE_RMDIR] = merge_op_rmdir,
		[FUSE_RENAME] = merge_op_rename,
		[FUSE_RENAME2] = merge_op_rename,
		[FUSE_LINK] = merge_op_link,
		[FUSE_OPEN] = op_open,
		[FUSE_CREATE] = merge_op_make,
		[FUSE_TMPFILE] = merge_op_make,
		[FUSE_RELEASE] = op_file,
		[FUSE_READ] = op_file,
		[FUSE_WRITE] = op_file,
		[FUSE_FSYNC] = op_file,
		[FUSE_FALLOCATE] = op_file,
		[FUSE_LSEEK] = op_file,
		[FUSE_COPY_FILE_RANGE] = op_copy,
		[FUSE_COPY_FILE_RANGE_64] = op_copy,
		[FUSE_IOCTL] = op_file,
		[FUSE_SETXATTR] = op_change,
		[FUSE_GETXATTR] = op_getxattr,
		[FUSE_LISTXATTR] = op_ask,
		[FUSE_REMOVEXATTR] = op_change,
		[FUSE_OPENDIR] = merge_op_opendir,
		[FUSE_READDIR] = merge_op_readdir,
		[FUSE_READDIRPLUS] = merge_op_readdir,
		[FUSE_RELEASEDIR] = merge_op_releasedir,
		[FUSE_FSYNCDIR] = merge_op_fsyncdir,
		[FUSE_STATFS] = op_ask,
		[FUSE_SYNCFS] = op_syncfs,
	},
	.forget = op_forget,
	.destroy = op_destroy,
	.thread_start = op_thread_start,
};
