/* SPDX-License-Identifier: MIT */
/*
 * engine_containerd.c - containerd's containers in any namespace, but docker's and Kubernetes'.
 *
 * Theory of operation
 *
 * A container is known by its id, and by the name that nerdctl gave it (an
 * annotation). Both are unique within a containerd namespace only, which is
 * the scope: "team/web". Those with annotations of Kubernetes are engine_cri.c's.
 */
#include <errno.h>
#include <string.h>

#include "bundle.h"
#include "cri.h"
#include "oci.h"

#define KUBERNETES_NS "k8s.io"

struct query {
	const struct ctr_env *env;
	const char *ref; /* or NULL */
	struct ctr_list *l;
};

/*
 * Can this bundle be meant, as far as its path tells? Only nerdctl has names
 * that are not the id, and its ids are hexadecimal. Pods' configurations are
 * many and not read for a plain name.
 */
static bool may_match(const struct bundle *b, const char *ref)
{
	const char *slash = strchr(ref, '/');
	const char *name = slash ? slash + 1 : ref;

	if (slash && strncmp(ref, b->ns, strlen(b->ns)) != 0)
		return false;
	if (!strncmp(b->id, name, strlen(name)))
		return true;
	return strlen(b->id) == 64 && (slash || strcmp(b->ns, KUBERNETES_NS) != 0);
}

static int read_one(const struct bundle *b, void *arg)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_containerd.name };
	_cleanup_json_ struct json_object *config = NULL;
	const struct query *q = arg;
	const char *name;
	int r;

	if (q->ref && !may_match(b, q->ref))
		return 0;
	/* A bundle without a configuration that we can read is still a container. */
	if (bundle_config(b->dir, &config) == 0 && cri_is(config))
		return 0;
	name = oci_annotation(config, "nerdctl/name");
	if (ctr_str_set(&c.name, name && name[0] ? name : b->id) < 0 ||
	    ctr_str_set(&c.scope, b->ns) < 0)
		return -ENOMEM;
	r = bundle_fill(q->env, b, &c);
	return r < 0 ? r : ctr_list_add_match(q->l, &c, q->ref);
}

static int explain(struct err *e, int r)
{
	if (!r)
		return 0;
	if (r == -EACCES)
		return err_set(e, EACCES,
			       "containerd: no permission to read its state; run as root");
	return err_set(e, -r, "containerd: %s", err_str(r));
}

static int containerd_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	struct query q = { env, NULL, l };

	return explain(e, bundles_each(env, true, read_one, &q));
}

static int containerd_find(const struct ctr_env *env, const char *ref, struct ctr_list *l,
			   struct err *e)
{
	struct query q = { env, ref, l };

	return explain(e, bundles_each(env, false, read_one, &q));
}

const struct engine_ops engine_containerd = { "containerd", containerd_list, containerd_find };
