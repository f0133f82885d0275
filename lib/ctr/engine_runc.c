/* SPDX-License-Identifier: MIT */
/*
 * engine_runc.c - containers of runc, crun and youki that no engine above them has listed.
 *
 * Theory of operation
 *
 * Each runtime has a directory per container in /run/RUNTIME, a normal user's
 * in $XDG_RUNTIME_DIR/RUNTIME; root sees those of all users below /run/user.
 * What docker, podman and others run is there too: ctr.c drops it from lists
 * by its pid. A directory in /run/user is its user's word, so the process must
 * be that user's.
 */
#include <errno.h>
#include <string.h>

#include "cursor.h"
#include "oci.h"
#include "task.h"

#define RUN_USER "/run/user"

struct query {
	const struct ctr_env *env;
	const struct engine_ops *ops;
	const char *ref;
	struct ctr_list *l;
};

static int read_one(const struct query *q, const char *dir, const char *id, uid_t owner)
{
	_cleanup_oci_state_ struct oci_state s = { 0 };
	_cleanup_ctr_ struct ctr c = { .engine = q->ops->name };
	struct task_claim claim = { .id = id, .owner = owner };
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, id) >= (int)sizeof(path) ||
	    oci_state_read(path, &s) < 0)
		return 0; /* something else lies there, or it is being removed */
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, id) < 0)
		return -ENOMEM;
	if (s.bundle && host_path(q->env, path, "%s/config.json", s.bundle) == 0 &&
	    host_readable(path) && ctr_str_set(&c.oci_config, path) < 0)
		return -ENOMEM;
	claim.pid = s.pid;
	claim.start = s.start;
	claim.written_ns = s.written_ns;
	oci_set_live(q->env, &c, &claim);
	return ctr_list_add_match(q->l, &c, q->ref);
}

static int read_root(const struct query *q, const char *dir, uid_t owner)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	const char *name;
	int r = host_dir_open(dir, &d);

	while (!r && (name = host_dir_next(&d))) {
		/* The names are the ids: most need not be read. */
		if (q->ref && strncmp(name, q->ref, strlen(q->ref)) != 0)
			continue;
		r = read_one(q, dir, name, owner);
	}
	return r;
}

/* Directories of all users; what one of them did to his concerns him alone. */
static int read_users(const struct query *q)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	char dir[PATH_MAX];
	const char *name;
	int r = host_path(q->env, dir, RUN_USER);

	if (!r)
		r = host_dir_open(dir, &d);
	if (r < 0)
		return 0;
	while ((name = host_dir_next(&d))) {
		uint64_t uid;

		if (span_u64((struct span){ name, strlen(name) }, 10, &uid) < 0 || uid > INT32_MAX)
			continue;
		if (host_path(q->env, dir, RUN_USER "/%s/%s", name, q->ops->name) < 0)
			continue;
		if (read_root(q, dir, (uid_t)uid) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int ask(const struct query *q, struct err *e)
{
	char dir[PATH_MAX];
	int r = host_path(q->env, dir, "/run/%s", q->ops->name), own = 0;

	if (!r)
		r = read_root(q, dir, TASK_ANY_OWNER);
	if (!q->env->uid)
		own = read_users(q);
	else if (q->env->runtime_dir &&
		 !host_path(q->env, dir, "%s/%s", q->env->runtime_dir, q->ops->name))
		own = read_root(q, dir, TASK_ANY_OWNER);
	if (r == -ENOMEM || own == -ENOMEM)
		return err_set(e, ENOMEM, "%s: no memory", q->ops->name);
	if (r == -EACCES && own < 0)
		return err_set(e, EACCES, "%s: no permission to read '/run/%s'; run as root",
			       q->ops->name, q->ops->name);
	return 0;
}

#define RUNTIME(rt)                                                                          \
	static int rt##_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)   \
	{                                                                                    \
		return ask(&(struct query){ env, &engine_##rt, NULL, l }, e);                \
	}                                                                                    \
	static int rt##_find(const struct ctr_env *env, const char *ref, struct ctr_list *l, \
			     struct err *e)                                                  \
	{                                                                                    \
		return ask(&(struct query){ env, &engine_##rt, ref, l }, e);                 \
	}                                                                                    \
	const struct engine_ops engine_##rt = { #rt, rt##_list, rt##_find }

RUNTIME(runc);
RUNTIME(crun);
RUNTIME(youki);
