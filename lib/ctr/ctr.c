/* SPDX-License-Identifier: MIT */
#include "ctr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "scan.h"
#include "table.h"

#define LOG_MODULE "ctr"
#include "log.h"

#define FULL_ID 64 /* docker's, podman's and CRI's ids are a SHA-256 in hexadecimal */

/* clang-format off */
const struct engine_ops *const ctr_engines[] = {
	/* engines, before what they are built on */
	&engine_docker,
	&engine_podman,
	&engine_cri,
	&engine_containerd,
	&engine_incus,
	&engine_lxd,
	&engine_lxc,
	&engine_nspawn,
	/* runtimes */
	&engine_runc,
	&engine_crun,
	&engine_youki,
	/* what keeps no state */
	&engine_flatpak,
	&engine_bubblewrap,
	&engine_unshare,
	&engine_process,
	NULL,
};
/* clang-format on */

void ctr_env_init(struct ctr_env *env)
{
	*env = (struct ctr_env){ .root = "",
				 .docker_host = getenv("DOCKER_HOST"),
				 .runtime_dir = getenv("XDG_RUNTIME_DIR"),
				 .home = getenv("HOME"),
				 .data_home = getenv("XDG_DATA_HOME"),
				 .uid = geteuid() };
}

void ctr_fini(struct ctr *c)
{
	free(c->id);
	free(c->name);
	free(c->scope);
	free(c->image);
	free(c->oci_config);
	*c = (struct ctr){ 0 };
}

void ctr_list_fini(struct ctr_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		ctr_fini(&l->v[i]);
	free(l->v);
	*l = (struct ctr_list){ 0 };
}

int ctr_list_add(struct ctr_list *l, struct ctr *c)
{
	_cleanup_ctr_ struct ctr owned = *c;

	*c = (struct ctr){ 0 };
	if (array_room(&l->v, &l->room, l->n + 1, sizeof(*l->v)) < 0)
		return -ENOMEM;
	l->v[l->n++] = owned;
	owned = (struct ctr){ 0 };
	return 0;
}

int ctr_str_set(char **dst, const char *src)
{
	char *copy = src ? strdup(src) : NULL;

	if (src && !copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

bool ctr_id_like(const char *ref)
{
	size_t len = strspn(ref, "0123456789abcdef");

	return len >= 3 && len <= FULL_ID && !ref[len];
}

static int match_plain(const struct ctr *c, const char *ref)
{
	if (!strcmp(c->name, ref) || !strcmp(c->id, ref))
		return 2;
	if (ctr_id_like(ref) && ctr_id_like(c->id) && !strncmp(c->id, ref, strlen(ref)))
		return 1;
	return 0;
}

int ctr_match(const struct ctr *c, const char *ref)
{
	int how = match_plain(c, ref);
	size_t len = c->scope ? strlen(c->scope) : 0;

	if (!how && len && !strncmp(ref, c->scope, len) && ref[len] == '/')
		how = match_plain(c, ref + len + 1);
	return how;
}

int ctr_list_add_match(struct ctr_list *l, struct ctr *c, const char *ref)
{
	if (!ref || ctr_match(c, ref))
		return ctr_list_add(l, c);
	ctr_fini(c);
	return 0;
}

static bool same(const struct ctr *a, const struct ctr *b)
{
	if (a->pid || b->pid)
		return a->pid == b->pid;
	return strlen(a->id) == FULL_ID && !strcmp(a->id, b->id);
}

void ctr_list_dedup(struct ctr_list *l, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < l->n; i++) {
		bool seen = false;

		for (size_t j = from; j < kept && !seen; j++)
			seen = same(&l->v[j], &l->v[i]);
		if (seen)
			ctr_fini(&l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

int ctr_ask(const struct ctr_env *env, const struct engine_ops *ops, const char *ref,
	    struct ctr_list *l, struct err *e)
{
	struct err why = { 0 };
	int r = ref && ops->find ? ops->find(env, ref, l, &why) : ops->list(env, l, &why);

	if (!r)
		return 0;
	log_info("%s: %s", ops->name, why.msg);
	if (l->nskipped < CTR_SKIPPED_MAX)
		l->skipped[l->nskipped++] = why;
	if (e)
		*e = why;
	return r;
}

static int by_engine_and_name(const void *pa, const void *pb)
{
	const struct ctr *a = pa, *b = pb;
	int r = strcmp(a->engine, b->engine);

	if (!r)
		r = strcmp(a->name, b->name);
	if (!r)
		r = strcmp(a->scope ? a->scope : "", b->scope ? b->scope : "");
	return r ? r : strcmp(a->id, b->id);
}

void ctr_list_sort(struct ctr_list *l, size_t from)
{
	if (l->n > from)
		qsort(l->v + from, l->n - from, sizeof(*l->v), by_engine_and_name);
}

int ctr_list_all(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	_cleanup_scan_ struct scan scan = { 0 };
	struct ctr_env with = *env;
	size_t from = l->n;

	with.scan = &scan;
	for (size_t i = 0; ctr_engines[i]; i++)
		if (ctr_ask(&with, ctr_engines[i], NULL, l, NULL) == -ENOMEM)
			return err_set(e, ENOMEM, "listing containers: no memory");
	ctr_list_dedup(l, from);
	ctr_list_sort(l, from);
	return 0;
}

int ctr_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	size_t from = l->n, kept = from;
	int r = ctr_list_all(env, l, e);

	for (size_t i = from; i < l->n; i++) {
		if (l->v[i].state == CTR_STOPPED)
			ctr_fini(&l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
	return r;
}
