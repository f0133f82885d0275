/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what one engine has to answer. Private to lib/ctr.
 *
 * Theory of operation
 *
 * ctr_resolve() asks every engine's find(), which is fast because it looks at
 * the usual places only. When nobody knows the name, every engine's list() is
 * asked: it looks everywhere, by a scan of /proc if need be. ctr.c has the
 * table; where two engines show the same process, the earlier one has it.
 */
#ifndef CTR_ENGINE_H
#define CTR_ENGINE_H

#include <stdbool.h>

#include "ctr.h"

/* What we take from anybody's state. */
#define ENGINE_FILE_MAX       (16U << 20)   /* bytes of one state file or answer */
#define ENGINE_CONTAINERS_MAX 16384         /* entries of one directory or list */
#define ENGINE_PLACES_MAX     256           /* directories that one engine keeps state in */
#define ENGINE_TIMEOUT_NS     2000000000ULL /* for a daemon to answer */

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
	 * Errors as for list().
	 */
	int (*find)(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e);
};

extern const struct engine_ops engine_docker, engine_podman, engine_containerd, engine_cri,
	engine_runc, engine_crun, engine_youki, engine_lxc, engine_incus, engine_lxd, engine_nspawn,
	engine_flatpak, engine_bubblewrap, engine_unshare, engine_process;

/* How well @ref names @c: 2 exactly, 1 as the prefix of its id, 0 not. */
int ctr_match(const struct ctr *c, const char *ref);

/* Can @ref be a hexadecimal id or the prefix of one (3 to 64 digits)? */
bool ctr_id_like(const char *ref);

/* *@dst becomes a copy of @src (NULL stays NULL); what it was is freed. -ENOMEM. */
int ctr_str_set(char **dst, const char *src) _must_check_;

/* Put @c into the list if @ref is NULL or may name it, else drop it. -ENOMEM. */
int ctr_list_add_match(struct ctr_list *l, struct ctr *c, const char *ref) _must_check_;

#endif
