/* SPDX-License-Identifier: MIT */
/* cntr exec: one of the container's own programs, in its own view. */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"
#include "run.h"
#include "sealed.h"

const struct opt cmd_exec_opts[] = { RUN_OPTS, { 0 } };

static int parse(struct run *r, struct opt_parser *p, struct err *e)
{
	int id, ret = 0;

	while (!ret && (id = opt_next(p, e)) != 0)
		ret = id < 0 ? id : run_option(r, id, p->arg, e);
	return ret < 0 ? ret : run_operands(r, p, e);
}

/* The container's environment as it is; what a container that was started by hand lacks is added. */
static int make_env(const struct run *r, struct env *env, struct err *e)
{
	const char *home = r->user_found.known ? r->user_found.home : "/";
	const char *term = getenv("TERM");
	int ret = env_add_block(env, r->t.environ, r->t.environ_len);

	if (!ret && !env_get(env, "PATH"))
		ret = env_set(env, "PATH", ENV_DEFAULT_PATH);
	if (!ret && term)
		ret = env_set(env, "TERM", term);
	if (!ret && (r->user || !env_get(env, "HOME")))
		ret = env_set(env, "HOME", home);
	return ret < 0 ? err_set(e, -ret, "making the environment: %s", err_str(ret)) : 0;
}

static int exec_in(struct run *r, int *ret_exit, struct err *e)
{
	_cleanup_env_ struct env env = { 0 };
	const char *command[] = { "/bin/sh", NULL };
	struct session s = { .argv = command };
	int ret = sealed_self(cmd_argv, e);

	if (!ret)
		ret = run_open(r, false, e);
	if (!ret)
		ret = make_env(r, &env, e);
	if (ret < 0)
		return ret;
	if (r->user_found.known && *r->user_found.shell == '/')
		command[0] = r->user_found.shell;
	s.workdir = r->t.cwd;
	return run_session(r, &s, &env, ret_exit, e);
}

int cmd_exec(struct opt_parser *p)
{
	_cleanup_run_ struct run r = RUN_INIT;
	int exit_code = PTY_EXIT_FAILED;
	struct err e = { 0 };

	if (parse(&r, p, &e) < 0)
		return run_usage(p, &e);
	if (exec_in(&r, &exit_code, &e) < 0)
		return run_failed(&e, exit_code);
	return exit_code;
}
