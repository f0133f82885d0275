/* SPDX-License-Identifier: MIT */
/*
 * docker.h - the parts of the docker engine. Private to lib/ctr.
 *
 * Theory of operation
 *
 * engine_docker.c decides whom to ask: the daemon behind $DOCKER_HOST or the
 * usual sockets (docker_api.c), and if it cannot be asked, the state that it
 * keeps below its data root (docker_state.c). The API is used without a version
 * in the path: every daemon answers that with its own version, and the few
 * members that we read have been there since 1.12.
 */
#ifndef CTR_DOCKER_H
#define CTR_DOCKER_H

#include "host.h"

/* From the answer to /containers/ID/json, and from config.v2.json. -EPROTO, -ENOMEM. */
int docker_parse_inspect(struct json_object *o, struct ctr *ret) _must_check_;
int docker_parse_config(struct json_object *o, struct ctr *ret) _must_check_;

/*
 * Ask the daemon behind @sock (a path with the root in it) for the containers
 * that @ref may name, or for all if it is NULL. -errno of the connection;
 * -EPROTO for an answer that makes no sense.
 */
int docker_api(const struct ctr_env *env, const char *sock, const char *ref, struct ctr_list *l)
	_must_check_;

/*
 * The same from the files: of the daemon that listens on @host, or if that is NULL of the usual
 * one and, with @scan, of every other one that runs.
 */
int docker_state(const struct ctr_env *env, const char *host, bool scan, const char *ref,
		 struct ctr_list *l) _must_check_;

/* Set @c->oci_config to the bundle's, if the caller may read it. -ENOMEM. */
int docker_set_bundle(const struct ctr_env *env, struct ctr *c) _must_check_;

#endif
