/* SPDX-License-Identifier: MIT */
#include "bundle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "oci.h"
#include "task.h"

#define TASKS "/io.containerd.runtime.v2.task"

static int add_state(const struct ctr_env *env, struct host_places *p, const char *state)
{
	char path[PATH_MAX];

	if (state[0] != '/' || host_path(env, path, "%s" TASKS, state) < 0)
		return 0;
	return host_places_add(p, path);
}

static int add_usual(const struct ctr_env *env, struct host_places *p)
{
	static const char *const states[] = { "/run/containerd", "/run/k3s/containerd",
					      "/var/snap/microk8s/common/run/containerd" };
	_cleanup_free_ char *state = NULL;
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(states); i++)
		r = add_state(env, p, states[i]);
	if (!r && host_path(env, path, "/etc/containerd/config.toml") == 0 &&
	    host_conf_value(path, "state", &state) == 0)
		r = add_state(env, p, state);
	return r;
}

/* The directory of all tasks, two above the one that a shim works in. */
static int add_shim(const struct ctr_env *env, pid_t pid, struct host_places *p)
{
	char link[PATH_MAX], cwd[PATH_MAX];
	uid_t uid;
	ssize_t n;

	if (!task_comm_starts(env, pid, "containerd-shim"))
		return 0;
	uid = task_uid(env, pid);
	if ((uid && uid != env->uid) || !task_beside_us(env, pid) ||
	    host_path(env, link, "/proc/%d/cwd", pid) < 0)
		return 0;
	n = readlink(link, cwd, sizeof(cwd) - 1);
	if (n <= 0)
		return 0;
	cwd[n] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(cwd, '/');

		if (!slash)
			return 0;
		*slash = '\0';
	}
	n = (ssize_t)strlen(cwd) - (ssize_t)strlen(TASKS);
	return n > 0 && !strcmp(cwd + n, TASKS) ? host_places_add(p, cwd) : 0;
}

static int each_id(const char *root, const char *ns, bundle_fn fn, void *arg)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	char dir[PATH_MAX];
	const char *id;
	int r = 0;

	if (snprintf(dir, sizeof(dir), "%s/%s", root, ns) >= (int)sizeof(dir) ||
	    host_dir_open(dir, &d) < 0)
		return 0;
	while (!r && (id = host_dir_next(&d))) {
		struct bundle b = { root, ns, id, dir };

		if (snprintf(dir, sizeof(dir), "%s/%s/%s", root, ns, id) < (int)sizeof(dir))
			r = fn(&b, arg);
	}
	return r;
}

static int each_ns(const char *root, bundle_fn fn, void *arg)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	const char *ns;
	int r = host_dir_open(root, &d);

	while (!r && (ns = host_dir_next(&d)))
		if (strcmp(ns, "moby") != 0)
			r = each_id(root, ns, fn, arg);
	return r;
}

int bundles_each(const struct ctr_env *env, bool everywhere, bundle_fn fn, void *arg)
{
	_cleanup_host_places_ struct host_places p = { .n = 0 };
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	int r = add_usual(env, &p), denied = 0;
	pid_t pid;

	if (!r && everywhere && tasks_open(env, &d) == 0)
		while (!r && tasks_next(&d, &pid) == 1)
			r = add_shim(env, pid, &p);
	for (size_t i = 0; r != -ENOMEM && i < p.n; i++) {
		r = each_ns(p.v[i], fn, arg);
		if (r == -EACCES)
			denied = r;
	}
	return r == -ENOMEM ? r : denied;
}

int bundle_config(const char *dir, struct json_object **ret)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return host_read_json(path, ret, NULL);
}

int bundle_fill(const struct ctr_env *env, const struct bundle *b, struct ctr *c)
{
	struct task_claim claim = { .id = b->id, .owner = TASK_ANY_OWNER };
	char path[PATH_MAX];

	if (ctr_str_set(&c->id, b->id) < 0)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/config.json", b->dir) < (int)sizeof(path) &&
	    host_readable(path) && ctr_str_set(&c->oci_config, path) < 0)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/init.pid", b->dir) < (int)sizeof(path))
		claim.pid = oci_pidfile(path, &claim.written_ns);
	oci_set_live(env, c, &claim);
	return 0;
}
