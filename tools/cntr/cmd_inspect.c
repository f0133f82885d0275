/* SPDX-License-Identifier: MIT */
/* cmd_inspect.c - cntr inspect: what attach would join and take over, as text or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "ctr.h"
#include "json.h"
#include "log.h"
#include "mountinfo.h"
#include "out.h"
#include "run.h"
#include "target.h"
#include "text.h"

enum {
	INSPECT_JSON = OPT_LONG
};

const struct opt cmd_inspect_opts[] = {
	{ INSPECT_JSON, "json", NULL, "print one object with full values" },
	{ 0 },
};

static struct json_object *ids_json(const struct ns_cred *c)
{
	struct json_object *o = json_object_new_object(), *groups = json_object_new_array();

	json_add_int(o, "uid", c->uid);
	json_add_int(o, "gid", c->gid);
	for (size_t i = 0; i < c->ngroups; i++)
		(void)json_object_array_add(groups, json_object_new_int64(c->groups[i]));
	(void)json_object_object_add(o, "groups", groups);
	return o;
}

static struct json_object *namespaces_json(const struct ns_set *s)
{
	struct json_object *o = json_object_new_object();

	for (enum ns_kind k = 0; k < NS_KINDS; k++) {
		struct json_object *ns = json_object_new_object();

		if (s->fd[k] < 0)
			continue;
		json_add_int(ns, "inode", (int64_t)s->ino[k]);
		json_add_bool(ns, "shared", s->ours[k]);
		(void)json_object_object_add(o, ns_desc[k].name, ns);
	}
	return o;
}

static struct json_object *cgroups_json(const struct cgroup_dirs *dirs)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < dirs->n; i++) {
		const struct cgroup_dir *d = &dirs->v[i];
		struct json_object *o = json_object_new_object();

		json_add_int(o, "version", d->v2 ? 2 : 1);
		json_add_str(o, "controllers", d->controllers);
		json_add_str(o, "path", d->path);
		json_add_str(o, "directory", d->dir);
		json_add_bool(o, "shared", d->ours);
		(void)json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *caps_json(uint64_t set)
{
	struct json_object *array = json_object_new_array();

	for (int bit = 0; bit < 64; bit++) {
		char name[NS_CAP_NAME_MAX + 4] = "cap_";

		if (!(set >> bit & 1))
			continue;
		ns_cap_name(bit, name + 4);
		(void)json_object_array_add(array, json_object_new_string(name));
	}
	return array;
}

static struct json_object *rights_json(const struct ns_cred *c)
{
	struct json_object *o = json_object_new_object();

	(void)json_object_object_add(o, "effective", caps_json(c->caps.eff));
	(void)json_object_object_add(o, "permitted", caps_json(c->caps.prm));
	(void)json_object_object_add(o, "bounding", caps_json(c->caps.bnd));
	(void)json_object_object_add(o, "inheritable", caps_json(c->caps.inh));
	(void)json_object_object_add(o, "ambient", caps_json(c->caps.amb));
	return o;
}

static struct json_object *filter_json(const struct target *t)
{
	static const char *const from[] = { [FILTER_NONE] = "none",
					    [FILTER_PROCESS] = "process",
					    [FILTER_CONFIG] = "configuration",
					    [FILTER_UNKNOWN] = "unknown" };
	struct json_object *o = json_object_new_object();

	json_add_str(o, "from", from[t->filter]);
	json_add_int(o, "filters", (int64_t)t->seccomp.n);
	if (t->filter == FILTER_UNKNOWN)
		json_add_str(o, "why", t->filter_why);
	if (t->seccomp.stopped_ns)
		json_add_int(o, "stopped_ns", (int64_t)t->seccomp.stopped_ns);
	return o;
}

static void add_limit(struct json_object *o, const char *key, rlim_t v)
{
	if (v == RLIM_INFINITY)
		json_add_str(o, key, "unlimited");
	else
		json_add_int(o, key, (int64_t)v);
}

static struct json_object *limits_json(const struct proc_limits *l)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct json_object *v = json_object_new_object();

		add_limit(v, "soft", l->v[i].rlim_cur);
		add_limit(v, "hard", l->v[i].rlim_max);
		(void)json_object_object_add(o, proc_limit_name(i), v);
	}
	return o;
}

static void add_span(struct json_object *o, const char *key, struct span s)
{
	(void)json_object_object_add(o, key, json_object_new_string_len(s.p, (int)s.len));
}

static struct json_object *mounts_json(const struct target *t)
{
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	struct cursor c = cur_of(t->mountinfo, t->mountinfo_len);
	struct json_object *array = json_object_new_array();
	int r;

	while (m && (r = mountinfo_next(&c, m)) != 0) {
		struct json_object *o = r < 0 ? NULL : json_object_new_object();

		if (!o)
			continue;
		json_add_str(o, "target", m->point);
		add_span(o, "type", m->fstype);
		add_span(o, "source", m->source);
		add_span(o, "options", m->opts);
		(void)json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *container_json(const struct ctr *c, const struct target *t)
{
	static const char *const lsm[] = {
		[NS_LSM_NONE] = NULL, [NS_LSM_APPARMOR] = "apparmor", [NS_LSM_SELINUX] = "selinux"
	};
	struct json_object *o = json_object_new_object();

	json_add_str(o, "engine", c->engine);
	json_add_str(o, "name", c->name);
	json_add_str(o, "id", c->id);
	json_add_int(o, "pid", t->ref.pid);
	json_add_str(o, "image", c->image);
	json_add_str(o, "executable", t->exe);
	json_add_str(o, "directory", t->cwd);
	(void)json_object_object_add(o, "user", ids_json(&t->cred));
	(void)json_object_object_add(o, "namespaces", namespaces_json(&t->ns));
	(void)json_object_object_add(o, "cgroups", cgroups_json(&t->cgroups));
	(void)json_object_object_add(o, "capabilities", rights_json(&t->cred));
	(void)json_object_object_add(o, "seccomp", filter_json(t));
	json_add_bool(o, "no_new_privs", t->cred.no_new_privs);
	json_add_str(o, "lsm", lsm[t->cred.lsm]);
	json_add_str(o, "label", t->cred.lsm == NS_LSM_NONE ? NULL : t->cred.label);
	json_add_int(o, "oom_score_adj", t->cred.oom_score_adj);
	json_add_int(o, "umask", (int64_t)t->cred.umask);
	(void)json_object_object_add(o, "limits", limits_json(&t->cred.limits));
	(void)json_object_object_add(o, "mounts", mounts_json(t));
	return o;
}

static void heading(const char *text)
{
	printf("\n%s\n", text);
}

static void print_line(const char *key, const char *value)
{
	_cleanup_free_ char *safe = text_safe(value ? value : "-");

	printf("  %-14s %s\n", key, safe ? safe : "?");
}

/* A table of the members @keys of each object in @array, under @head. */
static void print_rows(struct json_object *array, const char *const *head, const char *const *keys,
		       size_t n)
{
	_cleanup_text_table_ struct text_table t = TEXT_TABLE_INIT(n + 1);
	const char *row[TEXT_COLUMNS_MAX] = { "" };
	int r = 0;

	for (size_t k = 0; k < n; k++)
		row[k + 1] = head[k];
	r = text_table_add(&t, row);
	for (size_t i = 0; !r && i < json_len(array); i++) {
		for (size_t k = 0; k < n; k++)
			row[k + 1] = json_object_get_string(json_get(json_at(array, i), keys[k]));
		r = text_table_add(&t, row);
	}
	if (!r)
		text_table_print(&t, stdout, 0, 0, 0);
}

static void print_namespaces(const struct ns_set *s)
{
	heading("Namespaces");
	for (enum ns_kind k = 0; k < NS_KINDS; k++)
		if (s->fd[k] >= 0)
			printf("  %-14s %" PRIu64 "%s\n", ns_desc[k].name, s->ino[k],
			       s->ours[k] ? "  (the same as yours)" : "");
}

/* The shorter of the two: what is in it, or what is not. */
static void print_caps(const char *name, uint64_t set)
{
	uint64_t all = ns_caps_all();
	bool most = __builtin_popcountll(set & all) > __builtin_popcountll(all) * 2 / 3;
	struct json_object *array;

	if (!set || (set & all) == all) {
		print_line(name, set ? "all" : "none");
		return;
	}
	array = caps_json(most ? all & ~set : set);
	printf("  %-14s%s", name, most ? " all but" : "");
	for (size_t i = 0; i < json_len(array); i++)
		printf(" %s", json_object_get_string(json_at(array, i)) + strlen("cap_"));
	printf("\n");
	json_object_put(array);
}

static void print_filter(const struct target *t)
{
	char text[ERR_MSG_MAX + 64];

	if (t->filter == FILTER_UNKNOWN)
		(void)snprintf(text, sizeof(text), "there is a filter, but it cannot be had: %s",
			       t->filter_why);
	else if (t->filter == FILTER_NONE)
		(void)snprintf(text, sizeof(text), "no filter");
	else
		(void)snprintf(text, sizeof(text), "%zu filter%s, taken from the %s", t->seccomp.n,
			       t->seccomp.n == 1 ? "" : "s",
			       t->filter == FILTER_PROCESS ? "process" : "engine's configuration");
	print_line("seccomp", text);
}

static void print_rights(const struct target *t)
{
	const struct ns_cred *c = &t->cred;

	heading("Rights");
	printf("  %-14s %u:%u", "user", c->uid, c->gid);
	for (size_t i = 0; i < c->ngroups; i++)
		printf("%s%u", i ? "," : "  groups ", c->groups[i]);
	printf("\n");
	print_caps("effective", c->caps.eff);
	print_caps("permitted", c->caps.prm);
	print_caps("bounding", c->caps.bnd);
	print_caps("inheritable", c->caps.inh);
	print_caps("ambient", c->caps.amb);
	print_filter(t);
	print_line("no_new_privs", c->no_new_privs ? "yes" : "no");
	print_line("label", c->lsm == NS_LSM_NONE ? NULL : c->label);
	printf("  %-14s %d\n  %-14s %04o\n", "oom_score_adj", c->oom_score_adj, "umask", c->umask);
}

static void print_limit(rlim_t v)
{
	if (v == RLIM_INFINITY)
		printf(" %12s", "unlimited");
	else
		printf(" %12" PRIu64, (uint64_t)v);
}

static void print_text(const struct ctr *c, const struct target *t, struct json_object *o)
{
	static const char *const cg_head[] = { "VERSION", "CONTROLLERS", "PATH" };
	static const char *const cg_keys[] = { "version", "controllers", "path" };
	static const char *const mnt_head[] = { "MOUNTED ON", "TYPE", "OPTIONS" };
	static const char *const mnt_keys[] = { "target", "type", "options" };
	_cleanup_free_ char *name = text_safe(c->name);

	printf("%s:%s\n", c->engine, name ? name : "?");
	print_line("id", c->id);
	printf("  %-14s %d\n", "pid", t->ref.pid);
	print_line("image", c->image);
	print_line("executable", t->exe);
	print_line("directory", t->cwd);
	print_namespaces(&t->ns);
	heading("Cgroups");
	print_rows(json_get(o, "cgroups"), cg_head, cg_keys, ARRAY_SIZE(cg_keys));
	print_rights(t);
	heading("Limits                  soft         hard");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		printf("  %-14s", proc_limit_name(i));
		print_limit(t->cred.limits.v[i].rlim_cur);
		print_limit(t->cred.limits.v[i].rlim_max);
		printf("\n");
	}
	heading("Mounts");
	print_rows(json_get(o, "mounts"), mnt_head, mnt_keys, ARRAY_SIZE(mnt_keys));
}

static int inspect(const char *name, bool json, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_ctr_ struct ctr c = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct ctr_env env;
	int r;

	ctr_env_init(&env);
	r = ctr_open(&env, name, &c, &ref, e);
	if (!r)
		r = target_open(&ref, c.oci_config, TARGET_RIGHTS | TARGET_PAUSED | TARGET_MOUNTS,
				&t, e);
	if (r < 0)
		return r;
	o = container_json(&c, &t);
	if (json)
		return out_done(json_print(o, stdout), e);
	print_text(&c, &t, o);
	return out_done(0, e);
}

int cmd_inspect(struct opt_parser *p)
{
	struct err e = { 0 };
	bool json = false;
	int id;

	while ((id = opt_next(p, &e)) > 0)
		json = true;
	if (!id && p->noperands != 1)
		id = err_set(&e, EINVAL, "inspect takes one TARGET");
	if (id < 0)
		return run_usage(p, &e);
	return inspect(p->operand[0], json, &e) < 0 ? run_failed(&e, OPT_EXIT_FAILED) : 0;
}
