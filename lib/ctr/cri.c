/* SPDX-License-Identifier: MIT */
#include "cri.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "oci.h"

#define CONTAINERD "io.kubernetes.cri."
#define CRIO       "io.kubernetes.cri-o."

struct names {
	const char *pod, *ns, *container, *image;
};

static const char *type_of(struct json_object *config)
{
	const char *type = oci_annotation(config, CONTAINERD "container-type");

	return type ? type : oci_annotation(config, CRIO "ContainerType");
}

bool cri_is(struct json_object *config)
{
	return type_of(config) != NULL;
}

/* Podman makes CRI-O's annotations for "play kube" as well; those containers are its own. */
static bool is_podmans(struct json_object *config)
{
	const char *manager = oci_annotation(config, "io.container.manager");

	return manager && !strcmp(manager, "libpod");
}

static const char *either(const char *a, const char *b)
{
	return a && a[0] ? a : b;
}

static const char *member(struct json_object *o, const char *key)
{
	struct json_object *v = json_get(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

/* CRI-O has the labels of the kubelet as annotations, since 1.0 also as JSON in one of them. */
static void crio_names(struct json_object *config, struct json_object *labels, struct names *n)
{
	static const char pod[] = "io.kubernetes.pod.name", ns[] = "io.kubernetes.pod.namespace",
			  container[] = "io.kubernetes.container.name";

	n->pod = either(oci_annotation(config, pod), member(labels, pod));
	n->ns = either(oci_annotation(config, ns), member(labels, ns));
	n->ns = either(n->ns, oci_annotation(config, CRIO "Namespace"));
	n->container = either(oci_annotation(config, container), member(labels, container));
	n->image = either(oci_annotation(config, CRIO "ImageName"),
			  oci_annotation(config, CRIO "Image"));
}

/* "/var/log/pods/NAMESPACE_POD_UID": no part has an underscore in it. */
static int split_log_dir(const char *dir, char **ret_ns, char **ret_pod)
{
	const char *base = dir ? strrchr(dir, '/') : NULL;
	struct span ns, pod, uid;
	struct cursor c;

	if (!base)
		return -EPROTO;
	c = cur_of(base + 1, strlen(base + 1));
	if (!cur_until(&c, '_', &ns) || !cur_until(&c, '_', &pod) || !cur_until(&c, '_', &uid))
		return -EPROTO;
	*ret_ns = span_dup(ns);
	*ret_pod = span_dup(pod);
	return *ret_ns && *ret_pod ? 0 : -ENOMEM;
}

static int set_names(struct ctr *c, const struct names *n)
{
	_cleanup_free_ char *name = NULL;

	if (!n->pod || !n->pod[0] || !n->container || !n->container[0])
		return -EPROTO;
	if (asprintf(&name, "%s/%s", n->pod, n->container) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	if (ctr_str_set(&c->name, name) < 0 || ctr_str_set(&c->scope, n->ns) < 0 ||
	    ctr_str_set(&c->image, n->image) < 0)
		return -ENOMEM;
	return 1;
}

static int containerd_parse(struct json_object *config, struct json_object *sandbox, struct ctr *c)
{
	_cleanup_free_ char *ns = NULL, *pod = NULL;
	struct names n = { .pod = oci_annotation(config, CONTAINERD "sandbox-name"),
			   .ns = oci_annotation(config, CONTAINERD "sandbox-namespace"),
			   .container = oci_annotation(config, CONTAINERD "container-name"),
			   .image = oci_annotation(config, CONTAINERD "image-name") };

	if (!n.pod) {
		n.pod = oci_annotation(sandbox, CONTAINERD "sandbox-name");
		n.ns = oci_annotation(sandbox, CONTAINERD "sandbox-namespace");
	}
	if (!n.pod) {
		int r = split_log_dir(oci_annotation(sandbox, CONTAINERD "sandbox-log-directory"),
				      &ns, &pod);

		if (r < 0)
			return r;
		n.pod = pod;
		n.ns = ns;
	}
	return set_names(c, &n);
}

static int crio_parse(struct json_object *config, struct ctr *c)
{
	const char *text = oci_annotation(config, CRIO "Labels");
	_cleanup_json_ struct json_object *labels = NULL;
	struct names n;

	if (text && json_parse(text, strlen(text), &labels, NULL) < 0)
		labels = NULL; /* the annotations may do without it */
	crio_names(config, labels, &n);
	return set_names(c, &n);
}

int cri_parse(struct json_object *config, struct json_object *sandbox, struct ctr *c)
{
	const char *type = type_of(config);

	if (!type || strcmp(type, "container") != 0 || is_podmans(config))
		return 0;
	if (oci_annotation(config, CONTAINERD "container-type"))
		return containerd_parse(config, sandbox, c);
	return crio_parse(config, c);
}

const char *cri_needs_sandbox(struct json_object *config)
{
	const char *type = oci_annotation(config, CONTAINERD "container-type");
	const char *id = oci_annotation(config, CONTAINERD "sandbox-id");

	if (!type || strcmp(type, "container") != 0 ||
	    oci_annotation(config, CONTAINERD "sandbox-name"))
		return NULL;
	return id && ctr_id_like(id) ? id : NULL;
}
