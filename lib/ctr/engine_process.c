/* SPDX-License-Identifier: MIT */
/*
 * engine_process.c - a process as a target: by its pid, as "self", or by its name.
 *
 * Theory of operation
 *
 * A name is compared with the last part of the first argument, and with what
 * the kernel has (comm, cut to 15 bytes). A server that forked workers of the
 * same name is one target: a process whose parent matches is left out. Processes
 * are no containers, so list() has none.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "oci.h"
#include "task.h"

#define COMM_MAX 15

static int add_process(const struct ctr_env *env, pid_t pid, const struct proc_stat *t,
		       struct ctr_list *l)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_process.name, .pid = pid };
	char id[16];

	(void)snprintf(id, sizeof(id), "%d", pid);
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, t->comm[0] ? t->comm : id) < 0)
		return -ENOMEM;
	c.state = task_frozen(env, pid) ? CTR_PAUSED : CTR_RUNNING;
	return ctr_list_add(l, &c);
}

static bool has_name(const struct ctr_env *env, pid_t pid, const struct proc_stat *t,
		     const char *name)
{
	_cleanup_free_ char *cmd = NULL;
	const char *slash;
	size_t len;

	if (!strcmp(t->comm, name))
		return true;
	/* Only a name that was cut, or that the process changed, needs a second look. */
	if (task_cmdline(env, pid, &cmd, &len) < 0 || !len)
		return false;
	slash = strrchr(cmd, '/');
	return !strcmp(slash ? slash + 1 : cmd, name);
}

static int find_named(const struct ctr_env *env, const char *name, struct ctr_list *l)
{
	_cleanup_host_dir_ struct host_dir d = HOST_DIR_INIT;
	int r = tasks_open(env, &d);
	pid_t pid;

	while (!r && tasks_next(&d, &pid) == 1) {
		struct proc_stat t, parent;

		if (pid == getpid() || task_stat(env, pid, &t) < 0 || !has_name(env, pid, &t, name))
			continue;
		if (task_stat(env, t.ppid, &parent) == 0 && has_name(env, t.ppid, &parent, name))
			continue;
		/* What was asked for, not what was cut from it. */
		if (strlen(name) > COMM_MAX && strlen(name) < sizeof(t.comm))
			memcpy(t.comm, name, strlen(name) + 1);
		r = add_process(env, pid, &t, l);
		if (l->n >= ENGINE_CONTAINERS_MAX)
			break;
	}
	return r;
}

static int process_find(const struct ctr_env *env, const char *ref, struct ctr_list *l,
			struct err *e)
{
	struct proc_stat t;
	pid_t pid;
	int r;

	if (!strcmp(ref, "self"))
		pid = getpid();
	else if (task_pid_parse(ref, &pid) < 0)
		pid = 0;
	if (!pid)
		r = find_named(env, ref, l);
	else if (task_stat(env, pid, &t) < 0)
		return err_set(e, ESRCH, "no process has the pid %d", pid);
	else
		r = add_process(env, pid, &t, l);
	return r < 0 ? err_set(e, -r, "reading the list of processes: %s", err_str(r)) : 0;
}

static int process_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	(void)env;
	(void)l;
	(void)e;
	return 0;
}

const struct engine_ops engine_process = { "process", process_list, process_find };
