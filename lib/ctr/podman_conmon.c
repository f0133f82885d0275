/* SPDX-License-Identifier: MIT */
/*
 * podman_conmon.c - running podman containers by their monitors.
 *
 * Theory of operation
 *
 * conmon stays the parent of a container's first process, and has all on its
 * command line: -c ID, -n NAME, -b BUNDLE, -p PIDFILE. Any process can look
 * like that, one in a container too. So the first process must be a child of
 * this monitor; then nobody can pass off what is not his.
 */
#include <errno.h>
#include <string.h>

#include "oci.h"
#include "podman.h"
#include "task.h"

struct monitor {
	pid_t pid;
	const char *id, *name, *bundle, *pidfile;
};

static bool parse_cmdline(const char *cmd, size_t len, struct monitor *ret)
{
	ret->id = task_arg(cmd, len, "-c");
	ret->name = task_arg(cmd, len, "-n");
	ret->bundle = task_arg(cmd, len, "-b");
	ret->pidfile = task_arg(cmd, len, "-p");
	return ret->id && ctr_id_like(ret->id) && ret->name && ret->name[0] && ret->bundle &&
	       ret->bundle[0] == '/' && ret->pidfile && ret->pidfile[0] == '/';
}

static bool is_podmans(struct json_object *config)
{
	const char *manager = oci_annotation(config, "io.container.manager");

	return manager && !strcmp(manager, "libpod");
}

/* The name of the image, from the store that the bundle is in. */
static int set_image(const struct ctr_env *env, const struct monitor *m, struct ctr *c)
{
	_cleanup_json_ struct json_object *all = NULL;
	char path[PATH_MAX];

	/* BUNDLE is .../DRIVER-containers/ID/userdata */
	if (host_path(env, path, "%s/../../containers.json", m->bundle) < 0 ||
	    host_read_json(path, &all, NULL) < 0)
		return 0;
	for (size_t i = 0; i < json_len(all) && i < ENGINE_CONTAINERS_MAX; i++) {
		_cleanup_ctr_ struct ctr o = { 0 };
		int r = podman_parse_entry(json_at(all, i), &o);

		if (r == -ENOMEM)
			return r;
		if (r == 1 && !strcmp(o.id, c->id))
			return ctr_str_set(&c->image, o.image);
	}
	return 0;
}

static int add_monitored(const struct ctr_env *env, const struct monitor *m, struct ctr_list *l)
{
	_cleanup_json_ struct json_object *config = NULL;
	_cleanup_ctr_ struct ctr c = { .engine = engine_podman.name };
	struct task_claim claim = { .id = m->id, .owner = task_uid(env, m->pid) };
	struct proc_stat t;
	char path[PATH_MAX];

	if (host_path(env, path, "%s", m->pidfile) < 0)
		return 0;
	claim.pid = oci_pidfile(path, &claim.written_ns);
	if (!claim.pid || task_stat(env, claim.pid, &t) < 0 || t.ppid != m->pid)
		return 0;
	if (host_path(env, path, "%s/config.json", m->bundle) < 0 ||
	    host_read_json(path, &config, NULL) < 0 || !is_podmans(config))
		return 0;
	if (ctr_str_set(&c.id, m->id) < 0 || ctr_str_set(&c.name, m->name) < 0 ||
	    ctr_str_set(&c.oci_config, path) < 0 || set_image(env, m, &c) < 0)
		return -ENOMEM;
	oci_set_live(env, &c, &claim);
	return c.pid ? ctr_list_add(l, &c) : 0;
}

static bool listed(const struct ctr_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].engine == engine_podman.name && l->v[i].pid && !strcmp(l->v[i].id, id))
			return true;
	return false;
}

int podman_scan(const struct ctr_env *env, struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	int r = tasks_open(env, &d);
	struct monitor m;

	while (!r && tasks_next(&d, &m.pid) == 1) {
		_cleanup_free_ char *cmd = NULL;
		size_t len;

		if (!task_comm_starts(env, m.pid, "conmon\n") ||
		    task_cmdline(env, m.pid, &cmd, &len) < 0)
			continue;
		if (parse_cmdline(cmd, len, &m) && !listed(l, m.id))
			r = add_monitored(env, &m, l);
	}
	return r == -ENOENT ? 0 : r;
}
