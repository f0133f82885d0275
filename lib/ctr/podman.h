/* SPDX-License-Identifier: MIT */
/*
 * podman.h - the parts of the podman engine. Private to lib/ctr.
 *
 * engine_podman.c reads the stores, podman_conmon.c finds containers whose
 * store is nowhere we would look: each has a monitor process that runs.
 */
#ifndef CTR_PODMAN_H
#define CTR_PODMAN_H

#include "host.h"

/*
 * podman_parse_entry() - Id, name and image from an element of containers.json.
 *
 * Return: 1; 0 it is not podman's (CRI-O and buildah use the same store); -EPROTO; -ENOMEM.
 */
int podman_parse_entry(struct json_object *o, struct ctr *ret) _must_check_;

/* Append what the monitors of running containers tell, but for ids that @l has already. */
int podman_scan(const struct ctr_env *env, struct ctr_list *l) _must_check_;

#endif
