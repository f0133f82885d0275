/* SPDX-License-Identifier: MIT */
/*
 * merge_dir.c - directories of several layers are read.
 *
 * Who opens a directory, or goes back to its start, gets a list of its names as they are then: each
 * once, and a position is an index of it. So whatever happens to the layers meanwhile, no name that
 * stays comes twice or is left out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "merge_private.h"

#define NAMES_MAX (1u << 24)
/* Of all directories that are open together: who opens them may be hostile. */
#define LISTED_MAX (UINT64_C(256) << 20)

struct entry {
	uint64_t ino;
	uint32_t name; /* offset */
	uint8_t type;
	bool gone; /* a mark: the lower layer's is not to be seen */
};

struct list {
	struct entry *entry;
	char *text; /* all names, each with its NUL */
	size_t n, room, text_size, text_room;
	uint32_t *bucket; /* index + 1 of an entry */
	size_t nbuckets;
};

struct merge_dir {
	pthread_mutex_t lock; /* of one reader; held while it reads */
	uint64_t node;
	bool filled;
	struct list list;
	unsigned int users; /* under the table's lock; the table itself is one */
};

static void list_fini(struct list *l)
{
	free(l->entry);
	free(l->text);
	free(l->bucket);
	*l = (struct list){ 0 };
}

static uint64_t list_size(const struct list *l)
{
	return l->text_room + l->room * sizeof(*l->entry) + l->nbuckets * sizeof(*l->bucket);
}

/* --- names --- */

static uint64_t hash_name(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return h;
}

static uint32_t *bucket_of(struct list *l, const char *name)
{
	size_t i = hash_name(name) & (l->nbuckets - 1);

	while (l->bucket[i] && strcmp(l->text + l->entry[l->bucket[i] - 1].name, name) != 0)
		i = (i + 1) & (l->nbuckets - 1);
	return &l->bucket[i];
}

static int grow(struct list *l)
{
	size_t more = l->nbuckets ? l->nbuckets * 2 : 64;
	uint32_t *bucket;

	if (l->n * 2 < l->nbuckets)
		return 0;
	bucket = calloc(more, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	free(l->bucket);
	l->bucket = bucket;
	l->nbuckets = more;
	for (size_t i = 0; i < l->n; i++)
		*bucket_of(l, l->text + l->entry[i].name) = (uint32_t)i + 1;
	return 0;
}

/* What was there before wins, save over a mark of the same layer. */
static int add(struct list *l, const char *name, const struct entry *e, bool over_marks)
{
	size_t len = strlen(name) + 1;
	uint32_t *b;

	if (l->n >= NAMES_MAX)
		return -EOVERFLOW;
	if (grow(l) < 0 || array_room(&l->entry, &l->room, l->n + 1, sizeof(*l->entry)) < 0 ||
	    array_room(&l->text, &l->text_room, l->text_size + len, 1) < 0)
		return -ENOMEM;
	b = bucket_of(l, name);
	if (*b) {
		struct entry *old = &l->entry[*b - 1];

		if (old->gone && over_marks)
			*old = (struct entry){ e->ino, old->name, e->type, e->gone };
		return 0;
	}
	memcpy(l->text + l->text_size, name, len);
	l->entry[l->n] = (struct entry){ e->ino, (uint32_t)l->text_size, e->type, e->gone };
	l->text_size += len;
	*b = (uint32_t)++l->n;
	return 0;
}

/* --- layers --- */

static int add_dirent(struct merge *m, struct list *l, const struct node_ref *ref,
		      enum merge_layer layer, const struct dirent *d)
{
	const struct vfs *v = m->layer[layer];
	const struct node_mount *at = &v->nodes.mount[ref->node->mount];
	const struct entry e = { .ino = merge_ino(vfs_ino(v, at, d->d_ino), layer),
				 .type = d->d_type };
	const struct entry mark = { .gone = true };
	size_t skip = strlen(MERGE_WHITEOUT);

	if (layer != MERGE_SCRATCH || strncmp(d->d_name, MERGE_WHITEOUT, skip) != 0)
		return add(l, d->d_name, &e, layer == MERGE_SCRATCH);
	return d->d_name[skip] ? add(l, d->d_name + skip, &mark, false) : 0;
}

static int add_layer(struct merge *m, struct list *l, enum merge_layer layer, uint64_t part)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	_cleanup_close_ int fd = -1;
	int r = node_ref(&m->layer[layer]->nodes, part, &ref);
	const struct dirent *d;
	DIR *dir;

	if (r < 0)
		return r;
	fd = node_open(&ref, O_RDONLY | O_DIRECTORY);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return fd < 0 ? take_fd(&fd) : -errno;
	(void)take_fd(&fd);
	errno = 0;
	while (r == 0 && (d = readdir(dir))) {
		r = add_dirent(m, l, &ref, layer, d);
		errno = 0;
	}
	/* A directory that was removed has no entries. */
	if (r == 0 && errno && errno != ENOENT)
		r = -errno;
	(void)closedir(dir);
	return r;
}

static int fill(struct merge *m, const struct merge_parts *p, struct list *ret)
{
	struct list l = { 0 };
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < MERGE_LAYERS; i++)
		if (p->id[i])
			r = add_layer(m, &l, i, p->id[i]);
	if (r < 0) {
		list_fini(&l);
		return r;
	}
	*ret = l;
	return 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int merge_is_filled(struct merge *m, const struct merge_parts *dir)
{
	struct list l = { 0 };
	int r = fill(m, dir, &l);

	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = !l.entry[i].gone && !is_dots(l.text + l.entry[i].name);
	list_fini(&l);
	return r;
}

/* --- open directories --- */

static struct merge_dir_slot *slot_of(struct merge *m, uint64_t fh)
{
	uint32_t i = (uint32_t)fh;

	return i < m->slots && m->slot[i].dir && m->slot[i].gen == fh >> 32 ? &m->slot[i] : NULL;
}

static void drop_list(struct merge *m, struct merge_dir *d)
{
	if (d->filled)
		atomic_fetch_sub(&m->listed, list_size(&d->list));
	d->filled = false;
	list_fini(&d->list);
}

static void dir_put(struct merge *m, struct merge_dir *d)
{
	unsigned int left;

	pthread_mutex_lock(&m->lock);
	left = --d->users;
	pthread_mutex_unlock(&m->lock);
	if (left)
		return;
	drop_list(m, d);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static struct merge_dir *dir_get(struct merge *m, uint64_t fh)
{
	const struct merge_dir_slot *s;
	struct merge_dir *d = NULL;

	pthread_mutex_lock(&m->lock);
	s = slot_of(m, fh);
	if (s) {
		d = s->dir;
		d->users++;
	}
	pthread_mutex_unlock(&m->lock);
	return d;
}

static int slot_take(struct merge *m, struct merge_dir *d, uint64_t *ret_fh)
{
	uint32_t i = m->slots_free;

	if (i) {
		i--;
		m->slots_free = m->slot[i].next;
	} else {
		int r = array_room(&m->slot, &m->slots_room, (size_t)m->slots + 1,
				   sizeof(*m->slot));

		if (r < 0)
			return r;
		i = m->slots++;
		m->slot[i] = (struct merge_dir_slot){ 0 };
	}
	m->slot[i].dir = d;
	*ret_fh = (uint64_t)m->slot[i].gen << 32 | i;
	return 0;
}

int merge_op_opendir(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct fuse_open_out *out;
	struct merge_ref ref;
	struct merge_dir *d;
	int r = merge_get(m, c->req->h.nodeid, &ref);

	if (r < 0)
		return r;
	if (!ref.parts.dir)
		return -ENOTDIR;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->node = c->req->h.nodeid;
	d->users = 1;
	pthread_mutex_init(&d->lock, NULL);
	out = fuse_out_add(&c->out, sizeof(*out));
	pthread_mutex_lock(&m->lock);
	r = slot_take(m, d, &out->fh);
	pthread_mutex_unlock(&m->lock);
	if (r < 0)
		dir_put(m, d);
	return r;
}

int merge_op_releasedir(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct merge_dir *d = NULL;
	struct merge_dir_slot *s;

	pthread_mutex_lock(&m->lock);
	s = slot_of(m, c->req->in.release.fh);
	if (s) {
		d = s->dir;
		s->dir = NULL;
		s->gen++;
		s->next = m->slots_free;
		m->slots_free = (uint32_t)(s - m->slot) + 1;
	}
	pthread_mutex_unlock(&m->lock);
	if (!d)
		return -EBADF;
	dir_put(m, d);
	return 0;
}

void merge_dirs_fini(struct merge *m)
{
	for (uint32_t i = 0; i < m->slots; i++)
		if (m->slot[i].dir)
			dir_put(m, m->slot[i].dir);
	free(m->slot);
	m->slot = NULL;
	m->slots_room = m->slots = m->slots_free = 0;
}

int merge_op_fsyncdir(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	_cleanup_close_ int fd = -1;
	struct merge *m = fs;
	struct merge_ref dir;
	int r = merge_get(m, c->req->h.nodeid, &dir);
	enum merge_layer top;

	if (r < 0)
		return r;
	top = merge_top(&dir.parts);
	r = node_ref(&m->layer[top]->nodes, dir.parts.id[top], &ref);
	if (r < 0)
		return r;
	fd = node_open(&ref, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return take_fd(&fd);
	return fsync(fd) < 0 ? -errno : 0;
}

/* --- reading --- */

static int fill_bounded(struct merge *m, const struct merge_parts *parts, struct merge_dir *d)
{
	int r = fill(m, parts, &d->list);
	uint64_t size = list_size(&d->list);

	if (r == 0 && atomic_fetch_add(&m->listed, size) + size > LISTED_MAX) {
		atomic_fetch_sub(&m->listed, size);
		r = -ENFILE;
	}
	d->filled = r == 0;
	if (r < 0)
		list_fini(&d->list);
	return r;
}

/* Return: 1 it was added, or is not to be seen; 0 it does not fit. */
static int add_entry(struct merge *m, struct fuse_call *c, const struct merge_ref *dir,
		     const struct list *l, size_t i)
{
	const struct entry *e = &l->entry[i];
	const char *text = l->text + e->name;
	const struct fuse_out_name name = { e->ino, i + 1, e->type, { text, strlen(text) } };
	bool plus = c->req->h.opcode == FUSE_READDIRPLUS;
	struct fuse_entry_out entry = { 0 };

	if (e->gone || policy_hides(m->policy, policy_step(m->policy, dir->parts.mark, text)))
		return 1;
	if (!fuse_out_fits(&c->out, &name, plus, c->req->in.read.size))
		return 0;
	/* What cannot be looked up, for it is gone by now, is a plain entry: its nodeid is 0. */
	if (plus && !is_dots(text) && merge_lookup(m, dir, text, &entry) < 0)
		memset(&entry, 0, sizeof(entry));
	fuse_out_entry(&c->out, &name, plus ? &entry : NULL);
	return 1;
}

static int read_entries(struct merge *m, struct fuse_call *c, struct merge_dir *d)
{
	uint64_t pos = c->req->in.read.offset;
	struct merge_ref ref;
	int r = merge_get(m, d->node, &ref);

	if (r < 0)
		return r;
	if (!d->filled || pos == 0) {
		drop_list(m, d);
		r = fill_bounded(m, &ref.parts, d);
		if (r < 0)
			return r;
	}
	for (; pos < d->list.n; pos++)
		if (!add_entry(m, c, &ref, &d->list, (size_t)pos))
			break;
	return 0;
}

/* And FUSE_READDIRPLUS. */
int merge_op_readdir(void *fs, struct fuse_call *c)
{
	struct merge *m = fs;
	struct merge_dir *d = dir_get(m, c->req->in.read.fh);
	int r;

	if (!d)
		return -EBADF;
	pthread_mutex_lock(&d->lock);
	r = read_entries(m, c, d);
	pthread_mutex_unlock(&d->lock);
	dir_put(m, d);
	return r;
}
