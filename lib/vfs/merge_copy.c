/* SPDX-License-Identifier: MIT */
/* merge_copy.c - the scratch layer: directories, copies of files, marks of what is gone. */
#define LOG_MODULE "vfs"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "merge_private.h"

#define DEPTH_MAX 512
#define CHUNK     (8u << 20)
#define NEW       MERGE_WHITEOUT /* a copy that is being made: the mark of no name */
#define LIST_MAX  65536

static int part_ref(struct merge *m, enum merge_layer layer, uint64_t part, struct node_ref *ret)
{
	return node_ref(&m->layer[layer]->nodes, part, ret);
}

/* --- attributes: what the file system does not take is left out --- */

static int copy_xattrs(int from, int to)
{
	_cleanup_free_ char *list = malloc(LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t size;

	if (!list || !value)
		return -ENOMEM;
	size = flistxattr(from, list, LIST_MAX);
	for (const char *p = list; size > 0 && p < list + size; p += strlen(p) + 1) {
		ssize_t n = fgetxattr(from, p, value, XATTR_SIZE_MAX);

		if (n >= 0 && fsetxattr(to, p, value, (size_t)n, 0) < 0 && errno == ENOSPC)
			return -errno;
	}
	return 0;
}

/* The mode after the owner, which takes bits away, and after the access list, which it is a part of. */
static int copy_attrs(int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r;

	if (fchown(to, st->st_uid, st->st_gid) < 0 && errno != EPERM && errno != EINVAL)
		return -errno;
	r = copy_xattrs(from, to);
	if (r < 0)
		return r;
	if (fchmod(to, st->st_mode & 07777) < 0 || futimens(to, times) < 0)
		return -errno;
	return 0;
}

/* --- directories --- */

static int make_dir(struct merge *m, const struct merge_parts *of, int parent, const char *name)
{
	_cleanup_node_ struct node_ref like = { 0 };
	_cleanup_close_ int from = -1, to = -1;
	struct stat st;
	int r = part_ref(m, MERGE_LOWER, of->id[MERGE_LOWER], &like);

	if (r < 0)
		return r;
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	from = node_open(&like, O_RDONLY | O_DIRECTORY);
	to = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return from < 0 ? take_fd(&from) : -errno;
	return fstat(from, &st) < 0 ? -errno : copy_attrs(from, to, &st);
}

static int scratch_dir(struct merge *m, uint32_t index, unsigned int depth, uint64_t *ret_part)
{
	_cleanup_node_ struct node_ref dir = { 0 };
	struct fuse_entry_out out;
	char name[NAME_MAX + 1];
	struct merge_parts p;
	uint32_t parent;
	uint64_t part;
	int r;

	pthread_mutex_lock(&m->lock);
	p = m->node[index].parts;
	pthread_mutex_unlock(&m->lock);
	*ret_part = p.id[MERGE_SCRATCH];
	if (*ret_part)
		return 0;
	if (!m->layer[MERGE_SCRATCH])
		return -EROFS;
	if (depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	r = merge_place(m, index, &parent, name);
	if (r == 0)
		r = scratch_dir(m, parent, depth + 1, &part);
	if (r == 0)
		r = part_ref(m, MERGE_SCRATCH, part, &dir);
	if (r == 0)
		r = make_dir(m, &p, dir.fd, name);
	if (r == 0)
		r = vfs_lookup(m->layer[MERGE_SCRATCH], dir.fd, name, &out);
	if (r < 0)
		return r;
	if (!S_ISDIR(out.attr.mode)) {
		nodes_forget(&m->layer[MERGE_SCRATCH]->nodes, out.nodeid, 1);
		return -ENOTDIR;
	}
	merge_set_scratch(m, index, out.nodeid);
	*ret_part = out.nodeid;
	return 0;
}

int merge_scratch_dir(struct merge *m, uint32_t index, uint64_t *ret_part)
{
	return scratch_dir(m, index, 0, ret_part);
}

/* --- copies --- */

static int copy_data(int from, int to)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, CHUNK);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int copy_file(const struct node_ref *from, const struct stat *st, int dir)
{
	_cleanup_close_ int in = node_open(from, O_RDONLY);
	_cleanup_close_ int out = -1;
	int r;

	if (in < 0)
		return take_fd(&in);
	out = openat(dir, NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_data(in, out);
	return r < 0 ? r : copy_attrs(in, out, st);
}

static int copy_link(const struct node_ref *from, const struct stat *st, int dir)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from->fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = 0;
	if (symlinkat(target, dir, NEW) < 0)
		return -errno;
	(void)!fchownat(dir, NEW, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_any(const struct node_ref *from, int dir, const char *name)
{
	struct stat st;
	int r;

	if (fstatat(from->fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		r = copy_file(from, &st, dir);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, &st, dir);
	else
		return -EPERM;
	if (r == 0 && renameat2(dir, NEW, dir, name, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, NEW, 0);
	return r;
}

int merge_copy(struct merge *m, const struct merge_ref *r)
{
	_cleanup_node_ struct node_ref from = { 0 }, dir = { 0 };
	char name[NAME_MAX + 1];
	uint32_t parent;
	uint64_t part;
	int ret = merge_place(m, r->index, &parent, name);

	if (ret == 0)
		ret = merge_scratch_dir(m, parent, &part);
	if (ret == 0)
		ret = part_ref(m, MERGE_SCRATCH, part, &dir);
	if (ret == 0)
		ret = part_ref(m, MERGE_LOWER, r->parts.id[MERGE_LOWER], &from);
	if (ret == 0)
		ret = copy_any(&from, dir.fd, name);
	if (ret < 0)
		return ret == -EEXIST ? 0 : ret; /* it was copied meanwhile */
	atomic_fetch_add(&m->stats->copied, 1);
	log_info("'%s' of the lower tree is copied to the scratch layer", name);
	return 0;
}

/* --- what is gone --- */

static int mark_of(struct merge *m, const struct merge_ref *dir, const char *name,
		   struct node_ref *ret, char mark[NAME_MAX + 1])
{
	uint64_t part;
	int r = merge_scratch_dir(m, dir->index, &part);

	if (r < 0)
		return r;
	if (snprintf(mark, NAME_MAX + 1, MERGE_WHITEOUT "%s", name) > NAME_MAX)
		return -ENAMETOOLONG;
	return part_ref(m, MERGE_SCRATCH, part, ret);
}

int merge_hide(struct merge *m, const struct merge_ref *dir, const char *name)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	char mark[NAME_MAX + 1];
	int r = mark_of(m, dir, name, &ref, mark);

	if (r < 0)
		return r;
	if (mknodat(ref.fd, mark, S_IFREG | 0600, 0) < 0)
		return errno == EEXIST ? 0 : -errno;
	atomic_fetch_add(&m->stats->hidden, 1);
	log_info("'%s' of the lower tree is hidden by the scratch layer", name);
	return 0;
}

void merge_unhide(struct merge *m, const struct merge_ref *dir, const char *name)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	char mark[NAME_MAX + 1];

	if (mark_of(m, dir, name, &ref, mark) == 0 && unlinkat(ref.fd, mark, 0) == 0)
		atomic_fetch_sub(&m->stats->hidden, 1);
}
