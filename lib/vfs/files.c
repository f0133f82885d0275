/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "array.h"

void files_init(struct files *t)
{
	*t = (struct files){ 0 };
	pthread_mutex_init(&t->lock, NULL);
}

static void file_free(struct file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->dir)
		pthread_mutex_destroy(&f->dir->lock);
	free(f->dir);
	node_unref(&f->ref);
	free(f);
}

void files_fini(struct files *t)
{
	for (uint32_t i = 0; i < t->used; i++) {
		if (t->slot[i].file)
			file_free(t->slot[i].file);
	}
	free(t->slot);
	pthread_mutex_destroy(&t->lock);
}

static struct file *alloc(int fd, const struct node_ref *ref, bool dir)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	if (dir) {
		f->dir = calloc(1, sizeof(*f->dir));
		if (!f->dir) {
			free(f);
			return NULL;
		}
		pthread_mutex_init(&f->dir->lock, NULL);
	}
	f->fd = fd;
	f->ref = *ref;
	f->users = 1;
	return f;
}

struct file *file_new(int fd, struct node_ref *ref, bool dir)
{
	struct file *f = alloc(fd, ref, dir);

	if (f)
		ref->node = NULL;
	return f;
}

static int slot_take(struct files *t, struct file *f, uint64_t *ret_fh)
{
	uint32_t i = t->free;

	if (i) {
		i--;
		t->free = t->slot[i].next;
	} else if (t->max && t->used == t->max) {
		return -ENFILE;
	} else {
		int r = array_room(&t->slot, &t->room, (size_t)t->used + 1, sizeof(*t->slot));

		if (r < 0)
			return r;
		i = t->used++;
		t->slot[i] = (struct file_slot){ 0 };
	}
	t->slot[i].file = f;
	*ret_fh = (uint64_t)t->slot[i].gen << 32 | i;
	return 0;
}

int files_add(struct files *t, int fd, struct node_ref *ref, bool dir, uint64_t *ret_fh)
{
	struct file *f = alloc(fd, ref, dir);
	int r;

	if (!f)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	r = slot_take(t, f, ret_fh);
	pthread_mutex_unlock(&t->lock);
	if (r < 0) {
		if (f->dir)
			pthread_mutex_destroy(&f->dir->lock);
		free(f->dir);
		free(f);
		return r;
	}
	ref->node = NULL;
	return 0;
}

static struct file_slot *slot_of(struct files *t, uint64_t fh)
{
	uint32_t i = (uint32_t)fh;

	return i < t->used && t->slot[i].file && t->slot[i].gen == fh >> 32 ? &t->slot[i] : NULL;
}

struct file *file_get(struct files *t, uint64_t fh)
{
	struct file_slot *s;
	struct file *f = NULL;

	pthread_mutex_lock(&t->lock);
	s = slot_of(t, fh);
	if (s) {
		f = s->file;
		f->users++;
	}
	pthread_mutex_unlock(&t->lock);
	return f;
}

int file_fd(struct file *f)
{
	int fd = f->fd, none = -1;

	if (fd >= 0)
		return fd;
	fd = node_open(&f->ref, O_RDONLY);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	if (atomic_compare_exchange_strong(&f->fd, &none, fd))
		return fd;
	(void)close(fd);
	return none;
}

void file_put(struct files *t, struct file *f)
{
	unsigned int left;

	pthread_mutex_lock(&t->lock);
	left = --f->users;
	pthread_mutex_unlock(&t->lock);
	if (!left)
		file_free(f);
}

struct file *files_del(struct files *t, uint64_t fh)
{
	struct file_slot *s;
	struct file *f = NULL;

	pthread_mutex_lock(&t->lock);
	s = slot_of(t, fh);
	if (s) {
		f = s->file;
		s->file = NULL;
		s->gen++;
		s->next = t->free;
		t->free = (uint32_t)(s - t->slot) + 1;
	}
	pthread_mutex_unlock(&t->lock);
	return f;
}
