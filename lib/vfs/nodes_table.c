/* SPDX-License-Identifier: MIT */
#include "nodes_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"

#define CHUNK     1024
#define NODES_MAX (UINT32_MAX - CHUNK)
#define NSEC      UINT64_C(1000000000)

void node_close(const struct node_closing *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		(void)close(c->fd[i]);
}

uint64_t table_btime(const struct statx *stx)
{
	if (!(stx->stx_mask & STATX_BTIME))
		return NODE_NO_BTIME;
	return (uint64_t)stx->stx_btime.tv_sec * NSEC + stx->stx_btime.tv_nsec;
}

struct node *table_at(struct nodes *t, uint32_t index)
{
	return &t->chunk[index / CHUNK][index % CHUNK];
}

struct node *table_get(struct nodes *t, uint64_t id)
{
	uint32_t index = (uint32_t)id;
	struct node *n;

	if (!index || index >= t->used)
		return NULL;
	n = table_at(t, index);
	return n->type && n->gen == id >> 32 ? n : NULL;
}

int table_mount(const struct nodes *t, const struct statx *stx)
{
	const struct node_mount m = node_mount_of(stx);

	for (unsigned int i = 0; i < t->nmounts; i++) {
		if (node_mount_same(&t->mount[i], &m))
			return (int)i;
	}
	return -1;
}

/* --- by what they are --- */

static uint32_t hash_of(const struct nodes *t, unsigned int mount, uint64_t ino)
{
	uint64_t h = (ino ^ (uint64_t)mount << 56) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> 32) & (t->nbuckets - 1);
}

struct node *table_find(struct nodes *t, int mount, const struct statx *stx)
{
	uint64_t btime_ns = table_btime(stx);

	if (!t->nbuckets)
		return NULL;
	for (uint32_t i = t->bucket[hash_of(t, (unsigned int)mount, stx->stx_ino)]; i;) {
		struct node *n = table_at(t, i);

		if (n->ino == stx->stx_ino && n->mount == mount && n->btime_ns == btime_ns &&
		    n->type == stx->stx_mode >> 12 && !n->gone)
			return n;
		i = n->hash_next;
	}
	return NULL;
}

static void hash_add(struct nodes *t, struct node *n)
{
	uint32_t *head = &t->bucket[hash_of(t, n->mount, n->ino)];

	n->hash_next = *head;
	*head = n->index;
}

static void hash_del(struct nodes *t, const struct node *n)
{
	uint32_t *p = &t->bucket[hash_of(t, n->mount, n->ino)];

	while (*p != n->index)
		p = &table_at(t, *p)->hash_next;
	*p = n->hash_next;
}

/* --- by their handles --- */

static uint32_t *handle_head(struct nodes *t, int32_t type, const uint8_t *bytes, size_t size)
{
	uint64_t h = (uint64_t)type;

	for (size_t i = 0; i < size; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return &t->handle_bucket[(uint32_t)(h >> 24) & (t->nbuckets - 1)];
}

static bool has_handle(const struct nodes *t, const struct node *n)
{
	return t->handle_bucket && n->mount == 0 && n->handle_bytes;
}

static void handle_add(struct nodes *t, struct node *n)
{
	uint32_t *head;

	if (!has_handle(t, n))
		return;
	head = handle_head(t, n->handle_type, n->handle, n->handle_bytes);
	n->handle_next = *head;
	*head = n->index;
}

static void handle_del(struct nodes *t, const struct node *n)
{
	uint32_t *p;

	if (!has_handle(t, n))
		return;
	p = handle_head(t, n->handle_type, n->handle, n->handle_bytes);
	while (*p != n->index)
		p = &table_at(t, *p)->handle_next;
	*p = n->handle_next;
}

struct node *table_find_handle(struct nodes *t, int32_t type, const uint8_t *bytes, size_t size)
{
	if (!t->handle_bucket)
		return NULL;
	for (uint32_t i = *handle_head(t, type, bytes, size); i;) {
		struct node *n = table_at(t, i);

		if (n->handle_type == type && n->handle_bytes == size &&
		    memcmp(n->handle, bytes, size) == 0)
			return n;
		i = n->handle_next;
	}
	return NULL;
}

bool table_index_handles(struct nodes *t)
{
	t->handle_bucket = calloc(t->nbuckets, sizeof(*t->handle_bucket));
	for (uint32_t i = 1; t->handle_bucket && i < t->used; i++) {
		if (table_at(t, i)->type)
			handle_add(t, table_at(t, i));
	}
	return t->handle_bucket != NULL;
}

/* As many buckets as nodes; without memory for more the chains are longer. */
static bool hash_grow(struct nodes *t)
{
	uint32_t more = t->nbuckets ? t->nbuckets * 2 : CHUNK;
	uint32_t *bucket, *handles = NULL;

	if (t->live < t->nbuckets)
		return true;
	bucket = calloc(more, sizeof(*bucket));
	if (t->handle_bucket)
		handles = calloc(more, sizeof(*handles));
	if (!bucket || !handles != !t->handle_bucket) {
		free(bucket);
		free(handles);
		return t->nbuckets != 0;
	}
	free(t->bucket);
	free(t->handle_bucket);
	t->bucket = bucket;
	t->handle_bucket = handles;
	t->nbuckets = more;
	for (uint32_t i = 1; i < t->used; i++) {
		struct node *n = table_at(t, i);

		if (n->type) {
			hash_add(t, n);
			handle_add(t, n);
		}
	}
	return true;
}

/* --- memory --- */

static bool chunk_add(struct nodes *t)
{
	struct node *chunk;

	if (t->used > NODES_MAX ||
	    array_room(&t->chunk, &t->room, t->nchunks + 1, sizeof(struct node *)) < 0)
		return false;
	chunk = calloc(CHUNK, sizeof(*chunk));
	if (!chunk)
		return false;
	t->chunk[t->nchunks++] = chunk;
	return true;
}

static struct node *node_alloc(struct nodes *t)
{
	struct node *n;

	if (t->free) {
		n = table_at(t, t->free);
		t->free = n->hash_next;
		return n;
	}
	/* Index 0 is nobody's. */
	if (!t->used)
		t->used = 1;
	if (t->used / CHUNK >= t->nchunks && !chunk_add(t))
		return NULL;
	n = table_at(t, (uint32_t)t->used);
	n->index = (uint32_t)t->used++;
	return n;
}

struct node *table_insert(struct nodes *t, const struct node *fresh)
{
	struct node *n;
	uint32_t index, gen;

	if (!hash_grow(t))
		return NULL;
	n = node_alloc(t);
	if (!n)
		return NULL;
	index = n->index;
	gen = n->gen;
	*n = *fresh;
	n->index = index;
	n->gen = gen;
	n->fd = -1;
	hash_add(t, n);
	handle_add(t, n);
	t->live++;
	return n;
}

static void node_free(struct nodes *t, struct node *n)
{
	hash_del(t, n);
	handle_del(t, n);
	n->type = 0;
	n->gen++; /* the id is never used again */
	n->hash_next = t->free;
	t->free = n->index;
	t->live--;
}

/* --- lists: the head was used last --- */

static void list_del(struct nodes *t, struct node *n)
{
	unsigned int l = n->list;

	if (l == NODE_LIST_NONE)
		return;
	*(n->prev ? &table_at(t, n->prev)->next : &t->head[l]) = n->next;
	*(n->next ? &table_at(t, n->next)->prev : &t->tail[l]) = n->prev;
	t->length[l]--;
	n->list = NODE_LIST_NONE;
}

static void list_add(struct nodes *t, struct node *n, enum node_list l)
{
	n->prev = 0;
	n->next = t->head[l];
	*(n->next ? &table_at(t, n->next)->prev : &t->tail[l]) = n->index;
	t->head[l] = n->index;
	t->length[l]++;
	n->list = (uint8_t)l;
}

static void drop_fd(struct nodes *t, struct node *n, struct node_closing *closing)
{
	if (n->fd < 0)
		return;
	closing->fd[closing->n++] = n->fd;
	n->fd = -1;
	t->fds--;
}

static void trim(struct nodes *t, struct node_closing *closing)
{
	while (t->length[NODE_LIST_IDLE] > t->max_idle) {
		struct node *old = table_at(t, t->tail[NODE_LIST_IDLE]);

		list_del(t, old);
		node_free(t, old);
	}
	while (t->fds > t->max_fds && t->length[NODE_LIST_FDS] &&
	       closing->n < ARRAY_SIZE(closing->fd)) {
		struct node *old = table_at(t, t->tail[NODE_LIST_FDS]);

		list_del(t, old);
		drop_fd(t, old, closing);
	}
}

void table_pin(struct nodes *t, struct node *n)
{
	n->pins++;
	list_del(t, n);
}

void table_settle(struct nodes *t, struct node *n, struct node_closing *closing)
{
	list_del(t, n);
	if (n->pins == 0 && n->nlookup == 0) {
		drop_fd(t, n, closing);
		if (n->handle_bytes)
			list_add(t, n, NODE_LIST_IDLE);
		else
			node_free(t, n);
	} else if (n->pins == 0 && n->fd >= 0 && n->handle_bytes) {
		list_add(t, n, NODE_LIST_FDS);
	}
	trim(t, closing);
}

void table_free(struct nodes *t)
{
	for (size_t i = 0; i < t->nchunks; i++)
		free(t->chunk[i]);
	free(t->chunk);
	free(t->bucket);
	free(t->handle_bucket);
}
