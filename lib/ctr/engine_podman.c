/* SPDX-License-Identifier: MIT */
/*
 * engine_podman.c - podman's containers, root's and those of users.
 *
 * Theory of operation
 *
 * podman's database is no file format of ours; what it holds is beside it:
 *
 *	GRAPH/DRIVER-containers/containers.json		ids, names, image
 *	GRAPH/DRIVER-containers/ID/userdata/config.json	the bundle
 *	RUN/DRIVER-containers/ID/userdata/pidfile	process id, stays after the end
 *	RUNTIMES/{crun,runc}/ID				the runtime's state, with a start time
 *
 * volatile-containers.json, in GRAPH or RUN, has those made with --rm.
 */
#include <errno.h>
#include <string.h>

#include "oci.h"
#include "podman.h"
#include "storage.h"
#include "task.h"

struct query {
	const struct ctr_env *env;
	const char *ref; /* or NULL */
	struct ctr_list *l;
	const struct store *store;
};

int podman_parse_entry(struct json_object *o, struct ctr *ret)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_podman.name, .state = CTR_STOPPED };
	_cleanup_json_ struct json_object *meta = NULL;
	struct json_object *first = json_at(json_get(o, "names"), 0);
	const char *id = json_str(o, "id"), *text = json_str(o, "metadata");
	const char *name =
		json_object_is_type(first, json_type_string) ? json_object_get_string(first) : NULL;

	if (!id || !id[0] || id[0] == '.' || strchr(id, '/'))
		return -EPROTO;
	if (text && json_parse(text, strlen(text), &meta, NULL) < 0)
		meta = NULL; /* buildah's is none */
	if (json_str(meta, "pod-id") || json_str(meta, "pod-name"))
		return 0;
	if (!name || !name[0])
		name = json_str(meta, "name");
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, name && name[0] ? name : id) < 0 ||
	    ctr_str_set(&c.image, json_str(meta, "image-name")) < 0)
		return -ENOMEM;
	*ret = c;
	c = (struct ctr){ 0 };
	return 1;
}

/* The bundle is in the graph root, or in the run root of a transient store. */
static int set_config(struct ctr *c, const struct store *s, const char *driver)
{
	const char *const roots[] = { s->graph, s->run };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s/%s/userdata/config.json", roots[i], driver,
			     c->id) < (int)sizeof(path) &&
		    host_readable(path))
			return ctr_str_set(&c->oci_config, path);
	}
	return 0;
}

static void set_process(const struct query *q, const char *driver, struct ctr *c)
{
	_cleanup_oci_state_ struct oci_state state = { 0 };
	const struct store *s = q->store;
	struct task_claim claim = { .id = c->id, .owner = s->owner };
	char path[PATH_MAX];

	if (oci_state_find(q->env, s->runtimes, c->id, &state) == 0) {
		claim.pid = state.pid;
		claim.start = state.start;
		claim.written_ns = state.written_ns;
	} else if (snprintf(path, sizeof(path), "%s/%s/%s/userdata/pidfile", s->run, driver,
			    c->id) < (int)sizeof(path)) {
		claim.pid = oci_pidfile(path, &claim.written_ns);
	}
	oci_set_live(q->env, c, &claim);
}

static int add_entry(const struct query *q, struct json_object *o, const char *driver)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	int r = podman_parse_entry(o, &c);

	if (r != 1)
		return r == -ENOMEM ? r : 0;
	if (ctr_str_set(&c.scope, q->store->user) < 0)
		return -ENOMEM;
	if (q->ref && !ctr_match(&c, q->ref))
		return 0;
	r = set_config(&c, q->store, driver);
	if (r < 0 || !c.oci_config)
		return r; /* buildah's working containers have none */
	set_process(q, driver, &c);
	return ctr_list_add(q->l, &c);
}

static int read_file(const struct query *q, const char *dir, const char *file, const char *driver)
{
	_cleanup_json_ struct json_object *all = NULL;
	char path[PATH_MAX];
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path) ||
	    host_read_json(path, &all, NULL) < 0)
		return 0;
	for (size_t i = 0; !r && i < json_len(all) && i < ENGINE_CONTAINERS_MAX; i++)
		r = add_entry(q, json_at(all, i), driver);
	return r;
}

static int read_driver(const char *dir, const char *driver, void *arg)
{
	int r = read_file(arg, dir, "containers.json", driver);

	return r < 0 ? r : read_file(arg, dir, "volatile-containers.json", driver);
}

static int read_transient(const char *dir, const char *driver, void *arg)
{
	return read_file(arg, dir, "volatile-containers.json", driver);
}

static int read_store(const struct store *s, void *arg)
{
	struct query *q = arg;
	int r;

	q->store = s;
	r = store_drivers(s->graph, read_driver, q);
	return r < 0 ? r : store_drivers(s->run, read_transient, q);
}

static int explain(struct err *e, int r)
{
	if (!r)
		return 0;
	if (r == -EACCES)
		return err_set(
			e, EACCES,
			"podman: no permission to read the containers' storage; run as root");
	return err_set(e, -r, "podman: %s", err_str(r));
}

static int podman_find(const struct ctr_env *env, const char *ref, struct ctr_list *l,
		       struct err *e)
{
	struct query q = { .env = env, .ref = ref, .l = l };

	return explain(e, stores_each(env, read_store, &q));
}

static int podman_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	int r = podman_find(env, NULL, l, e), scanned = podman_scan(env, l);

	return r < 0 ? r : explain(e, scanned);
}

const struct engine_ops engine_podman = { "podman", podman_list, podman_find };
