/* SPDX-License-Identifier: MIT */
/* engine_docker.c - docker: the daemon's API, and its files when it does not answer. */
#include <errno.h>
#include <string.h>

#include "docker.h"

#define UNIX_SCHEME "unix://"

/* Why the daemon at @sock could not be asked, and what to do. */
static int explain(struct err *e, int r, const char *sock)
{
	switch (-r) {
	case EACCES:
	case EPERM:
		return err_set(
			e, EACCES,
			"docker: no permission to talk to '%s'; run as root or join group docker",
			sock);
	case ENOENT:
	case ECONNREFUSED:
	case ENOTSOCK:
		return err_set(
			e, ECONNREFUSED,
			"docker: no daemon listens on '%s'; is it running, and is DOCKER_HOST right?",
			sock);
	case ETIMEDOUT:
		return err_set(e, ETIMEDOUT, "docker: the daemon at '%s' does not answer", sock);
	case EPROTO:
	case EAGAIN:
		return err_set(e, EPROTO,
			       "docker: what listens on '%s' does not answer like a docker daemon",
			       sock);
	default:
		return err_set(e, -r, "docker: asking the daemon at '%s': %s", sock, err_str(r));
	}
}

/* The sockets to try into @p, without the root. */
static int find_sockets(const struct ctr_env *env, struct host_places *p, struct err *e)
{
	char path[PATH_MAX];
	int r;

	if (env->docker_host && env->docker_host[0]) {
		if (strncmp(env->docker_host, UNIX_SCHEME "/", strlen(UNIX_SCHEME) + 1) != 0)
			return err_set(
				e, EOPNOTSUPP,
				"docker: DOCKER_HOST is '%.80s', but only containers of this "
				"machine can be attached to; unset it or use unix:///PATH",
				env->docker_host);
		r = host_places_add(p, env->docker_host + strlen(UNIX_SCHEME));
	} else {
		r = host_places_add(p, "/var/run/docker.sock");
		if (!r && env->uid && env->runtime_dir &&
		    snprintf(path, sizeof(path), "%s/docker.sock", env->runtime_dir) <
			    (int)sizeof(path))
			r = host_places_add(p, path); /* rootless docker */
	}
	return r < 0 ? err_set(e, -r, "docker: %s", err_str(r)) : 0;
}

/* A failure that is not just "docker is not installed". */
static bool worth_saying(const struct ctr_env *env, int r)
{
	return r != -ENOENT || (env->docker_host && env->docker_host[0]);
}

static bool listed(const struct ctr_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].id, id))
			return true;
	return false;
}

/* Other daemons' containers run as well; DOCKER_HOST says only whom we ask about a name. */
static int add_others(const struct ctr_env *env, struct ctr_list *l)
{
	_cleanup_ctr_list_ struct ctr_list others = { 0 };
	int r = docker_state(env, NULL, true, NULL, &others);

	for (size_t i = 0; r != -ENOMEM && i < others.n; i++)
		if (others.v[i].pid && !listed(l, others.v[i].id))
			r = ctr_list_add(l, &others.v[i]);
	return r == -ENOMEM ? r : 0;
}

static int ask(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e)
{
	_cleanup_host_places_ struct host_places socks = { .n = 0 };
	const char *host = env->docker_host && env->docker_host[0] ? env->docker_host : NULL;
	const char *failed_sock = NULL;
	size_t before = l->n;
	int failed = 0;
	int r = find_sockets(env, &socks, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < socks.n; i++) {
		char path[PATH_MAX];

		r = host_path(env, path, "%s", socks.v[i]);
		if (!r)
			r = docker_api(env, path, ref, l);
		if (!r && !ref)
			r = add_others(env, l);
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "docker: no memory");
		if (!r)
			return 0;
		if (!failed || failed == -ENOENT) {
			failed = r;
			failed_sock = socks.v[i];
		}
	}
	/* Half an answer is dropped: the files have it all. */
	while (l->n > before)
		ctr_fini(&l->v[--l->n]);
	/* Where no daemon is to be seen, a scan of all processes is not for a quick look. */
	r = docker_state(env, host, !ref || failed != -ENOENT, ref, l);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "docker: no memory");
	if (l->n > before || !worth_saying(env, failed))
		return 0;
	return explain(e, failed, failed_sock);
}

static int docker_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return ask(env, NULL, l, e);
}

const struct engine_ops engine_docker = { .name = "docker", .list = docker_list, .find = ask };
