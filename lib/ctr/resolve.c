/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - from what the user typed to one running container.
 *
 * Theory of operation
 *
 * split_target() takes an engine's name off; candidates() asks, the quick way
 * first, and keeps the best kind of match; choose() has one or says what the
 * user could type instead.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "ctr.h"
#include "scan.h"
#include "table.h"

#define NAME_MAX_COMPARED 64 /* longer names are not suggested */
#define SUGGESTIONS       3
#define LABELS_MAX        160 /* bytes of a message that a list of candidates may take */

struct target {
	const struct engine_ops *ops; /* NULL: any */
	const char *ref;
	uint32_t failed; /* bit i: ctr_engines[i] could not be asked, and is not again */
};

static const struct engine_ops *engine_named(const char *name, size_t len)
{
	for (size_t i = 0; ctr_engines[i]; i++)
		if (strlen(ctr_engines[i]->name) == len && !memcmp(ctr_engines[i]->name, name, len))
			return ctr_engines[i];
	return NULL;
}

static void split_target(const char *target, struct target *ret)
{
	const char *colon = strchr(target, ':');

	*ret = (struct target){ .ref = target };
	if (!colon)
		return;
	ret->ops = engine_named(target, (size_t)(colon - target));
	if (ret->ops)
		ret->ref = colon + 1;
}

/* Keep those of @l that @ref names best: exactly, if any is. */
static void keep_best(struct ctr_list *l, const char *ref)
{
	int best = 1;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (ctr_match(&l->v[i], ref) > best)
			best = ctr_match(&l->v[i], ref);
	for (size_t i = 0; i < l->n; i++) {
		if (ctr_match(&l->v[i], ref) == best)
			l->v[kept++] = l->v[i];
		else
			ctr_fini(&l->v[i]);
	}
	l->n = kept;
}

/*
 * Ask one engine, or all but the processes', for a bare name means containers.
 * @ref is NULL for everything.
 */
static int ask(const struct ctr_env *env, struct target *t, const char *ref, struct ctr_list *l,
	       struct err *e)
{
	if (t->ops)
		return ctr_ask(env, t->ops, ref, l, e);
	for (size_t i = 0; ctr_engines[i]; i++) {
		int r;

		if (ctr_engines[i] == &engine_process || t->failed & 1U << i)
			continue;
		r = ctr_ask(env, ctr_engines[i], ref, l, NULL);
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "no memory");
		if (r < 0)
			t->failed |= 1U << i;
	}
	return 0;
}

/* "podman:web", "cri:kube-system/dns/sidecar", or with the id where the name does not tell. */
static void label(const struct ctr_list *l, size_t idx, char *ret, size_t size)
{
	const struct ctr *c = &l->v[idx];
	bool scope = false, id = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct ctr *o = &l->v[i];

		if (i == idx || strcmp(o->engine, c->engine) != 0 || strcmp(o->name, c->name) != 0)
			continue;
		scope = true;
		if (!strcmp(o->scope ? o->scope : "", c->scope ? c->scope : ""))
			id = true;
	}
	if (id)
		(void)snprintf(ret, size, "%s:%.12s", c->engine, c->id);
	else if (scope && c->scope)
		(void)snprintf(ret, size, "%s:%s/%s", c->engine, c->scope, c->name);
	else
		(void)snprintf(ret, size, "%s:%s", c->engine, c->name);
}

static int ambiguous(struct ctr_list *l, const char *target, struct err *e)
{
	char text[LABELS_MAX + 32] = "", one[LABELS_MAX];
	size_t len = 0;

	ctr_list_sort(l, 0);
	for (size_t i = 0; i < l->n; i++) {
		label(l, i, one, sizeof(one));
		if (len + strlen(one) + 12 > LABELS_MAX) {
			(void)snprintf(text + len, sizeof(text) - len, " and %zu more", l->n - i);
			break;
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s", i ? ", " : "",
					one, l->v[i].state == CTR_STOPPED ? " (stopped)" : "");
	}
	return err_set(e, ENOTUNIQ, "'%.40s' is ambiguous: %s", target, text);
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Single-character changes from @a to @b (Levenshtein); both are short. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_COMPARED + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= len; j++) {
			unsigned int above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

static bool is_close(const char *name, const char *ref)
{
	size_t len = strlen(ref);

	if (!len || len > NAME_MAX_COMPARED || strlen(name) > NAME_MAX_COMPARED)
		return false;
	return distance(name, ref) <= (len < 6 ? 1 : 2) || (len >= 3 && strstr(name, ref));
}

static int unknown(const struct ctr_env *env, const struct ctr_list *all, const struct target *t,
		   struct err *e)
{
	char close[LABELS_MAX] = "", kind[32];
	size_t len = 0, n = 0;

	for (size_t i = 0; i < all->n && n < SUGGESTIONS; i++) {
		const struct ctr *c = &all->v[i];

		if (!is_close(c->name, t->ref) || strlen(c->name) + 24 > sizeof(close) - len)
			continue;
		len += (size_t)snprintf(close + len, sizeof(close) - len, "%s'%s:%s'",
					n ? " or " : "", c->engine, c->name);
		n++;
	}
	if (t->ops && t->ops != &engine_process)
		(void)snprintf(kind, sizeof(kind), "%s container", t->ops->name);
	else
		(void)snprintf(kind, sizeof(kind), "%s", t->ops ? "process" : "container");
	if (n)
		return err_set(e, ENOENT, "no %s is called '%.40s'; did you mean %s?", kind, t->ref,
			       close);
	if (all->nskipped && !t->ops)
		return err_set(e, ENOENT, "no %s is called '%.40s' ('cntr ps' lists all); %s", kind,
			       t->ref, all->skipped[0].msg);
	return err_set(e, ENOENT, "no %s is called '%.80s'; 'cntr ps' lists all containers%s", kind,
		       t->ref, env->uid ? " that you may see, root sees more" : "");
}

static int choose(struct ctr_list *l, const char *target, struct ctr *ret, struct err *e)
{
	if (l->n > 1)
		return ambiguous(l, target, e);
	if (l->v[0].state == CTR_STOPPED || !l->v[0].pid)
		return err_set(e, EHOSTDOWN, "container '%.80s' is stopped; start it first",
			       l->v[0].name);
	*ret = l->v[0];
	l->n = 0;
	return 0;
}

static bool all_digits(const char *s)
{
	return s[0] && !s[strspn(s, "0123456789")];
}

static int resolve(const struct ctr_env *env, struct target *t, const char *target, struct ctr *ret,
		   struct err *e)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 }, all = { 0 };
	_cleanup_scan_ struct scan scan = { 0 };
	struct ctr_env with = *env;
	int r;

	with.scan = &scan;
	r = ask(&with, t, t->ref, &l, e);

	if (r < 0)
		return r;
	if (t->ops != &engine_process)
		keep_best(&l, t->ref);
	ctr_list_dedup(&l, 0);
	if (l.n)
		return choose(&l, target, ret, e);
	/* Nobody knows it at the usual places. What failed is told of once. */
	memcpy(all.skipped, l.skipped, sizeof(all.skipped));
	all.nskipped = l.nskipped;
	r = ask(&with, t, NULL, &all, e);
	if (r < 0)
		return r;
	ctr_list_dedup(&all, 0);
	for (size_t i = 0; i < all.n; i++)
		if (ctr_match(&all.v[i], t->ref) && ctr_list_add(&l, &all.v[i]) < 0)
			return err_set(e, ENOMEM, "no memory");
	if (!l.n)
		return unknown(env, &all, t, e);
	keep_best(&l, t->ref);
	return choose(&l, target, ret, e);
}

int ctr_resolve(const struct ctr_env *env, const char *target, struct ctr *ret, struct err *e)
{
	struct target t;
	int r;

	split_target(target, &t);
	if (!t.ref[0])
		return err_set(e, ENOENT, "'%.40s' names no container; 'cntr ps' lists all",
			       target);
	if (t.ops || (!all_digits(t.ref) && strcmp(t.ref, "self") != 0))
		return resolve(env, &t, target, ret, e);
	t.ops = &engine_process;
	r = resolve(env, &t, target, ret, e);
	if (r != -ESRCH && r != -ENOENT)
		return r;
	/* A container may be called by a number as well. */
	t.ops = NULL;
	r = resolve(env, &t, target, ret, e);
	return r == -ENOENT ? err_set(e, ESRCH, "no process has the pid %.20s", target) : r;
}
