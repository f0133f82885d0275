/* SPDX-License-Identifier: MIT */
/* merge_table.c - nodes of the merged tree, by number and by what they consist of. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fuse.h"
#include "array.h"
#include "merge_private.h"

#define NODES_MAX (UINT32_MAX / 2)

static uint32_t hash_of(const struct merge *m, const struct merge_parts *p)
{
	uint64_t h = 0;

	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		h = (h ^ p->id[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32) & (m->nbuckets - 1);
}

/* What has a part in the lower tree is copied to a place. All else is the same node wherever it is. */
static bool is_placed(const struct merge_parts *p)
{
	return p->id[MERGE_LOWER] != 0;
}

static void hash_add(struct merge *m, struct merge_node *n)
{
	uint32_t *head = &m->bucket[hash_of(m, &n->parts)];

	n->hash_next = *head;
	*head = n->index;
}

static void hash_del(struct merge *m, const struct merge_node *n)
{
	uint32_t *p = &m->bucket[hash_of(m, &n->parts)];

	while (*p != n->index)
		p = &m->node[*p].hash_next;
	*p = n->hash_next;
}

static bool hash_grow(struct merge *m)
{
	uint32_t more = m->nbuckets ? m->nbuckets * 2 : 1024, *bucket;

	if (m->live < m->nbuckets)
		return true;
	bucket = calloc(more, sizeof(*bucket));
	if (!bucket)
		return m->nbuckets != 0;
	free(m->bucket);
	m->bucket = bucket;
	m->nbuckets = more;
	for (uint32_t i = 1; i < m->used; i++)
		if (m->node[i].used)
			hash_add(m, &m->node[i]);
	return true;
}

static struct merge_node *find(struct merge *m, const struct merge_parts *p, uint32_t parent,
			       const char *name)
{
	for (uint32_t i = m->nbuckets ? m->bucket[hash_of(m, p)] : 0; i; i = m->node[i].hash_next) {
		struct merge_node *n = &m->node[i];

		if (memcmp(n->parts.id, p->id, sizeof(p->id)) == 0 && n->parts.mark == p->mark &&
		    (!is_placed(p) || (n->parent == parent && strcmp(n->name, name) == 0)))
			return n;
	}
	return NULL;
}

static struct merge_node *alloc(struct merge *m)
{
	uint32_t i = m->free;

	if (i) {
		m->free = m->node[i].hash_next;
		return &m->node[i];
	}
	if (!m->used)
		m->used = 1; /* index 0 is nobody's */
	if (m->used > NODES_MAX ||
	    array_room(&m->node, &m->room, (size_t)m->used + 1, sizeof(*m->node)) < 0)
		return NULL;
	i = m->used++;
	m->node[i] = (struct merge_node){ .index = i };
	return &m->node[i];
}

static struct merge_node *insert(struct merge *m, const struct merge_parts *p, uint32_t parent,
				 const char *name)
{
	bool placed = is_placed(p) && parent;
	char *copy = placed ? strdup(name) : NULL;
	struct merge_node *n;

	if ((placed && !copy) || !hash_grow(m) || !(n = alloc(m))) {
		free(copy);
		return NULL;
	}
	*n = (struct merge_node){ .parts = *p,
				  .index = n->index,
				  .gen = n->gen,
				  .name = copy,
				  .parent = placed ? parent : 0,
				  .used = true };
	if (placed)
		m->node[parent].children++;
	hash_add(m, n);
	m->live++;
	return n;
}

static uint64_t id_of(const struct merge_node *n)
{
	return (uint64_t)n->gen << 32 | n->index;
}

static struct merge_node *node_of(struct merge *m, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	return i && i < m->used && m->node[i].used && m->node[i].gen == id >> 32 ? &m->node[i]
										 : NULL;
}

int merge_get(struct merge *m, uint64_t id, struct merge_ref *ret)
{
	const struct merge_node *n;

	pthread_mutex_lock(&m->lock);
	n = node_of(m, id);
	if (n)
		*ret = (struct merge_ref){ n->parts, n->index };
	pthread_mutex_unlock(&m->lock);
	return n ? 0 : -ESTALE;
}

int merge_again(void *fs, uint64_t id)
{
	struct merge *m = fs;
	struct merge_node *n;

	pthread_mutex_lock(&m->lock);
	n = node_of(m, id);
	if (n)
		n->nlookup++;
	pthread_mutex_unlock(&m->lock);
	return n ? 0 : -ESTALE;
}

int merge_path(void *fs, uint64_t id)
{
	struct merge *m = fs;
	struct merge_ref ref;
	int r = merge_get(m, id, &ref);
	enum merge_layer top;

	if (r < 0)
		return r;
	top = merge_top(&ref.parts);
	return vfs_path(m->layer[top], ref.parts.id[top]);
}

int merge_enter(struct merge *m, const struct merge_parts *parts, uint32_t parent, const char *name,
		uint64_t *ret_id)
{
	struct merge_node *n;
	bool known;

	pthread_mutex_lock(&m->lock);
	n = find(m, parts, parent, name);
	known = n != NULL;
	if (!n)
		n = insert(m, parts, parent, name);
	if (n) {
		n->nlookup++;
		*ret_id = id_of(n);
	}
	pthread_mutex_unlock(&m->lock);
	if (!n || known)
		merge_drop(m, parts);
	return n ? 0 : -ENOMEM;
}

/* Free the node if nobody needs it. Return: its parent, which may go next; 0. */
static uint32_t settle(struct merge *m, struct merge_node *n, struct merge_parts *ret_drop)
{
	uint32_t parent = n->parent;

	/* Whoever let go of its last child at the same time may have been here before. */
	if (!n->used || n->nlookup || n->children || n->index == FUSE_ROOT_ID)
		return 0;
	hash_del(m, n);
	free(n->name);
	*ret_drop = n->parts;
	n->name = NULL;
	n->used = false;
	n->gen++; /* the id is never used again */
	n->hash_next = m->free;
	m->free = n->index;
	m->live--;
	if (parent)
		m->node[parent].children--;
	return parent;
}

void merge_forget(struct merge *m, uint64_t id, uint64_t nlookup)
{
	uint32_t next;
	struct merge_node *n;

	pthread_mutex_lock(&m->lock);
	n = id == FUSE_ROOT_ID ? NULL : node_of(m, id);
	next = n && n->nlookup ? n->index : 0;
	if (next)
		n->nlookup -= nlookup < n->nlookup ? nlookup : n->nlookup;
	while (next) {
		struct merge_parts drop = { 0 };

		next = settle(m, &m->node[next], &drop);
		pthread_mutex_unlock(&m->lock);
		merge_drop(m, &drop);
		pthread_mutex_lock(&m->lock);
	}
	pthread_mutex_unlock(&m->lock);
}

void merge_set_scratch(struct merge *m, uint32_t index, uint64_t part)
{
	pthread_mutex_lock(&m->lock);
	hash_del(m, &m->node[index]);
	m->node[index].parts.id[MERGE_SCRATCH] = part;
	hash_add(m, &m->node[index]);
	pthread_mutex_unlock(&m->lock);
}

int merge_place(struct merge *m, uint32_t index, uint32_t *ret_parent, char name[NAME_MAX + 1])
{
	const struct merge_node *n;
	int r = -ESTALE;

	pthread_mutex_lock(&m->lock);
	n = index < m->used ? &m->node[index] : NULL;
	if (n && n->used && n->parent && strlen(n->name) <= NAME_MAX) {
		*ret_parent = n->parent;
		memcpy(name, n->name, strlen(n->name) + 1);
		r = 0;
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

int merge_table_init(struct merge *m)
{
	const struct merge_parts root = { { FUSE_ROOT_ID,
					    m->layer[MERGE_SCRATCH] ? FUSE_ROOT_ID : 0,
					    m->layer[MERGE_LOWER] ? FUSE_ROOT_ID : 0 },
					  policy_root(m->policy),
					  true };
	const struct merge_node *n = insert(m, &root, 0, "");

	return !n ? -ENOMEM : n->index == FUSE_ROOT_ID ? 0 : -EINVAL;
}

void merge_table_fini(struct merge *m)
{
	for (uint32_t i = 1; i < m->used; i++)
		free(m->node[i].name);
	free(m->node);
	free(m->bucket);
	m->node = NULL;
	m->bucket = NULL;
	m->room = m->used = m->free = m->live = m->nbuckets = 0;
}
