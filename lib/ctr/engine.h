/* SPDX-License-Identifier: MIT */
/* engine.h - what one engine has to answer. Private to lib/ctr. */
#ifndef CTR_ENGINE_H
#define CTR_ENGINE_H

#include "ctr.h"

struct engine_ops {
	const char *name;
	/*
	 * Append every container, stopped ones too. An engine that is not
	 * installed or not running has none: 0. One that is there but may not
	 * be read: -EACCES and @e; the others are still asked.
	 */
	int (*list)(const struct ctr_env *env, struct ctr_list *l, struct err *e);
	/*
	 * Append those that @ref may name (exact name, id, id prefix), faster than
	 * list() can; NULL: list() is filtered. Matching is checked again by the caller.
	 */
	int (*find)(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e);
};

extern const struct engine_ops engine_docker, engine_podman, engine_containerd, engine_cri,
	engine_runc, engine_lxc, engine_incus, engine_nspawn, engine_sandbox, engine_process;

#endif
