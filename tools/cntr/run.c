/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "mnt.h"
#include "sealed.h"

static int add_env(struct run *r, const char *arg, struct err *e)
{
	if (*arg == '=' || !strchr(arg, '='))
		return err_set(e, EINVAL, "--env takes NAME=VALUE, not '%.60s'", arg);
	if (r->nenv == RUN_ENV_MAX)
		return err_set(e, EINVAL, "too many --env options");
	r->env[r->nenv++] = arg;
	return 0;
}

static int add_caps(uint64_t *caps, const char *arg, const char *option, struct err *e)
{
	uint64_t more = 0;
	int r = ns_caps_parse(arg, &more, e);

	*caps |= more;
	return r < 0 ? err_wrap(e, r, "%s", option) : 0;
}

int run_option(struct run *r, int id, const char *arg, struct err *e)
{
	switch (id) {
	case 'u':
		r->user = arg;
		return ns_user_check(arg, e);
	case RUN_PRIVILEGED:
		r->privileged = true;
		return 0;
	case RUN_CAP_ADD:
		return add_caps(&r->cap_add, arg, "--cap-add", e);
	case RUN_CAP_DROP:
		return add_caps(&r->cap_drop, arg, "--cap-drop", e);
	case 'e':
		return add_env(r, arg, e);
	case 'w':
		r->workdir = arg;
		return 0;
	case 't':
		r->tty = PTY_ALWAYS;
		return 0;
	case 'T':
		r->tty = PTY_NEVER;
		return 0;
	case 'v':
		log_init("cntr", "CNTR_LOG", true);
		return 0;
	default:
		return err_set(e, EINVAL, "unknown option");
	}
}

int run_operands(struct run *r, const struct opt_parser *p, struct err *e)
{
	if (!p->noperands)
		return err_set(e, EINVAL, "no TARGET given");
	r->target = p->operand[0];
	r->command = p->noperands > 1 ? &p->operand[1] : NULL;
	return 0;
}

int run_usage(const struct opt_parser *p, const struct err *e)
{
	log_error("%s; see 'cntr %s --help'", e->msg, p->verb->name);
	return OPT_EXIT_USAGE;
}

int run_failed(const struct err *e, int exit_code)
{
	log_error("%s", e->msg);
	return exit_code;
}

/* The user that --user names, else the line of the one that the container's first process is. */
static int settle_user(struct run *r, struct err *e)
{
	_cleanup_free_ char *passwd = NULL, *group = NULL;
	size_t passwd_len = 0, group_len = 0;
	struct span pw, gr;
	int ret;

	(void)!target_read_file(&r->t, "/etc/passwd", NS_PASSWD_MAX, &passwd, &passwd_len);
	(void)!target_read_file(&r->t, "/etc/group", NS_PASSWD_MAX, &group, &group_len);
	pw = (struct span){ passwd ? passwd : "", passwd_len };
	gr = (struct span){ group ? group : "", group_len };
	if (!r->user) {
		(void)!ns_passwd_by_uid(pw, r->t.cred.uid, &r->user_found);
		return 0;
	}
	ret = ns_user_resolve(r->user, "container's", pw, gr, &r->user_found, e);
	return ret < 0 ? ret : ns_cred_set_user(&r->t.cred, &r->user_found, e);
}

static void settle_caps(struct run *r, bool ptrace)
{
	uint64_t caps = 0;

	if (ptrace)
		(void)!ns_caps_parse("sys_ptrace", &caps, NULL);
	ns_cred_add_caps(&r->t.cred, caps | r->cap_add);
	ns_cred_drop_caps(&r->t.cred, r->cap_drop);
}

static void say_filter(const struct run *r)
{
	if (r->t.filter == FILTER_UNKNOWN)
		log_warn("the container's seccomp filter could not be taken over, the command runs "
			 "without it: %s",
			 r->t.filter_why);
	else if (r->t.seccomp.supervised)
		log_warn("the container's seccomp filter leaves calls to a supervisor, which does "
			 "not know the command: they will fail");
}

int run_open(struct run *r, bool ptrace, struct err *e)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	int flags, ret = mnt_api_check(e);

	if (ret < 0)
		return ret;
	ctr_env_init(&r->ctr_env);
	ret = ctr_open(&r->ctr_env, r->target, &r->ctr, &ref, e);
	if (ret < 0)
		return ret;
	if (r->ctr.state == CTR_PAUSED)
		return err_set(e, EBUSY,
			       "container '%s' is paused; whatever joined it would stop as well: "
			       "unpause it first",
			       r->ctr.name);
	flags = (r->privileged ? 0 : TARGET_RIGHTS) | (r->mounts ? TARGET_MOUNTS : 0);
	ret = target_open(&ref, r->ctr.oci_config, flags, &r->t, e);
	/* /proc/PID/exe shows our child to whoever may trace it, before it is the command */
	if (!ret && ns_cred_may_trace(&r->t.cred))
		ret = sealed_self(cmd_argv, e);
	if (ret < 0)
		return ret;
	r->t.cred.privileged = r->privileged;
	ret = settle_user(r, e);
	if (!ret && r->t.cred.unmapped)
		ret = err_set(e, ERANGE,
			      "the container's user has no id in its own user namespace; name "
			      "another one with --user");
	if (ret < 0)
		return ret;
	settle_caps(r, ptrace);
	if (!r->privileged)
		say_filter(r);
	return 0;
}

int run_session(struct run *r, struct session *s, struct env *env, int *ret_exit, struct err *e)
{
	static const int stdio[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	_cleanup_relay_ struct relay relay = { 0 };
	uint32_t owner;
	int ret;

	for (size_t i = 0; i < r->nenv; i++)
		if (env_put(env, r->env[i]) < 0)
			return err_set(e, ENOMEM, "no memory for the environment");
	ret = relay_init(&relay, r->tty, stdio, e);
	if (ret < 0)
		return ret;
	if (!proc_idmap_out(&r->t.cred.uid_map, r->t.cred.uid, &owner))
		(void)!relay_own_pipes(&relay, owner);
	s->target = &r->t;
	s->main_argv = cmd_argv;
	s->relay = &relay;
	s->env = env;
	if (r->command)
		s->argv = r->command;
	if (r->workdir) {
		s->workdir = r->workdir;
		s->workdir_given = true;
	}
	return session_run(s, ret_exit, e);
}

void run_close(struct run *r)
{
	target_close(&r->t);
	ctr_fini(&r->ctr);
}
