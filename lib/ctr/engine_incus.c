/* SPDX-License-Identifier: MIT */
/*
 * engine_incus.c - system containers of Incus and LXD.
 *
 * Theory of operation
 *
 * Both run their containers with liblxc, in an lxcpath of their own. So find()
 * asks the command sockets alone (lxc_find.h), which is quick. list() asks the
 * daemon as well, GET /1.0/instances with recursion=2: that knows the images and
 * what is stopped. Without a daemon that answers, the directories in the
 * lxcpath tell the latter.
 *
 * liblxc's name of a container is the instance's, in a project other than
 * "default" with "PROJECT_" before it; neither may contain an underscore. It
 * is our id, the project is the scope.
 */
#include "engine_incus.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "engine_lxc.h"
#include "host.h"
#include "http.h"
#include "lxc_find.h"
#include "task.h"

#define INSTANCES "/1.0/instances?recursion=2&all-projects=true"
#define PROJECT   "default"

struct daemon {
	const char *engine, *socket, *lxcpath;
};

static const struct daemon daemons[] = {
	{ "incus", "/var/lib/incus/unix.socket", "/var/lib/incus/containers" },
	{ "lxd", "/var/snap/lxd/common/lxd/unix.socket", "/var/snap/lxd/common/lxd/containers" },
	{ "lxd", "/var/lib/lxd/unix.socket", "/var/lib/lxd/containers" },
};

static int set_names(struct ctr *c, const char *engine, const char *lxc_name)
{
	const char *bar = strchr(lxc_name, '_');

	c->engine = engine;
	if (ctr_str_set(&c->id, lxc_name) < 0 ||
	    ctr_str_set(&c->name, bar ? bar + 1 : lxc_name) < 0)
		return -ENOMEM;
	if (!bar)
		return 0;
	c->scope = span_dup((struct span){ lxc_name, (size_t)(bar - lxc_name) });
	return c->scope ? 0 : -ENOMEM;
}

/* The names of @o as liblxc has them; -EPROTO if it has none that are possible. */
static int instance_names(struct json_object *o, const char *engine, struct ctr *ret)
{
	_cleanup_free_ char *lxc_name = NULL;
	const char *name = json_str(o, "name"), *project = json_str(o, "project");

	if (!name || !name[0] || strpbrk(name, "_/") || (project && strpbrk(project, "_/")))
		return -EPROTO;
	if (!project || !project[0] || !strcmp(project, PROJECT))
		return set_names(ret, engine, name);
	if (asprintf(&lxc_name, "%s_%s", project, name) < 0) {
		lxc_name = NULL;
		return -ENOMEM;
	}
	return set_names(ret, engine, lxc_name);
}

int incus_instance_parse(struct json_object *o, const char *engine, struct ctr *ret)
{
	const char *type = json_str(o, "type"), *status = json_str(o, "status");
	_cleanup_ctr_ struct ctr c = { .state = CTR_STOPPED };
	struct json_object *config = json_get(o, "config");
	const char *image;
	int64_t pid = 0;
	int r;

	if (!type || !status)
		return -EPROTO;
	if (strcmp(type, "container") != 0)
		return -ENOENT;
	r = instance_names(o, engine, &c);
	if (r < 0)
		return r;
	/* keys with dots, so no paths */
	image = json_object_get_string(json_get(config, "image.description"));
	if (!image)
		image = json_object_get_string(json_get(config, "volatile.base_image"));
	if (ctr_str_set(&c.image, image) < 0)
		return -ENOMEM;
	if (!json_int(o, "state.pid", &pid) && pid > 0 && pid <= INT_MAX)
		c.pid = (pid_t)pid;
	if (!strcmp(status, "Frozen"))
		c.state = CTR_PAUSED;
	else if (!strcmp(status, "Running") || !strcmp(status, "Ready"))
		c.state = CTR_RUNNING;
	else
		c.pid = 0;
	*ret = c;
	c = (struct ctr){ 0 };
	return 0;
}

static bool is_incus(const char *lxcpath, const char *name, void *arg)
{
	(void)name;
	return !strcmp(lxc_path_engine(lxcpath), arg);
}

struct query {
	const char *engine, *ref;
};

static bool is_wanted(const char *lxcpath, const char *name, void *arg)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	const struct query *q = arg;

	if (strcmp(lxc_path_engine(lxcpath), q->engine) != 0)
		return false;
	return set_names(&c, q->engine, name) < 0 || ctr_match(&c, q->ref);
}

static int add_found(const struct lxc_found *f, const char *engine, struct ctr_list *l)
{
	_cleanup_ctr_ struct ctr c = { .pid = f->pid, .state = f->state };

	return set_names(&c, engine, f->name) < 0 ? -ENOMEM : ctr_list_add(l, &c);
}

static int find_of(const struct ctr_env *env, const char *engine, const char *ref,
		   struct ctr_list *l, struct err *e)
{
	_cleanup_lxc_finds_ struct lxc_finds running = { 0 };
	struct query q = { engine, ref };
	int asked = lxc_find_running(env, is_wanted, &q, &running, e);

	if (asked == -EACCES)
		asked = 0; /* list() asks the daemon, whose word counts; and it may be LXC's socket */
	for (size_t i = 0; i < running.n; i++)
		if (running.v[i].state != CTR_STOPPED && add_found(&running.v[i], engine, l) < 0)
			return err_set(e, ENOMEM, "no memory");
	return asked;
}

static bool has_id(const struct ctr_list *l, size_t from, const char *engine, const char *id)
{
	for (size_t i = from; i < l->n; i++)
		if (!strcmp(l->v[i].engine, engine) && !strcmp(l->v[i].id, id))
			return true;
	return false;
}

/* What the command socket said about @c counts more than the daemon's word. */
static void set_live(const struct ctr_env *env, struct ctr *c, const struct lxc_finds *running)
{
	struct task_claim claim = { .owner = TASK_ANY_OWNER };

	for (size_t i = 0; i < running->n; i++) {
		if (strcmp(running->v[i].name, c->id) != 0)
			continue;
		c->pid = running->v[i].pid;
		c->state = running->v[i].state;
		return;
	}
	claim.pid = c->pid;
	if (!c->pid || task_check(env, &claim) < 0) {
		c->pid = 0;
		c->state = CTR_STOPPED;
	}
}

int incus_answer_parse(const char *text, size_t len, struct json_object **ret)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *list;
	int r = json_parse(text, len, &o, NULL);

	if (r < 0)
		return r;
	list = json_get(o, "metadata");
	if (!json_object_is_type(list, json_type_array))
		return -EPROTO;
	*ret = json_object_get(list);
	return 0;
}

/* -ENOENT without a daemon. */
static int ask_daemon(const struct ctr_env *env, const struct daemon *d, struct json_object **ret)
{
	_cleanup_http_response_ struct http_response answer = { 0 };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r = host_path(env, path, "%s", d->socket);

	if (r < 0)
		return r;
	fd = http_connect(path, ENGINE_TIMEOUT_NS);
	if (fd < 0)
		return fd;
	r = http_get(fd, INSTANCES, ENGINE_TIMEOUT_NS, ENGINE_FILE_MAX, &answer);
	if (r < 0)
		return r;
	return answer.status == 200 ? incus_answer_parse(answer.body, answer.len, ret) : -EPROTO;
}

static int list_daemon(const struct ctr_env *env, const struct daemon *d,
		       const struct lxc_finds *running, struct ctr_list *l)
{
	_cleanup_json_ struct json_object *instances = NULL;
	int r = ask_daemon(env, d, &instances);
	size_t n;

	if (r < 0)
		return r;
	n = json_len(instances);
	for (size_t i = 0; i < n && i < ENGINE_CONTAINERS_MAX; i++) {
		struct ctr c;

		r = incus_instance_parse(json_at(instances, i), d->engine, &c);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		set_live(env, &c, running);
		if (ctr_list_add(l, &c) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool is_running(const struct lxc_finds *running, const char *name)
{
	for (size_t i = 0; i < running->n; i++)
		if (!strcmp(running->v[i].name, name))
			return true;
	return false;
}

/* What is left when the daemon does not answer: a link or directory per container. */
static int list_dirs(const struct ctr_env *env, const struct daemon *d,
		     const struct lxc_finds *running, struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir dir = HOST_DIR_INIT;
	char path[PATH_MAX];
	const char *name;
	int r = host_path(env, path, "%s", d->lxcpath);

	if (!r)
		r = host_dir_open(path, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while (!r && (name = host_dir_next(&dir))) {
		const struct lxc_found f = { .name = (char *)(uintptr_t)name,
					     .state = CTR_STOPPED };

		if (!is_running(running, name))
			r = add_found(&f, d->engine, l);
	}
	return r;
}

static int list_of(const struct ctr_env *env, const char *engine, struct ctr_list *l, struct err *e)
{
	_cleanup_lxc_finds_ struct lxc_finds running = { 0 };
	size_t from = l->n;
	int asked = lxc_find_running(env, is_incus, (void *)(uintptr_t)engine, &running, e);

	if (asked == -EACCES)
		asked = 0; /* the daemon's word counts; and it may be plain LXC's socket */
	for (size_t i = 0; i < ARRAY_SIZE(daemons); i++) {
		const struct daemon *d = &daemons[i];
		int r = strcmp(d->engine, engine) ? 0 : list_daemon(env, d, &running, l);

		if (r < 0 && r != -ENOMEM)
			r = list_dirs(env, d, &running, l);
		if (r < 0 && !asked)
			asked = err_set(e, -r, "asking the daemon at '%s': %s", d->socket,
					err_str(r));
	}
	/* of a lxcpath that none of the known daemons has, or not known to it */
	for (size_t i = 0; i < running.n; i++)
		if (running.v[i].state != CTR_STOPPED &&
		    !has_id(l, from, engine, running.v[i].name) &&
		    add_found(&running.v[i], engine, l) < 0)
			return err_set(e, ENOMEM, "no memory");
	return asked;
}

static int incus_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return list_of(env, "incus", l, e);
}

static int incus_find(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e)
{
	return find_of(env, "incus", ref, l, e);
}

static int lxd_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return list_of(env, "lxd", l, e);
}

static int lxd_find(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e)
{
	return find_of(env, "lxd", ref, l, e);
}

const struct engine_ops engine_incus = { "incus", incus_list, incus_find };
const struct engine_ops engine_lxd = { "lxd", lxd_list, lxd_find };
