/* SPDX-License-Identifier: MIT */
#include "docker.h"

#include <errno.h>
#include <string.h>

#include "oci.h"
#include "task.h"

#define DATA_ROOT "/var/lib/docker"

int docker_parse_config(struct json_object *o, struct ctr *ret)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_docker.name, .state = CTR_STOPPED };
	const char *id = json_str(o, "ID"), *name = json_str(o, "Name");
	int64_t pid;

	if (!id || !id[0] || strchr(id, '/') || !name)
		return -EPROTO;
	name += name[0] == '/';
	if (!name[0])
		return -EPROTO;
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, name) < 0 ||
	    ctr_str_set(&c.image, json_str(o, "Config.Image")) < 0)
		return -ENOMEM;
	if (json_flag(o, "State.Running") && json_int(o, "State.Pid", &pid) == 0 && pid > 0 &&
	    pid <= INT32_MAX)
		c.pid = (pid_t)pid;
	*ret = c;
	c = (struct ctr){ 0 };
	return 0;
}

static int set_if_readable(struct ctr *c, const char *path)
{
	return host_readable(path) ? ctr_str_set(&c->oci_config, path) : 0;
}

/* containerd's shim, our container's parent, works in the directory of the bundle. */
static int set_from_shim(const struct ctr_env *env, struct ctr *c)
{
	char path[PATH_MAX], cwd[PATH_MAX];
	struct proc_stat t;
	ssize_t n;

	if (!c->pid || task_stat(env, c->pid, &t) < 0 ||
	    host_path(env, cwd, "/proc/%d/cwd", t.ppid) < 0)
		return 0;
	n = readlink(cwd, path, sizeof(path));
	if (n <= 0 || (size_t)n >= sizeof(path) - sizeof("/config.json"))
		return 0;
	path[n] = '\0';
	if (path[0] != '/' || strcmp(strrchr(path, '/') + 1, c->id) != 0)
		return 0;
	memcpy(path + n, "/config.json", sizeof("/config.json"));
	return set_if_readable(c, path);
}

int docker_set_bundle(const struct ctr_env *env, struct ctr *c)
{
	static const char *const roots[] = { "/run/docker/containerd/daemon", "/run/containerd" };
	int r = 0;

	for (size_t i = 0; !r && !c->oci_config && i < ARRAY_SIZE(roots); i++) {
		char path[PATH_MAX];

		r = host_path(env, path, "%s/io.containerd.runtime.v2.task/moby/%s/config.json",
			      roots[i], c->id);
		if (!r)
			r = set_if_readable(c, path);
	}
	return r || c->oci_config ? r : set_from_shim(env, c);
}

/* One container's directory below DATA_ROOT/containers. */
static int read_one(const struct ctr_env *env, const char *dir, const char *ref, struct ctr_list *l)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_ctr_ struct ctr c = { 0 };
	struct task_claim claim = { .owner = TASK_ANY_OWNER };
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/config.v2.json", dir) >= (int)sizeof(path))
		return 0;
	if (host_read_json(path, &o, &claim.written_ns) < 0)
		return 0; /* being created or removed */
	r = docker_parse_config(o, &c);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	claim.pid = c.pid;
	claim.id = c.id;
	oci_set_live(env, &c, &claim);
	r = docker_set_bundle(env, &c);
	return r < 0 ? r : ctr_list_add_match(l, &c, ref);
}

/* The containers of one data root. */
static int read_containers(const struct ctr_env *env, const char *data_root, const char *ref,
			   struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	char dir[PATH_MAX], one[PATH_MAX];
	const char *name;
	int r;

	if (snprintf(dir, sizeof(dir), "%s/containers", data_root) >= (int)sizeof(dir))
		return 0;
	r = host_dir_open(dir, &d);
	while (!r && (name = host_dir_next(&d)))
		if (snprintf(one, sizeof(one), "%s/%s", dir, name) < (int)sizeof(one))
			r = read_one(env, one, ref, l);
	return r == -ENOENT ? 0 : r;
}

/* "100000.100000": a daemon with --userns-remap has a data root for each user and group below its own. */
static bool is_remapped(const char *name)
{
	size_t n = strspn(name, "0123456789"), m = name[n] == '.' ? n + 1 : n;

	return n && m > n && name[m] && !name[m + strspn(name + m, "0123456789")];
}

static int read_root(const struct ctr_env *env, const char *data_root, const char *ref,
		     struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	int r = read_containers(env, data_root, ref, l);
	char sub[PATH_MAX];
	const char *name;

	if (r < 0 || host_dir_open(data_root, &d) < 0)
		return r;
	while (!r && (name = host_dir_next(&d)))
		if (is_remapped(name) &&
		    snprintf(sub, sizeof(sub), "%s/%s", data_root, name) < (int)sizeof(sub))
			r = read_containers(env, sub, ref, l);
	return r;
}

static int add_place(const struct ctr_env *env, struct host_places *p, const char *data_root)
{
	char path[PATH_MAX];

	if (data_root[0] != '/' || host_path(env, path, "%s", data_root) < 0)
		return 0;
	return host_places_add(p, path);
}

/* The data root that a daemon's configuration names, or the usual one. */
static int add_configured(const struct ctr_env *env, struct host_places *p)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *root = NULL;
	char path[PATH_MAX];

	if (host_path(env, path, "/etc/docker/daemon.json") == 0 &&
	    host_read_json(path, &o, NULL) == 0) {
		root = json_str(o, "data-root");
		if (!root)
			root = json_str(o, "graph"); /* before 17.05 */
	}
	return add_place(env, p, root ? root : DATA_ROOT);
}

/*
 * A daemon that runs says on its command line where its data is. Only one
 * beside us is believed: a container can name a process as it likes.
 */
static int add_running(const struct ctr_env *env, pid_t pid, const char *host,
		       struct host_places *p)
{
	_cleanup_free_ char *cmd = NULL;
	const char *root, *listens;
	uid_t uid;
	size_t len;

	if (!task_comm_starts(env, pid, "dockerd\n"))
		return 0;
	uid = task_uid(env, pid);
	if ((uid && uid != env->uid) || !task_beside_us(env, pid) ||
	    task_cmdline(env, pid, &cmd, &len) < 0)
		return 0;
	listens = task_arg(cmd, len, "-H");
	if (!listens)
		listens = task_arg(cmd, len, "--host");
	if (host && (!listens || strcmp(listens, host) != 0))
		return 0;
	root = task_arg(cmd, len, "--data-root");
	if (!root)
		root = task_arg(cmd, len, "-g");
	return root ? add_place(env, p, root) : add_configured(env, p);
}

int docker_state(const struct ctr_env *env, const char *host, bool scan, const char *ref,
		 struct ctr_list *l)
{
	_cleanup_host_places_ struct host_places p = { .n = 0 };
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	pid_t pid;
	int r = host ? 0 : add_configured(env, &p), denied = 0;

	if (!r && (host || scan)) {
		r = tasks_open(env, &d);
		while (!r && tasks_next(&d, &pid) == 1)
			r = add_running(env, pid, host, &p);
	}
	for (size_t i = 0; !r && i < p.n; i++) {
		r = read_root(env, p.v[i], ref, l);
		if (r == -EACCES) {
			denied = r;
			r = 0;
		}
	}
	return r ? r : denied;
}
