/* SPDX-License-Identifier: MIT */
/*
 * engine_cri.c - containers of Kubernetes pods, named pod/container.
 *
 * Theory of operation
 *
 * containerd's are among its bundles, CRI-O's in the run root of
 * containers-storage (podman keeps its config.json in the graph root instead).
 * Either runtime writes what the kubelet told it into the annotations of
 * config.json; sandboxes, the pause processes, are left out. The namespace is
 * the scope: "kube-system/dns/sidecar".
 */
#include <errno.h>
#include <string.h>

#include "bundle.h"
#include "cri.h"
#include "oci.h"
#include "storage.h"
#include "task.h"

struct query {
	const struct ctr_env *env;
	const char *ref; /* or NULL */
	struct ctr_list *l;
};

/* Names have a slash, ids are hexadecimal: most of what is looked for is neither. */
static bool may_match(const char *id, const char *ref)
{
	return !ref || strchr(ref, '/') || !strncmp(id, ref, strlen(ref));
}

static int read_containerd(const struct bundle *b, void *arg)
{
	_cleanup_json_ struct json_object *config = NULL, *sandbox = NULL;
	_cleanup_ctr_ struct ctr c = { .engine = engine_cri.name };
	const struct query *q = arg;
	char dir[PATH_MAX];
	const char *id;
	int r;

	if (!may_match(b->id, q->ref) || bundle_config(b->dir, &config) < 0)
		return 0;
	id = cri_needs_sandbox(config);
	if (id && snprintf(dir, sizeof(dir), "%s/%s/%s", b->root, b->ns, id) < (int)sizeof(dir) &&
	    bundle_config(dir, &sandbox) < 0)
		sandbox = NULL;
	r = cri_parse(config, sandbox, &c);
	if (r != 1)
		return r == -ENOMEM ? r : 0;
	r = bundle_fill(q->env, b, &c);
	return r < 0 ? r : ctr_list_add_match(q->l, &c, q->ref);
}

static int read_crio(const struct query *q, const char *dir, const char *id)
{
	_cleanup_json_ struct json_object *config = NULL;
	_cleanup_ctr_ struct ctr c = { .engine = engine_cri.name };
	struct task_claim claim = { .id = id, .owner = TASK_ANY_OWNER };
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s/userdata/config.json", dir, id) >=
		    (int)sizeof(path) ||
	    host_read_json(path, &config, NULL) < 0)
		return 0;
	r = cri_parse(config, NULL, &c);
	if (r != 1)
		return r == -ENOMEM ? r : 0;
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.oci_config, path) < 0)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/%s/userdata/pidfile", dir, id) < (int)sizeof(path))
		claim.pid = oci_pidfile(path, &claim.written_ns);
	oci_set_live(q->env, &c, &claim);
	return ctr_list_add_match(q->l, &c, q->ref);
}

static int read_crio_driver(const char *dir, const char *driver, void *arg)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	const struct query *q = arg;
	const char *id;
	int r = host_dir_open(dir, &d);

	(void)driver;
	while (!r && (id = host_dir_next(&d)))
		if (may_match(id, q->ref))
			r = read_crio(q, dir, id);
	return r;
}

static int ask(const struct ctr_env *env, const char *ref, bool everywhere, struct ctr_list *l,
	       struct err *e)
{
	struct query q = { env, ref, l };
	_cleanup_free_ struct store *s = NULL;
	int r = 0;

	if (ref && !strchr(ref, '/') && !ctr_id_like(ref))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		r = -ENOMEM;
	if (!r)
		r = bundles_each(env, everywhere, read_containerd, &q);
	if (r != -ENOMEM && store_system(env, s) == 0 &&
	    store_drivers(s->run, read_crio_driver, &q) == -ENOMEM)
		r = -ENOMEM;
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "cri: no memory");
	if (r == -EACCES && ref)
		return err_set(e, EACCES,
			       "cri: no permission to read the state of containerd; run as root");
	return 0; /* what containerd says of its state is enough in a list */
}

static int cri_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return ask(env, NULL, true, l, e);
}

static int cri_find(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e)
{
	return ask(env, ref, false, l, e);
}

const struct engine_ops engine_cri = { "cri", cri_list, cri_find };
