/* SPDX-License-Identifier: MIT */
/*
 * engine_lxc.c - containers of plain LXC.
 *
 * Theory of operation
 *
 * Running ones answer on their command socket (lxc_find.h), whatever their
 * lxcpath is. Stopped ones are directories with a file "config" below an
 * lxcpath: the one that lxc.conf names or else the default one, and those of
 * which something runs. LXC has neither ids nor images: the name is the id. A
 * name is unique in its lxcpath, which is the scope where it is not the
 * caller's own.
 */
#include "engine_lxc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "host.h"
#include "lxc_find.h"

#define ROOTS_LXCPATH "/var/lib/lxc"

int lxc_conf_parse(const char *text, size_t len, struct span *ret)
{
	struct cursor c = cur_of(text, len);
	struct span line, found = { 0 };

	while (cur_until(&c, '\n', &line) == 1) { /* bounded by @len */
		const char *eq = memchr(line.p, '=', line.len);
		struct span key, value;

		if (!eq)
			continue;
		key = span_trim((struct span){ line.p, (size_t)(eq - line.p) });
		value = span_trim((struct span){ eq + 1, line.len - (size_t)(eq + 1 - line.p) });
		if (span_eq(key, "lxc.lxcpath") && span_starts(value, "/"))
			found = value;
	}
	if (!found.len)
		return -ENOENT;
	*ret = found;
	return 0;
}

/* The lxcpath that the file @conf sets, else @otherwise. */
static int add_configured(const char *conf, const char *otherwise, struct host_places *p)
{
	_cleanup_free_ char *text = NULL, *set = NULL;
	struct span dir;
	size_t len;

	if (host_read(conf, &text, &len, NULL) < 0 || lxc_conf_parse(text, len, &dir) < 0)
		return host_places_add(p, otherwise);
	set = span_dup(dir);
	return set ? host_places_add(p, set) : -ENOMEM;
}

/* Where liblxc looks: root's place, or a user's own. */
static int known_places(const struct ctr_env *env, struct host_places *p)
{
	char conf[PATH_MAX], data[PATH_MAX];
	int n, r;

	if (env->uid == 0) {
		r = host_path(env, conf, "/etc/lxc/lxc.conf");
		return r < 0 ? r : add_configured(conf, ROOTS_LXCPATH, p);
	}
	if (!env->home)
		return 0;
	r = host_path(env, conf, "%s/.config/lxc/lxc.conf", env->home);
	n = env->data_home ? snprintf(data, sizeof(data), "%s/lxc", env->data_home)
			   : snprintf(data, sizeof(data), "%s/.local/share/lxc", env->home);
	if (r < 0 || n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	return add_configured(conf, data, p);
}

struct query {
	const char *ref; /* NULL: all */
	const char *own; /* the caller's lxcpath */
	struct lxc_finds running;
};

static int set_ctr(struct ctr *c, const struct query *q, const char *lxcpath, const char *name)
{
	c->engine = "lxc";
	if (ctr_str_set(&c->id, name) < 0 || ctr_str_set(&c->name, name) < 0)
		return -ENOMEM;
	return strcmp(lxcpath, q->own) ? ctr_str_set(&c->scope, lxcpath) : 0;
}

static int add_ctr(struct ctr_list *l, const struct query *q, const struct lxc_found *f)
{
	_cleanup_ctr_ struct ctr c = { .pid = f->pid, .state = f->state };

	if (set_ctr(&c, q, f->lxcpath, f->name) < 0)
		return -ENOMEM;
	return ctr_list_add_match(l, &c, q->ref);
}

static bool is_running(const struct lxc_finds *running, const char *lxcpath, const char *name)
{
	for (size_t i = 0; i < running->n; i++)
		if (!strcmp(running->v[i].name, name) && !strcmp(running->v[i].lxcpath, lxcpath))
			return running->v[i].state != CTR_STOPPED;
	return false;
}

static int list_stopped(const struct ctr_env *env, char *lxcpath, const struct query *q,
			struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir dir = HOST_DIR_INIT;
	char path[PATH_MAX];
	const char *name;
	int r = host_path(env, path, "%s", lxcpath);

	if (!r)
		r = host_dir_open(path, &dir);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	while (!r && (name = host_dir_next(&dir))) {
		const struct lxc_found f = { .lxcpath = lxcpath,
					     .name = (char *)(uintptr_t)name,
					     .state = CTR_STOPPED };

		if (host_path(env, path, "%s/%s/config", lxcpath, name) < 0 ||
		    !host_readable(path) || is_running(&q->running, lxcpath, name))
			continue;
		r = add_ctr(l, q, &f);
	}
	return r;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t len = strlen(s), n = strlen(tail);

	return len >= n && !strcmp(s + len - n, tail);
}

const char *lxc_path_engine(const char *lxcpath)
{
	if (ends_with(lxcpath, "/incus/containers"))
		return "incus";
	return ends_with(lxcpath, "/lxd/containers") ? "lxd" : "lxc";
}

static bool is_wanted(const char *lxcpath, const char *name, void *arg)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	const struct query *q = arg;

	if (strcmp(lxc_path_engine(lxcpath), "lxc") != 0)
		return false;
	return !q->ref || set_ctr(&c, q, lxcpath, name) < 0 || ctr_match(&c, q->ref);
}

static int list_query(const struct ctr_env *env, struct query *q, struct host_places *places,
		      struct ctr_list *l, struct err *e)
{
	int asked = lxc_find_running(env, is_wanted, q, &q->running, e), r = 0;

	for (size_t i = 0; !r && i < q->running.n; i++) {
		r = host_places_add(places, q->running.v[i].lxcpath);
		if (!r && q->running.v[i].state != CTR_STOPPED)
			r = add_ctr(l, q, &q->running.v[i]);
	}
	if (r < 0)
		return err_set(e, -r, "listing LXC containers: %s", err_str(r));
	for (size_t i = 0; i < places->n; i++) {
		r = list_stopped(env, places->v[i], q, l);
		if (r < 0 && !asked)
			asked = err_set(e, -r, "reading '%s': %s", places->v[i], err_str(r));
	}
	return asked;
}

static int list_matching(const struct ctr_env *env, const char *ref, struct ctr_list *l,
			 struct err *e)
{
	_cleanup_host_places_ struct host_places places = { 0 };
	struct query q = { .ref = ref, .own = "" };
	int r = known_places(env, &places);

	if (r < 0)
		return err_set(e, -r, "looking for LXC's directories: %s", err_str(r));
	if (places.n)
		q.own = places.v[0];
	r = list_query(env, &q, &places, l, e);
	lxc_finds_fini(&q.running);
	return r;
}

static int lxc_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return list_matching(env, NULL, l, e);
}

const struct engine_ops engine_lxc = { .name = "lxc", .list = lxc_list, .find = list_matching };
