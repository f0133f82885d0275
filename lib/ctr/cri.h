/* SPDX-License-Identifier: MIT */
/* cri.h - what a Kubernetes runtime writes into the annotations of a bundle. Private to lib/ctr. */
#ifndef CTR_CRI_H
#define CTR_CRI_H

#include "engine.h"
#include "json.h"

/* Was the container with this runtime configuration made for Kubernetes (a sandbox or not)? */
bool cri_is(struct json_object *config);

/*
 * cri_parse() - Set @c's name to "pod/container", its scope to the pod's namespace, and its image.
 *
 * @sandbox is the configuration of the pod's sandbox or NULL: containerd before
 * 1.5 names the pod there alone.
 * Return: 1 it is a container; 0 it is a sandbox, or none of Kubernetes';
 *	   -EPROTO it lacks its names; -ENOMEM.
 */
int cri_parse(struct json_object *config, struct json_object *sandbox, struct ctr *c) _must_check_;

/* The id of the sandbox, borrowed, if @config has no name of its pod; else NULL. */
const char *cri_needs_sandbox(struct json_object *config);

#endif
