/* SPDX-License-Identifier: MIT */
/* merge_lookup.c - a name in all layers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "merge_private.h"
#include "mnt.h"

uint64_t merge_ino(uint64_t ino, enum merge_layer layer)
{
	return ino ^ (uint64_t)layer << 60;
}

enum merge_layer merge_top(const struct merge_parts *p)
{
	return p->id[MERGE_UPPER]     ? MERGE_UPPER
	       : p->id[MERGE_SCRATCH] ? MERGE_SCRATCH
				      : MERGE_LOWER;
}

void merge_drop(struct merge *m, const struct merge_parts *p)
{
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		if (p->id[i])
			nodes_forget(&m->layer[i]->nodes, p->id[i], 1);
}

/* Return: 1; 0, this layer has no such name; -errno. */
static int find_in(struct merge *m, const struct merge_ref *dir, enum merge_layer layer,
		   const char *name, struct fuse_entry_out *ret)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	struct vfs *v = m->layer[layer];
	int r;

	if (!dir->parts.id[layer])
		return 0;
	r = node_ref(&v->nodes, dir->parts.id[layer], &ref);
	if (r == 0)
		r = vfs_lookup(v, ref.fd, name, ret);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* Has the scratch layer a mark that the lower one's is gone? */
static int is_hidden(struct merge *m, const struct merge_ref *dir, const char *name)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	char mark[NAME_MAX + sizeof(MERGE_WHITEOUT)];
	int r;

	if (!dir->parts.id[MERGE_SCRATCH])
		return 0;
	r = node_ref(&m->layer[MERGE_SCRATCH]->nodes, dir->parts.id[MERGE_SCRATCH], &ref);
	if (r < 0)
		return r;
	if (snprintf(mark, sizeof(mark), MERGE_WHITEOUT "%s", name) >= (int)sizeof(mark))
		return 0;
	if (faccessat(ref.fd, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -errno;
}

static bool is_mark(const char *name)
{
	return strncmp(name, MERGE_WHITEOUT, strlen(MERGE_WHITEOUT)) == 0;
}

/* As find_in(), of what is to be seen of the layer: not what is marked, nor the marks. */
static int see_in(struct merge *m, const struct merge_ref *dir, enum merge_layer layer,
		  const char *name, struct fuse_entry_out *ret)
{
	if (layer == MERGE_SCRATCH && is_mark(name))
		return 0;
	if (layer == MERGE_LOWER && dir->parts.id[MERGE_LOWER]) {
		int r = is_hidden(m, dir, name);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	return find_in(m, dir, layer, name, ret);
}

/* A link of the lower tree in its top directory, where those above have a directory: what it leads to. */
static void follow_link(struct merge *m, const struct merge_ref *dir, const char *name,
			struct fuse_entry_out *entry, policy_mark *mark)
{
	_cleanup_node_ struct node_ref root = { 0 };
	struct nodes *nodes = &m->layer[MERGE_LOWER]->nodes;
	_cleanup_close_ int fd = -1;
	struct fuse_entry_out led;

	if (dir->index != FUSE_ROOT_ID || !S_ISLNK(entry->attr.mode) ||
	    node_ref(nodes, FUSE_ROOT_ID, &root) < 0)
		return;
	fd = mnt_open_in(root.fd, name, O_PATH | O_DIRECTORY);
	if (fd < 0 || !merge_policy_follow(m, root.fd, name, mark) ||
	    vfs_lookup_fd(m->layer[MERGE_LOWER], fd, &led) < 0)
		return;
	nodes_forget(nodes, entry->nodeid, 1);
	*entry = led;
}

int merge_find(struct merge *m, const struct merge_ref *dir, const char *name,
	       struct merge_parts *ret, struct fuse_entry_out *entry)
{
	struct merge_parts p = { .mark = policy_step(m->policy, dir->parts.mark, name) };
	bool any = false;

	if (policy_hides(m->policy, p.mark))
		return -ENOENT;

	for (unsigned int i = 0; i < MERGE_LAYERS; i++) {
		struct fuse_entry_out out;
		int r = see_in(m, dir, i, name, &out);

		if (r < 0) {
			merge_drop(m, &p);
			return r;
		}
		if (!r)
			continue;
		if (i == MERGE_LOWER && any)
			follow_link(m, dir, name, &out, &p.mark);
		r = merge_policy_see(m, dir, i, &out, &p.mark);
		if (r <= 0) {
			nodes_forget(&m->layer[i]->nodes, out.nodeid, 1);
			merge_drop(m, &p);
			return r < 0 ? r : -ENOENT;
		}
		if (any && !S_ISDIR(out.attr.mode)) {
			nodes_forget(&m->layer[i]->nodes, out.nodeid, 1);
			break;
		}
		p.id[i] = out.nodeid;
		if (!any) {
			*entry = out;
			entry->attr.ino = merge_ino(out.attr.ino, i);
			p.dir = S_ISDIR(out.attr.mode);
		}
		any = true;
		if (!p.dir)
			break;
	}
	if (any)
		*ret = p;
	return any ? 0 : -ENOENT;
}

int merge_lookup(struct merge *m, const struct merge_ref *dir, const char *name,
		 struct fuse_entry_out *ret)
{
	struct merge_parts p;
	int r = merge_find(m, dir, name, &p, ret);

	return r < 0 ? r : merge_enter(m, &p, dir->index, name, &ret->nodeid);
}

int merge_made(struct merge *m, const struct merge_ref *dir, const char *name,
	       enum merge_layer layer, struct fuse_entry_out *entry)
{
	struct merge_parts p = { .mark = policy_step(m->policy, dir->parts.mark, name),
				 .dir = S_ISDIR(entry->attr.mode) };

	p.id[layer] = entry->nodeid;
	entry->attr.ino = merge_ino(entry->attr.ino, layer);
	return merge_enter(m, &p, dir->index, name, &entry->nodeid);
}

int merge_has(struct merge *m, const struct merge_ref *dir, const char *name, enum merge_layer from)
{
	for (unsigned int i = from; i < MERGE_LAYERS; i++) {
		struct fuse_entry_out out;
		int r = see_in(m, dir, i, name, &out);

		if (r == 1)
			nodes_forget(&m->layer[i]->nodes, out.nodeid, 1);
		if (r != 0)
			return r;
	}
	return 0;
}
