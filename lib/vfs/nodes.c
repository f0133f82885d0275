/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/fuse.h"
#include "nodes_table.h"

_Static_assert(sizeof(struct node) <= 128, "a node is small: there are millions of them");

struct fd_name fd_name(int fd)
{
	struct fd_name n;

	(void)snprintf(n.text, sizeof(n.text), "%d", fd);
	return n;
}

/* --- file handles --- */

struct handle {
	struct file_handle h;
	uint8_t bytes[NODE_HANDLE_MAX];
};

static int open_handle(int mount, int type, const uint8_t *bytes, size_t n)
{
	struct handle h = { .h = { .handle_bytes = (unsigned int)n, .handle_type = type } };
	int fd;

	memcpy(h.bytes, bytes, n);
	fd = open_by_handle_at(mount, &h.h, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int get_handle(int fd, struct handle *ret)
{
	int mount;

	*ret = (struct handle){ .h = { .handle_bytes = NODE_HANDLE_MAX } };
	return name_to_handle_at(fd, "", &ret->h, &mount, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* A descriptor through which handles of @fd's mount can be opened; -1 if they cannot. */
static int open_mount(int fd)
{
	int mount = open(fd_name(fd).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC), again;
	struct handle h;

	if (mount < 0)
		return -1;
	again = get_handle(mount, &h);
	if (again == 0)
		again = open_handle(mount, h.h.handle_type, h.bytes, h.h.handle_bytes);
	if (again < 0) {
		(void)close(mount);
		return -1;
	}
	(void)close(again);
	return mount;
}

/* Return: index of the mount that @fd, a node of it, is on; -ENFILE, there are too many. */
static int mount_of(struct nodes *t, const struct statx *stx, int fd)
{
	int i, mount;

	pthread_mutex_lock(&t->lock);
	i = table_mount(t, stx);
	pthread_mutex_unlock(&t->lock);
	if (i >= 0)
		return i;
	mount = open_mount(fd);
	pthread_mutex_lock(&t->lock);
	i = table_mount(t, stx);
	if (i < 0 && t->nmounts < NODE_MOUNTS_MAX) {
		i = (int)t->nmounts++;
		t->mount[i] = node_mount_of(stx);
		t->mount[i].fd = mount;
		mount = -1;
	}
	pthread_mutex_unlock(&t->lock);
	if (mount >= 0)
		(void)close(mount);
	return i < 0 ? -ENFILE : i;
}

/* --- references --- */

static int node_reopen(struct nodes *t, struct node *n)
{
	/* What is read here does not change while the node lives. */
	int fd = open_handle(t->mount[n->mount].fd, n->handle_type, n->handle, n->handle_bytes);
	int spare = -1;

	if (fd < 0 && fd != -ESTALE)
		return fd;
	pthread_mutex_lock(&t->lock);
	if (fd < 0) {
		n->gone = true;
	} else if (n->fd < 0) {
		n->fd = fd;
		t->fds++;
	} else {
		spare = fd;
		fd = n->fd;
	}
	pthread_mutex_unlock(&t->lock);
	if (spare >= 0)
		(void)close(spare);
	return fd;
}

int node_pin(struct nodes *t, uint64_t id, struct node_ref *ret)
{
	struct node *n;
	int fd = -1;

	pthread_mutex_lock(&t->lock);
	n = table_get(t, id);
	if (n) {
		table_pin(t, n);
		fd = n->fd;
	}
	pthread_mutex_unlock(&t->lock);
	*ret = (struct node_ref){ t, n, fd };
	return n ? 0 : -ESTALE;
}

int node_ref(struct nodes *t, uint64_t id, struct node_ref *ret)
{
	int r = node_pin(t, id, ret);

	if (r < 0 || ret->fd >= 0)
		return r;
	ret->fd = r = node_reopen(t, ret->node);
	if (r < 0)
		node_unref(ret);
	return r < 0 ? r : 0;
}

void node_unref(struct node_ref *r)
{
	struct node_closing closing = { 0 };
	int saved = errno;

	if (!r->node)
		return;
	pthread_mutex_lock(&r->table->lock);
	r->node->pins--;
	table_settle(r->table, r->node, &closing);
	pthread_mutex_unlock(&r->table->lock);
	node_close(&closing);
	r->node = NULL;
	errno = saved;
}

uint64_t node_again(const struct node_ref *r)
{
	pthread_mutex_lock(&r->table->lock);
	r->node->nlookup++;
	pthread_mutex_unlock(&r->table->lock);
	return node_id(r->node);
}

/* --- lists of names --- */

#define TYPE_DIR (S_IFDIR >> 12)
/* A list is made anew for each such part of its files: an entry of it costs less than a request, and there are others. */
#define LIST_PART 4

void nodes_list_begin(const struct node_ref *dir)
{
	pthread_mutex_lock(&dir->table->lock);
	dir->node->listed = dir->node->used = 0;
	pthread_mutex_unlock(&dir->table->lock);
}

void nodes_listed(const struct node_ref *dir, uint64_t id, bool entry)
{
	struct node *n;

	pthread_mutex_lock(&dir->table->lock);
	n = table_get(dir->table, id);
	if (n)
		n->parent = dir->node->index;
	dir->node->listed += entry;
	pthread_mutex_unlock(&dir->table->lock);
}

bool nodes_list_is_old(const struct node_ref *dir)
{
	bool old;

	pthread_mutex_lock(&dir->table->lock);
	old = dir->node->used > dir->node->listed / LIST_PART;
	pthread_mutex_unlock(&dir->table->lock);
	return old;
}

void node_used(struct nodes *t, const struct node *n)
{
	struct node *dir = n->parent ? table_at(t, n->parent) : NULL;

	if (dir && dir->type == TYPE_DIR)
		dir->used++;
}

int node_open(const struct node_ref *r, int flags)
{
	int fd = open(fd_name(r->fd).text, flags | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* --- lookups --- */

uint64_t nodes_find(struct nodes *t, const struct statx *stx)
{
	struct node_closing closing = { 0 };
	struct node *n = NULL;
	uint64_t id = 0;
	int mount;

	pthread_mutex_lock(&t->lock);
	mount = table_mount(t, stx);
	if (mount >= 0)
		n = table_find(t, mount, stx);
	if (n && n->nlookup) {
		n->nlookup++;
		id = node_id(n);
		table_settle(t, n, &closing);
	}
	pthread_mutex_unlock(&t->lock);
	node_close(&closing);
	return id;
}

static bool same_handle(const struct node *a, const struct node *b)
{
	return a->handle_type == b->handle_type && a->handle_bytes == b->handle_bytes &&
	       memcmp(a->handle, b->handle, a->handle_bytes) == 0;
}

/* Fill in how to reach the new node. Return: the path descriptor for it; -1, it has a handle; -errno. */
static int reach(struct nodes *t, struct node *n, int fd, bool taken)
{
	struct handle h;

	if (t->mount[n->mount].fd >= 0 && n->btime_ns != NODE_NO_BTIME && get_handle(fd, &h) == 0) {
		n->handle_type = h.h.handle_type;
		n->handle_bytes = (uint8_t)h.h.handle_bytes;
		memcpy(n->handle, h.bytes, h.h.handle_bytes);
	}
	if (taken)
		return fd;
	if (n->handle_bytes)
		return -1;
	fd = open(fd_name(fd).text, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int nodes_add(struct nodes *t, const struct statx *stx, int fd, bool taken, uint64_t *ret_id)
{
	struct node fresh = { .ino = stx->stx_ino,
			      .btime_ns = table_btime(stx),
			      .type = (uint8_t)(stx->stx_mode >> 12) };
	struct node_closing closing = { 0 };
	int mount = mount_of(t, stx, fd), path;
	struct node *n;
	int r = 0;

	fresh.mount = (uint16_t)mount;
	path = mount < 0 ? mount : reach(t, &fresh, fd, taken);
	if (path < -1) {
		if (taken)
			(void)close(fd);
		return path;
	}
	pthread_mutex_lock(&t->lock);
	n = table_find(t, mount, stx);
	if (n && fresh.handle_bytes && n->handle_bytes && !same_handle(n, &fresh)) {
		n->gone = true;
		n = NULL;
	}
	/* Descriptors beyond are for files that are open. */
	if (!n && !fresh.handle_bytes && t->fds >= t->max_fds)
		r = -ENFILE;
	else if (!n && !(n = table_insert(t, &fresh)))
		r = -ENOMEM;
	if (r == 0) {
		if (n->fd < 0 && path >= 0) {
			n->fd = path;
			t->fds++;
			path = -1;
		}
		n->nlookup++;
		*ret_id = node_id(n);
		table_settle(t, n, &closing);
	}
	pthread_mutex_unlock(&t->lock);
	node_close(&closing);
	if (path >= 0)
		(void)close(path);
	return r;
}

int node_take_backing(struct node *n)
{
	int id = n->backing_id;

	n->backing_id = 0;
	n->pass &= ~NODE_PASS_KEEP;
	return id;
}

void nodes_forget(struct nodes *t, uint64_t id, uint64_t nlookup)
{
	struct node_closing closing = { 0 };
	struct node *n;
	int backing = 0;

	pthread_mutex_lock(&t->lock);
	n = id == FUSE_ROOT_ID ? NULL : table_get(t, id);
	if (n && n->nlookup) {
		n->nlookup -= nlookup < n->nlookup ? nlookup : n->nlookup;
		if (!n->nlookup && !n->direct_opens)
			backing = node_take_backing(n);
		table_settle(t, n, &closing);
	}
	pthread_mutex_unlock(&t->lock);
	node_close(&closing);
	if (backing > 0 && t->backing_close)
		t->backing_close(t->backing_arg, backing);
}

void nodes_set_fresh(struct nodes *t, uint64_t id, bool fresh)
{
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = table_get(t, id);
	if (n)
		n->fresh = fresh && n->mount == 0; /* others are not watched */
	pthread_mutex_unlock(&t->lock);
}

bool nodes_is_fresh(struct nodes *t, uint64_t id)
{
	const struct node *n;
	bool fresh;

	pthread_mutex_lock(&t->lock);
	n = table_get(t, id);
	fresh = n && n->fresh;
	pthread_mutex_unlock(&t->lock);
	return fresh;
}

bool nodes_have_handles(struct nodes *t)
{
	bool have;

	pthread_mutex_lock(&t->lock);
	have = table_at(t, FUSE_ROOT_ID)->handle_bytes != 0;
	pthread_mutex_unlock(&t->lock);
	return have;
}

int nodes_index_handles(struct nodes *t)
{
	bool ok;

	pthread_mutex_lock(&t->lock);
	ok = table_index_handles(t);
	pthread_mutex_unlock(&t->lock);
	return ok ? 0 : -ENOMEM;
}

uint64_t nodes_by_handle(struct nodes *t, int32_t type, const uint8_t *bytes, size_t size)
{
	const struct node *n;
	uint64_t id = 0;

	pthread_mutex_lock(&t->lock);
	n = table_find_handle(t, type, bytes, size);
	if (n && n->nlookup)
		id = node_id(n);
	pthread_mutex_unlock(&t->lock);
	return id;
}

uint64_t nodes_each(struct nodes *t, uint32_t *at)
{
	uint64_t id = 0;

	pthread_mutex_lock(&t->lock);
	for (; !id && *at < t->used; (*at)++) {
		const struct node *n = table_at(t, *at);

		if (*at && n->type && n->nlookup)
			id = node_id(n);
	}
	pthread_mutex_unlock(&t->lock);
	return id;
}

/* --- the whole table --- */

int nodes_init(struct nodes *t, int root, uint32_t max_fds, uint32_t max_idle)
{
	struct statx stx;
	uint64_t id;
	int fd, r;

	*t = (struct nodes){ .max_fds = max_fds, .max_idle = max_idle };
	pthread_mutex_init(&t->lock, NULL);
	fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, NODE_STATX_MASK, &stx) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	r = nodes_add(t, &stx, fd, true, &id);
	if (r < 0)
		return r;
	/* It is never forgotten, so it needs no room among those that can be reopened. */
	return id == FUSE_ROOT_ID ? 0 : -EINVAL;
}

void nodes_reset(struct nodes *t)
{
	for (uint32_t i = FUSE_ROOT_ID + 1; i < t->used; i++) {
		struct node_closing closing = { 0 };
		struct node *n;

		pthread_mutex_lock(&t->lock);
		n = table_at(t, i);
		n->nlookup = 0;
		n->direct_opens = n->cached_opens = 0;
		n->backing_id = 0;
		if (n->type)
			table_settle(t, n, &closing);
		pthread_mutex_unlock(&t->lock);
		node_close(&closing);
	}
}

void nodes_fini(struct nodes *t)
{
	for (uint32_t i = 1; i < t->used; i++) {
		const struct node *n = table_at(t, i);

		if (n->type && n->fd >= 0)
			(void)close(n->fd);
	}
	for (unsigned int i = 0; i < t->nmounts; i++) {
		if (t->mount[i].fd >= 0)
			(void)close(t->mount[i].fd);
	}
	table_free(t);
	pthread_mutex_destroy(&t->lock);
}
