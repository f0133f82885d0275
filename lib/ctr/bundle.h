/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - the bundles of containerd's tasks. Private to lib/ctr.
 *
 * Theory of operation
 *
 * containerd makes a directory NAMESPACE/ID for each task below
 * STATE/io.containerd.runtime.v2.task, with config.json and init.pid in it.
 * STATE is /run/containerd unless its configuration says otherwise, and
 * distributions of Kubernetes have their own. A shim works in its bundle's
 * directory, so that a scan of /proc finds the others: only shims beside us
 * that are root's or the caller's own are believed, since a container can call
 * a process whatever it likes.
 */
#ifndef CTR_BUNDLE_H
#define CTR_BUNDLE_H

#include "host.h"

struct bundle {
	const char *root; /* ".../io.containerd.runtime.v2.task" */
	const char *ns;
	const char *id;
	const char *dir; /* ROOT/NS/ID */
};

/* Return: 0, or -ENOMEM to end. */
typedef int (*bundle_fn)(const struct bundle *b, void *arg);

/*
 * bundles_each() - Call @fn for each bundle, at the usual places or @everywhere.
 *
 * Namespace "moby" is docker's and left out.
 * Return: 0; -EACCES if a place is there, but may not be read; -ENOMEM.
 */
int bundles_each(const struct ctr_env *env, bool everywhere, bundle_fn fn, void *arg) _must_check_;

/* The runtime configuration of the bundle @dir. */
int bundle_config(const char *dir, struct json_object **ret) _must_check_;

/* Set @c's id, pid, state and oci_config from the bundle. -ENOMEM. */
int bundle_fill(const struct ctr_env *env, const struct bundle *b, struct ctr *c) _must_check_;

#endif
