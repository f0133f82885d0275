/* SPDX-License-Identifier: MIT */
/*
 * engine_sandbox.c - sandboxes that nobody keeps a list of: bubblewrap, flatpak, plain unshare.
 *
 * Theory of operation
 *
 * flatpak leaves a directory per running application, $XDG_RUNTIME_DIR/.flatpak/ID;
 * its user writes it, so the process that it names has to be that user's.
 * The others are found by their processes (scan.h). bubblewrap:
 *
 *	bwrap --- bwrap (pid 1 in a new pid namespace) --- the command
 *	bwrap --- the command				   (--as-pid-1, or without a pid namespace)
 *
 * Each sandbox is shown by its command, for only that has the final
 * environment and rights. All that is first in a pid or user namespace and
 * belongs to no other engine is "unshare". A private mount namespace alone
 * makes no container: every second service of systemd has one.
 *
 * Names are COMMAND-PID, ids the number of the namespace.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine.h"
#include "host.h"
#include "sandbox.h"
#include "scan.h"

#define BWRAP    "bwrap"
#define NSPAWN   "systemd-nspawn"
#define RUN_USER "/run/user"

static struct scan *shared_scan(const struct ctr_env *env, struct scan *own)
{
	return env->scan ? env->scan : own;
}

static int add_sandbox(const struct ctr_env *env, const char *engine, const struct scan_proc *p,
		       pid_t pid, struct ctr_list *l, const char *ref)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine, .pid = pid };
	enum scan_ns ns = p->other[SCAN_PID]    ? SCAN_PID
			  : p->other[SCAN_USER] ? SCAN_USER
						: SCAN_MNT;
	char id[24], name[64];
	struct proc_stat t;

	if (task_stat(env, pid, &t) < 0)
		return 0;
	(void)snprintf(id, sizeof(id), "%" PRIu64, p->ns[ns]);
	(void)snprintf(name, sizeof(name), "%s-%d", t.comm, pid);
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, name) < 0)
		return -ENOMEM;
	c.state = task_frozen(env, pid) ? CTR_PAUSED : CTR_RUNNING;
	return ctr_list_add_match(l, &c, ref);
}

static bool parent_is(const struct ctr_env *env, const struct scan_proc *p, const char *comm)
{
	struct proc_stat parent;

	return task_stat(env, p->task.ppid, &parent) == 0 && !strcmp(parent.comm, comm);
}

/* Is @p where a bubblewrap sandbox begins? @ret_pid: its command. */
static bool is_bwrap(const struct ctr_env *env, const struct scan_proc *p, pid_t *ret_pid)
{
	uint64_t mnt;

	if (p->first && p->other[SCAN_PID]) {
		if (strcmp(p->task.comm, BWRAP) != 0 && !parent_is(env, p, BWRAP))
			return false;
		*ret_pid = scan_payload(env, p->pid);
		return true;
	}
	/* no pid namespace of its own: it left the mount namespace of the bwrap that started it */
	if (p->other[SCAN_PID] || !p->other[SCAN_MNT] || !parent_is(env, p, BWRAP))
		return false;
	*ret_pid = p->pid;
	return scan_ns_ino(env, p->task.ppid, SCAN_MNT, &mnt) == 0 && mnt != p->ns[SCAN_MNT];
}

static int bwrap_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	_cleanup_scan_ struct scan own = { 0 };
	struct scan *s = shared_scan(env, &own);
	int r = scan_load(env, s);
	pid_t pid;

	for (size_t i = 0; !r && i < s->n; i++)
		if (is_bwrap(env, &s->v[i], &pid))
			r = add_sandbox(env, "bubblewrap", &s->v[i], pid, l, NULL);
	return r < 0 ? err_set(e, -r, "looking for bubblewrap in /proc: %s", err_str(r)) : 0;
}

/* Of a command that is pid 2 in its sandbox, the parent is where that begins. */
static int bwrap_find(const struct ctr_env *env, const char *ref, struct ctr_list *l, struct err *e)
{
	struct scan_proc p, parent;
	pid_t pid, found;
	int r;

	if (sandbox_name_parse(ref, &pid) < 0 || scan_one(env, pid, &p) < 0)
		return 0;
	if (p.other[SCAN_PID] && !p.first && scan_one(env, p.task.ppid, &parent) == 0)
		p = parent;
	if (!is_bwrap(env, &p, &found) || found != pid)
		return 0;
	r = add_sandbox(env, "bubblewrap", &p, pid, l, ref);
	return r < 0 ? err_set(e, -r, "no memory") : 0;
}

/* Helpers that lock themselves up, or hold a namespace for rootless containers; they hold no workload. */
static bool is_helper(const struct scan_proc *p)
{
	static const char *const any[] = { "pasta", "pasta.avx2", "passt", "passt.avx2",
					   "slirp4netns" };
	static const char *const in_userns[] = { "catatonit",      "conmon", "exe",
						 "fuse-overlayfs", "podman", "podman pause",
						 "rootlesskit" };

	for (size_t i = 0; i < ARRAY_SIZE(any); i++)
		if (!strcmp(p->task.comm, any[i]))
			return true;
	for (size_t i = 0; !p->other[SCAN_PID] && i < ARRAY_SIZE(in_userns); i++)
		if (!strcmp(p->task.comm, in_userns[i]))
			return true;
	return false;
}

/* Does a container that is listed already live in the namespace which @p is first in? */
static bool is_taken(const struct scan *s, const struct scan_proc *p, const struct ctr_list *l)
{
	enum scan_ns ns = p->other[SCAN_PID] ? SCAN_PID : SCAN_USER;

	for (size_t i = 0; i < l->n; i++) {
		const struct scan_proc *other = scan_find(s, l->v[i].pid);

		if (other && other->ns[ns] == p->ns[ns])
			return true;
	}
	return false;
}

static bool is_unshare(const struct ctr_env *env, const struct scan_proc *p)
{
	return p->first && !is_helper(p) && strcmp(p->task.comm, BWRAP) != 0 &&
	       !parent_is(env, p, BWRAP) && !parent_is(env, p, NSPAWN);
}

static int unshare_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	_cleanup_scan_ struct scan own = { 0 };
	struct scan *s = shared_scan(env, &own);
	int r = scan_load(env, s);

	for (size_t i = 0; !r && i < s->n; i++)
		if (is_unshare(env, &s->v[i]) && !is_taken(s, &s->v[i], l))
			r = add_sandbox(env, "unshare", &s->v[i], s->v[i].pid, l, NULL);
	return r < 0 ? err_set(e, -r, "looking for namespaces in /proc: %s", err_str(r)) : 0;
}

static int unshare_find(const struct ctr_env *env, const char *ref, struct ctr_list *l,
			struct err *e)
{
	struct scan_proc p;
	pid_t pid;
	int r;

	if (sandbox_name_parse(ref, &pid) < 0 || scan_one(env, pid, &p) < 0 || !is_unshare(env, &p))
		return 0;
	r = add_sandbox(env, "unshare", &p, pid, l, ref);
	return r < 0 ? err_set(e, -r, "no memory") : 0;
}

/* The instance @id below @dir, which belongs to @owner. */
static int add_instance(const struct ctr_env *env, const char *dir, const char *id, uid_t owner,
			struct ctr_list *l, const char *ref)
{
	_cleanup_ctr_ struct ctr c = { .engine = "flatpak", .state = CTR_RUNNING };
	struct task_claim claim = { .owner = owner };
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	struct flatpak_info info = { 0 };
	struct bwrap_info b;
	char path[PATH_MAX];
	uint64_t pidns;
	size_t len;

	if (snprintf(path, sizeof(path), "%s/%s/bwrapinfo.json", dir, id) >= PATH_MAX ||
	    host_read_json(path, &o, &claim.written_ns) < 0 || bwrap_info_parse(o, &b) < 0)
		return 0;
	claim.pid = b.child;
	if (task_check(env, &claim) < 0 ||
	    (b.pidns && (scan_ns_ino(env, b.child, SCAN_PID, &pidns) < 0 || pidns != b.pidns)))
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s/info", dir, id) < PATH_MAX &&
	    host_read(path, &text, &len, NULL) == 0)
		flatpak_info_parse(text, len, &info);
	c.pid = scan_payload(env, b.child);
	c.name = info.app.len ? span_dup(info.app) : strdup(id);
	c.image = info.runtime.len ? span_dup(info.runtime) : NULL;
	if (!c.name || (info.runtime.len && !c.image) || ctr_str_set(&c.id, id) < 0)
		return -ENOMEM;
	return ctr_list_add_match(l, &c, ref);
}

static int list_instances(const struct ctr_env *env, const char *runtime_dir, uid_t owner,
			  struct ctr_list *l, const char *ref)
{
	_cleanup_host_dir_ struct host_dir dir = HOST_DIR_INIT;
	char path[PATH_MAX];
	const char *id;
	int r = host_path(env, path, "%s/.flatpak", runtime_dir);

	if (!r)
		r = host_dir_open(path, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while (!r && (id = host_dir_next(&dir)))
		r = add_instance(env, path, id, owner, l, ref);
	return r;
}

/*
 * Root sees every user's. Only the name in /run/user, which is root's, says whose it
 * is: a user can make links to places of other owners of what lies below it.
 */
static int list_all_users(const struct ctr_env *env, struct ctr_list *l, const char *ref)
{
	_cleanup_host_dir_ struct host_dir dir = HOST_DIR_INIT;
	char path[PATH_MAX], runtime_dir[PATH_MAX];
	const char *name;
	int r = host_path(env, path, RUN_USER);

	if (!r)
		r = host_dir_open(path, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while (r != -ENOMEM && (name = host_dir_next(&dir))) {
		uint64_t uid;

		if (span_u64((struct span){ name, strlen(name) }, 10, &uid) < 0 ||
		    uid >= UINT32_MAX)
			continue;
		(void)snprintf(runtime_dir, sizeof(runtime_dir), RUN_USER "/%s", name);
		r = list_instances(env, runtime_dir, (uid_t)uid, l, ref);
	}
	return r == -ENOMEM ? r : 0;
}

static int flatpak_matching(const struct ctr_env *env, const char *ref, struct ctr_list *l,
			    struct err *e)
{
	int r = env->uid == 0      ? list_all_users(env, l, ref)
		: env->runtime_dir ? list_instances(env, env->runtime_dir, env->uid, l, ref)
				   : 0;

	return r < 0 ? err_set(e, -r, "reading flatpak's instances: %s", err_str(r)) : 0;
}

static int flatpak_list(const struct ctr_env *env, struct ctr_list *l, struct err *e)
{
	return flatpak_matching(env, NULL, l, e);
}

const struct engine_ops engine_flatpak = { "flatpak", flatpak_list, flatpak_matching };
const struct engine_ops engine_bubblewrap = { "bubblewrap", bwrap_list, bwrap_find };
const struct engine_ops engine_unshare = { "unshare", unshare_list, unshare_find };
