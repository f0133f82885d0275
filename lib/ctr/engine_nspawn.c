/* SPDX-License-Identifier: MIT */
/*
 * engine_nspawn.c - containers of systemd-nspawn, and others that systemd-machined knows.
 *
 * Theory of operation
 *
 * machined keeps a file per registered machine, /run/systemd/machines/NAME,
 * whose LEADER is the container's first process. With --register=no there is
 * none: such a container is the first process in a pid namespace whose parent
 * is a systemd-nspawn, and its name is what nspawn makes of its arguments. An
 * nspawn container has no id: its name is unique on the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "engine.h"
#include "host.h"
#include "io.h"
#include "nspawn.h"
#include "scan.h"

#define MACHINES "/run/systemd/machines"
#define NSPAWN   "systemd-nspawn"

/* Takes what it can of @name and @image; @image may be empty. */
static int add_ctr(struct ctr_list *l, const char *name, struct span image, pid_t pid,
		   const char *ref)
{
	_cleanup_ctr_ struct ctr c = { .engine = "nspawn", .pid = pid, .state = CTR_RUNNING };

	if (image.len && !(c.image = span_dup(image)))
		return -ENOMEM;
	if (ctr_str_set(&c.id, name) < 0 || ctr_str_set(&c.name, name) < 0)
		return -ENOMEM;
	return ctr_list_add_match(l, &c, ref);
}

static int add_machine(const struct ctr_env *env, const char *name, struct ctr_list *l,
		       const char *ref)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct nspawn_machine m;
	struct task_claim claim = { .owner = TASK_ANY_OWNER };
	size_t len;
	int r = host_path(env, path, MACHINES "/%s", name);

	if (!r)
		r = host_read(path, &text, &len, &claim.written_ns);
	if (!r)
		r = nspawn_machine_parse(text, len, &m);
	if (r < 0)
		return r == -EACCES || r == -ENOMEM ? r : 0;
	claim.pid = m.leader;
	if (!m.container || task_check(env, &claim) < 0)
		return 0;
	return add_ctr(l, name, m.root, scan_payload(env, m.leader), ref);
}

static int list_machines(const struct ctr_env *env, struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir dir = HOST_DIR_INIT;
	char path[PATH_MAX];
	const char *name;
	int r = host_path(env, path, MACHINES);

	if (!r)
		r = host_dir_open(path, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* "unit:NAME.scope" is a link to the machine that has this unit */
	while (!r && (name = host_dir_next(&dir)))
		r = strchr(name, ':') ? 0 : add_machine(env, name, l, NULL);
	return r;
}

static bool has_pid(const struct ctr_list *l, size_t from, pid_t pid)
{
	for (size_t i = from; i < l->n; i++)
		if (l->v[i].pid == pid)
			return true;
	return false;
}

/* Without -D, -i and -M the container is the directory that nspawn was started in. */
static void name_from_cwd(const struct ctr_env *env, pid_t nspawn, char ret[NSPAWN_NAME_MAX])
{
	_cleanup_free_ char *cwd = NULL;
	char path[PATH_MAX];

	if (host_path(env, path, "/proc/%d/cwd", nspawn) == 0 &&
	    io_readlink_at(AT_FDCWD, path, &cwd) == 0)
		nspawn_name_of_path((struct span){ cwd, strlen(cwd) }, ret);
	if (!ret[0])
		(void)snprintf(ret, NSPAWN_NAME_MAX, "nspawn-%d", nspawn);
}

static int add_process(const struct ctr_env *env, const struct scan_proc *p, size_t from,
		       struct ctr_list *l)
{
	_cleanup_free_ char *cmdline = NULL;
	pid_t pid;
	struct nspawn_args args;
	struct proc_stat parent;
	size_t len;

	if (task_stat(env, p->task.ppid, &parent) < 0 || strcmp(parent.comm, NSPAWN) != 0)
		return 0;
	pid = scan_payload(env, p->pid);
	if (has_pid(l, from, pid) || task_cmdline(env, p->task.ppid, &cmdline, &len) < 0)
		return 0;
	nspawn_args_parse(cmdline, len, &args);
	if (!args.name[0])
		name_from_cwd(env, p->task.ppid, args.name);
	return add_ctr(l, args.name, args.image, pid, NULL);
}

static int nspawn_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	_cleanup_scan_ struct scan own = { 0 };
	struct scan *s = env->scan ? env->scan : &own;
	size_t from = l->n;
	int machines = list_machines(env, l), r = scan_load(env, s);

	for (size_t i = 0; !r && i < s->n; i++)
		if (s->v[i].first && s->v[i].other[SCAN_PID])
			r = add_process(env, &s->v[i], from, l);
	if (r < 0)
		return err_set(e, -r, "looking for nspawn containers in /proc: %s", err_str(r));
	if (machines < 0)
		return err_set(e, -machines, "reading '%s': %s", MACHINES, err_str(machines));
	return 0;
}

static int nspawn_find(const struct ctr_env *env, const char *ref, struct ctr_list *l,
		       struct err *e)
{
	int r = strpbrk(ref, "/:") || ref[0] == '.' ? 0 : add_machine(env, ref, l, ref);

	return r < 0 ? err_set(e, -r, "reading '%s/%s': %s", MACHINES, ref, err_str(r)) : 0;
}

const struct engine_ops engine_nspawn = { .name = "nspawn",
					  .list = nspawn_list,
					  .find = nspawn_find };
