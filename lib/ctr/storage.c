/* SPDX-License-Identifier: MIT */
#include "storage.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "task.h"

#define USERS_MAX 65536

int store_drivers(const char *dir, driver_fn fn, void *arg)
{
	static const char suffix[] = "-containers";
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	int r = host_dir_open(dir, &d);
	const char *name;

	while (!r && (name = host_dir_next(&d))) {
		size_t len = strlen(name);
		char path[PATH_MAX];

		if (len < sizeof(suffix) || strcmp(name + len - sizeof(suffix) + 1, suffix) != 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
			r = fn(path, name, arg);
	}
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* Put the value of @key in one of the files into @ret, or @otherwise. */
static int configured(const struct ctr_env *env, const char *const *files, const char *key,
		      const char *otherwise, char *ret)
{
	_cleanup_free_ char *value = NULL;
	char path[PATH_MAX];

	for (; *files && !value; files++)
		if (host_path(env, path, "%s", *files) == 0 &&
		    host_conf_value(path, key, &value) < 0)
			value = NULL;
	/* A value with variables in it is for a shell to expand: the default will do. */
	return host_path(env, ret, "%s",
			 value && value[0] == '/' && !strchr(value, '$') ? value : otherwise);
}

int store_system(const struct ctr_env *env, struct store *ret)
{
	static const char *const files[] = { "/etc/containers/storage.conf",
					     "/usr/share/containers/storage.conf", NULL };
	int r = configured(env, files, "graphroot", "/var/lib/containers/storage", ret->graph);

	if (!r)
		r = configured(env, files, "runroot", "/run/containers/storage", ret->run);
	(void)snprintf(ret->runtimes, sizeof(ret->runtimes), "/run");
	ret->owner = TASK_ANY_OWNER;
	ret->user = NULL;
	return r;
}

static bool owned_dir(const struct ctr_env *env, const char *dir, uid_t uid)
{
	char path[PATH_MAX];
	struct stat st;

	return host_path(env, path, "%s", dir) == 0 && lstat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode) && st.st_uid == uid;
}

/* The runtime directory: podman has it in /tmp where there is no login session (4.x, 3.x, 5.x). */
static void runtime_dir(const struct ctr_env *env, uid_t uid, char *ret)
{
	static const char *const bases[] = { "/run/user/%u", "/tmp/podman-run-%u",
					     "/tmp/storage-run-%u", "/tmp/containers-user-%u" };

	if (uid == env->uid && env->runtime_dir && strlen(env->runtime_dir) < PATH_MAX) {
		(void)snprintf(ret, PATH_MAX, "%s", env->runtime_dir);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		char base[64], containers[96];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(base, sizeof(base), bases[i], uid);
#pragma GCC diagnostic pop
		(void)snprintf(containers, sizeof(containers), "%s/containers", base);
		(void)snprintf(ret, PATH_MAX, "%s", base);
		/* Anybody can make a directory in /tmp for somebody else. */
		if (owned_dir(env, base, uid) && owned_dir(env, containers, uid))
			return;
	}
	(void)snprintf(ret, PATH_MAX, "/run/user/%u", uid);
}

static int store_of(const struct ctr_env *env, uid_t uid, const char *home, struct store *ret)
{
	char conf[PATH_MAX], graph[PATH_MAX], run[PATH_MAX];
	const char *const files[] = { conf, NULL };
	const char *data = uid == env->uid ? env->data_home : NULL;
	int r;

	runtime_dir(env, uid, ret->runtimes);
	if (snprintf(conf, sizeof(conf), "%s/.config/containers/storage.conf", home) >=
		    (int)sizeof(conf) ||
	    snprintf(graph, sizeof(graph), "%s%s/containers/storage", data ? data : home,
		     data ? "" : "/.local/share") >= (int)sizeof(graph) ||
	    snprintf(run, sizeof(run), "%s/containers", ret->runtimes) >= (int)sizeof(run))
		return -ENAMETOOLONG;
	ret->owner = uid;
	r = configured(env, files, "graphroot", graph, ret->graph);
	return r < 0 ? r : configured(env, files, "runroot", run, ret->run);
}

static int each_user(const struct ctr_env *env, struct store *s, store_fn fn, void *arg)
{
	_cleanup_fclose_ FILE *f = NULL;
	const struct passwd *pw;
	char path[PATH_MAX];
	int r = host_path(env, path, "/etc/passwd");

	f = r ? NULL : fopen(path, "re");
	if (!f)
		return r;
	for (int i = 0; !r && i < USERS_MAX && (pw = fgetpwent(f)); i++) {
		if (!pw->pw_uid || pw->pw_dir[0] != '/')
			continue;
		s->user = pw->pw_name;
		if (store_of(env, pw->pw_uid, pw->pw_dir, s) == 0)
			r = fn(s, arg);
		if (r != -ENOMEM)
			r = 0; /* one user's trouble is not another's */
	}
	return r;
}

int stores_each(const struct ctr_env *env, store_fn fn, void *arg)
{
	_cleanup_free_ struct store *s = NULL;
	int r;

	if (env->uid && (!env->home || env->home[0] != '/'))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (!env->uid) {
		r = store_system(env, s);
		if (!r)
			r = fn(s, arg);
		return r < 0 ? r : each_user(env, s, fn, arg);
	}
	r = store_of(env, env->uid, env->home, s);
	return r < 0 ? r : fn(s, arg);
}
