/* SPDX-License-Identifier: MIT */
/* engine_incus.h - the parsers of what the Incus or LXD daemon answers. Private to lib/ctr. */
#ifndef CTR_ENGINE_INCUS_H
#define CTR_ENGINE_INCUS_H

#include "engine.h"
#include "json.h"

/* The array of instances in an answer, the caller's to json_object_put(). -EPROTO. */
int incus_answer_parse(const char *text, size_t len, struct json_object **ret) _must_check_;

/*
 * incus_instance_parse() - One instance, the caller's to ctr_fini(); its pid is not checked.
 *
 * @engine: "incus" or "lxd", static.
 * Return: 0; -ENOENT a virtual machine; -EPROTO; -ENOMEM.
 */
int incus_instance_parse(struct json_object *o, const char *engine, struct ctr *ret) _must_check_;

#endif
