/* SPDX-License-Identifier: MIT */
/* cntr attach: a shell, or any command, of the tools tree inside a container. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bar.h"
#include "cache.h"
#include "cleanup.h"
#include "cmd.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"
#include "run.h"
#include "sealed.h"

#define BASE_DIR "/var/lib/cntr"

enum {
	OPT_TOOLS = RUN_OWN,
	OPT_VIEW,
	OPT_MERGE,
	OPT_HIDE,
	OPT_RW,
	OPT_FORWARD
};

const struct opt cmd_attach_opts[] = {
	{ OPT_TOOLS, "tools", "DIR|CONTAINER|IMAGE.tar|host", "where the tools come from",
	  OPT_COMPLETE_FILE | OPT_COMPLETE_DIR | OPT_COMPLETE_TARGET },
	{ OPT_VIEW, "view", "bind|union|fuse",
	  "tools at / (by mounts, or a file server), or under the container's root", 0 },
	{ OPT_MERGE, "merge", NULL, "with --view fuse: the container's root over the tools", 0 },
	{ OPT_HIDE, "hide", "PATH", "with --view fuse: have it not in the view", 0 },
	{ OPT_RW, "rw", NULL, "let the tools tree be written", 0 },
	{ OPT_FORWARD, "forward", "[ADDRESS:]PORT[:PORT]|SOCKET[:PATH]",
	  "a port of the container at the host's, or a unix socket of one side at the other",
	  OPT_COMPLETE_FILE },
	RUN_OPTS,
	{ 0 },
};

struct attach {
	struct run run;
	const char *tools;
	struct view_opts view;
	struct policy policy;
	struct tools_src src;
	struct forwards forwards;
	int image_lock; /* keeps the image that the tools come from in the cache; or -1 */
	bool host;      /* the tools are the host's own root */
};

static void attach_close(struct attach *a)
{
	policy_fini(&a->policy);
	tools_src_fini(&a->src);
	forwards_stop(&a->forwards);
	closep(&a->image_lock);
	run_close(&a->run);
}

static int parse(struct attach *a, struct opt_parser *p, struct err *e)
{
	int id, r = 0;

	while (!r && (id = opt_next(p, e)) != 0) {
		if (id < 0)
			return id;
		if (id == OPT_TOOLS)
			a->tools = p->arg;
		else if (id == OPT_RW)
			a->view.writable = true;
		else if (id == OPT_FORWARD)
			r = forwards_add(&a->forwards, p->arg, e);
		else if (id == OPT_HIDE)
			r = policy_add(&a->policy, POLICY_HIDE, p->arg, e);
		else if (id == OPT_MERGE)
			a->view.merge = true;
		else if (id != OPT_VIEW)
			r = run_option(&a->run, id, p->arg, e);
		else if (!strcmp(p->arg, "union"))
			a->view.kind = VIEW_UNION;
		else if (!strcmp(p->arg, "bind"))
			a->view.kind = VIEW_BIND;
		else if (!strcmp(p->arg, "fuse"))
			a->view.kind = VIEW_FUSE;
		else
			r = err_set(e, EINVAL, "--view takes bind, union or fuse, not '%.40s'",
				    p->arg);
	}
	if (!r && a->view.merge && a->view.kind != VIEW_FUSE)
		r = err_set(e, EINVAL, "--merge takes --view fuse");
	if (!r && a->policy.n && a->view.kind != VIEW_FUSE)
		r = err_set(e, EINVAL, "--hide takes --view fuse");
	if (!r && a->view.merge && a->view.writable)
		r = err_set(e, EINVAL,
			    "--rw does not go with --merge, which writes to the container");
	return r < 0 ? r : run_operands(&a->run, p, e);
}

static int base_dir(const char **ret, struct err *e)
{
	static const char *const own[] = { "/dev", "/proc", "/sys", "/tmp" };
	const char *base = getenv("CNTR_BASE_DIR");

	if (!base || !*base)
		base = BASE_DIR;
	if (base[0] != '/' || !base[1] || base[strlen(base) - 1] == '/' || strstr(base, "//") ||
	    strstr(base, "/.") || strlen(base) > PATH_MAX / 2)
		return err_set(e, EINVAL,
			       "CNTR_BASE_DIR must be an absolute path below /, without '.', '..' "
			       "and '//', not '%.100s'",
			       base);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (path_below(base, own[i]))
			return err_set(e, EINVAL,
				       "CNTR_BASE_DIR cannot be in %s, which is the session's own: "
				       "'%.100s'",
				       own[i], base);
	*ret = base;
	return 0;
}

static int tools_from_container(struct attach *a, struct err *e)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	int r = ctr_open(&a->run.ctr_env, a->tools, &c, &ref, e);

	return r < 0 ? r : tools_src_process(ref.procfd, &a->src, e);
}

/* One line that is written over; only for somebody who watches. */
static void show_progress(void *arg, const struct image_progress *p)
{
	unsigned int percent = p->total ? (unsigned int)(p->done * 100 / p->total) : 0;

	(void)arg;
	if (p->waiting)
		(void)fprintf(stderr, "\r\033[Kcntr: waiting for another cntr to unpack the image");
	else
		(void)fprintf(stderr, "\r\033[Kcntr: unpacking the image: layer %u of %u, %u %%",
			      p->layer, p->nlayers, percent);
}

static int tools_from_image(struct attach *a, struct err *e)
{
	bool watched = bar_works(STDERR_FILENO);
	struct unpack_stats stats = { 0 };
	struct image_opts opts = { .progress = watched ? show_progress : NULL, .stats = &stats };
	_cleanup_free_ char *dir = NULL;
	int r = image_cache_get(a->tools, &opts, &dir, &a->image_lock, e);

	if (watched && (r < 0 || stats.entries))
		(void)fprintf(stderr, "\r\033[K");
	return r < 0 ? r : tools_src_dir(dir, &a->src, e);
}

/* A file, or a directory that is an OCI image layout. */
static bool is_image(const char *path)
{
	_cleanup_free_ char *layout = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return true;
	if (asprintf(&layout, "%s/oci-layout", path) < 0)
		layout = NULL;
	return layout && access(layout, F_OK) == 0;
}

/* A path has a slash, or is an image; anything else names a container. */
static int open_tools(struct attach *a, struct err *e)
{
	int r;

	if (a->host)
		return tools_src_dir("/", &a->src, e);
	if (is_image(a->tools))
		r = tools_from_image(a, e);
	else if (strchr(a->tools, '/') || !strcmp(a->tools, "."))
		return tools_src_dir(a->tools, &a->src, e);
	else
		r = tools_from_container(a, e);
	return r < 0 ? err_wrap(e, r, "tools") : 0;
}

static bool has_program(const struct attach *a, const char *path)
{
	_cleanup_close_ int fd = mnt_open_in(a->src.rootfd, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* The caller's own shell if the tools are the caller's own; NULL if there is none. */
static const char *find_shell(const struct attach *a)
{
	static const char *const shells[] = { "/bin/bash", "/bin/zsh", "/bin/sh", "/busybox/sh" };
	const char *own = getenv("SHELL");

	if (a->host && own && *own == '/' && has_program(a, own))
		return own;
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (has_program(a, shells[i]))
			return shells[i];
	return NULL;
}

static const char *find_home(const struct attach *a)
{
	const char *home = getenv("HOME");

	if (a->host && home && *home == '/')
		return home;
	return a->run.t.cred.uid ? "/" : "/root";
}

/* Is the container's root over the tools, at the same place? */
static bool is_over(const struct attach *a)
{
	return a->view.kind == VIEW_UNION || a->view.merge;
}

/* The container's environment; what names the terminal and the tools' places is the caller's. */
static int make_env(const struct attach *a, const char *shell, struct env *env, struct err *e)
{
	const char *path = a->host ? getenv("PATH") : NULL, *ctr_path;
	_cleanup_free_ char *joined = NULL;
	int r = env_add_block(env, a->run.t.environ, a->run.t.environ_len);

	ctr_path = env_get(env, "PATH");
	path = path && *path ? path : ENV_DEFAULT_PATH;
	if (!r && is_over(a) && ctr_path && *ctr_path) {
		if (asprintf(&joined, "%s:%s", ctr_path, path) < 0) {
			joined = NULL;
			r = -ENOMEM;
		}
		path = joined;
	}
	env_drop_hooks(env);
	if (!r)
		r = env_set(env, "PATH", path);
	if (!r)
		r = env_set(env, "TERM", getenv("TERM"));
	if (!r)
		r = env_set(env, "LANG", getenv("LANG"));
	if (!r)
		r = env_set(env, "HOME", a->view.home);
	if (!r)
		r = env_set(env, "SHELL", shell);
	return r < 0 ? err_set(e, -r, "making the environment: %s", err_str(r)) : 0;
}

/* Can the command be a program of the container's, or of other tools than the host's? */
static bool runs_foreign(const struct attach *a)
{
	for (size_t i = 0; i < a->run.nenv; i++)
		if (!strncmp(a->run.env[i], "PATH=", strlen("PATH=")))
			return true;
	return !a->host || is_over(a) || (a->run.command && strchr(a->run.command[0], '/'));
}

static int attach(struct attach *a, int *ret_exit, struct err *e)
{
	_cleanup_env_ struct env env = { 0 };
	const char *command[] = { NULL, NULL };
	struct session s = { .view = &a->view, .tools = &a->src, .argv = command };
	int r = base_dir(&a->view.base, e);

	a->host = !a->tools || !strcmp(a->tools, "host");
	a->run.mounts = is_over(a);
	if (!r && runs_foreign(a))
		r = sealed_self(cmd_argv, e);
	if (!r)
		r = run_open(&a->run, true, e);
	if (!r)
		r = open_tools(a, e);
	if (!r && a->forwards.n) {
		s.forwards = &a->forwards;
		r = forwards_open(s.forwards, e);
	}
	if (r < 0)
		return r;
	a->view.unmasked = a->run.privileged;
	a->view.policy = a->policy.n ? &a->policy : NULL;
	a->view.uid = a->run.t.cred.uid;
	a->view.gid = a->run.t.cred.gid;
	a->view.home = find_home(a);
	command[0] = find_shell(a);
	if (!command[0] && !a->run.command) {
		*ret_exit = PTY_EXIT_NOT_FOUND;
		return err_set(e, ENOENT, "the tools have no shell; name a command after '--'");
	}
	s.workdir = a->view.base;
	r = make_env(a, command[0], &env, e);
	return r < 0 ? r : run_session(&a->run, &s, &env, ret_exit, e);
}

int cmd_attach(struct opt_parser *p)
{
	_cleanup_(attach_close) struct attach a = {
		.run = RUN_INIT, .src = TOOLS_SRC_INIT, .forwards = FORWARDS_INIT, .image_lock = -1
	};
	int exit_code = PTY_EXIT_FAILED;
	struct err e = { 0 };

	if (parse(&a, p, &e) < 0)
		return run_usage(p, &e);
	if (attach(&a, &exit_code, &e) < 0)
		return run_failed(&e, exit_code);
	return exit_code;
}
