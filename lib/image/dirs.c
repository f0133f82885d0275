/* SPDX-License-Identifier: MIT */
#include "dirs.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* One allocation: the record, its array of attributes, their names and values, the path. */
struct record {
	const char *real; /* first: search keys are records with nothing else */
	size_t size;
	struct attrs attrs;
	struct tar_xattr xattr[];
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->real, ((const struct record *)b)->real);
}

static size_t record_size(const char *real, const struct attrs *a)
{
	size_t size = sizeof(struct record) + strlen(real) + 1;

	for (size_t i = 0; i < a->nxattrs; i++)
		size += sizeof(a->xattr[i]) + strlen(a->xattr[i].name) + 1 + a->xattr[i].value.len;
	return size;
}

static char *append(char **to, const void *from, size_t len)
{
	char *at = *to;

	memcpy(at, from, len);
	*to += len;
	return at;
}

static struct record *record_new(const char *real, const struct attrs *a, size_t size)
{
	struct record *rec = malloc(size);
	char *to;

	if (!rec)
		return NULL;
	rec->size = size;
	rec->attrs = *a;
	rec->attrs.xattr = rec->xattr;
	to = (char *)&rec->xattr[a->nxattrs];
	for (size_t i = 0; i < a->nxattrs; i++) {
		const struct tar_xattr *x = &a->xattr[i];

		rec->xattr[i].name = append(&to, x->name, strlen(x->name) + 1);
		rec->xattr[i].value.p = append(&to, x->value.p, x->value.len);
		rec->xattr[i].value.len = x->value.len;
	}
	rec->real = append(&to, real, strlen(real) + 1);
	return rec;
}

void dirs_forget(struct dirs *d, const char *real)
{
	struct record key = { .real = real }, **found = tfind(&key, &d->root, compare), *rec;

	if (!found)
		return;
	rec = *found;
	(void)tdelete(&key, &d->root, compare);
	d->size -= rec->size;
	free(rec);
}

int dirs_put(struct dirs *d, const char *real, const struct attrs *a)
{
	static const struct attrs usual = { .mode = 0755 };
	_cleanup_free_ struct record *rec = NULL;
	struct record key = { .real = real }, **at;
	size_t size;

	if (!a && tfind(&key, &d->root, compare))
		return 0;
	if (!a)
		a = &usual;
	size = record_size(real, a);
	if (d->size + size > UNPACK_NAMES_MAX)
		return -E2BIG;
	rec = record_new(real, a, size);
	if (!rec)
		return -ENOMEM;
	dirs_forget(d, real);
	at = tsearch(rec, &d->root, compare);
	if (!at)
		return -ENOMEM;
	d->size += size;
	rec = NULL; /* the tree's */
	return 0;
}

/* tdestroy() wants a function that frees; the records are collected instead, in order, to be walked backwards. */
struct collect {
	struct record **v;
	size_t n, room;
};

static void collect_one(const void *node, VISIT which, void *arg)
{
	struct collect *c = arg;

	if ((which == postorder || which == leaf) && c->n < c->room)
		c->v[c->n++] = *(struct record *const *)node;
}

static void count_one(const void *node, VISIT which, void *arg)
{
	(void)node;
	((struct collect *)arg)->room += which == postorder || which == leaf;
}

int dirs_each(struct dirs *d, int (*fn)(void *arg, const char *real, const struct attrs *a),
	      void *arg)
{
	_cleanup_free_ struct record **v = NULL;
	struct collect c = { 0 };
	int r = 0;

	twalk_r(d->root, count_one, &c);
	c.v = v = calloc(c.room + 1, sizeof(struct record *));
	if (!v)
		return -ENOMEM;
	twalk_r(d->root, collect_one, &c);
	/* A path sorts after every prefix of it. */
	while (!r && c.n--)
		r = fn(arg, v[c.n]->real, &v[c.n]->attrs);
	return r;
}

void dirs_fini(struct dirs *d)
{
	tdestroy(d->root, free);
	*d = (struct dirs){ 0 };
}
