/* SPDX-License-Identifier: MIT */
/* rktio exec: a further program in a running machine. */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "cmd.h"
#include "locate.h"
#include "log.h"

const struct opt cmd_exec_opts[] = {
	{ 'e', "env", "NAME=VALUE", "a variable of its environment; may be repeated" },
	{ 'w', "workdir", "DIR", "where it starts (default: /)", OPT_COMPLETE_NONE },
	{ 'u', "user", "USER[:GROUP]",
	  "names of the image's /etc/passwd, or numbers (default: root)" },
	{ 't', "tty", NULL, "a terminal, even if standard input or output is none" },
	{ 'T', "no-tty", NULL, "none, even if they are" },
	{ 'i', "interactive", NULL, "nothing: it always reads standard input" },
	{ 0 },
};

struct args {
	pid_t pid;
	struct client c;
	struct cmd_env env;
};

static int take_option(struct args *a, int id, const char *arg, struct err *e)
{
	switch (id) {
	case 'e':
		return cmd_take_env(&a->env, arg, e);
	case 'w':
		return cmd_take_workdir(arg, &a->c.workdir, e);
	case 'u':
		a->c.user = arg;
		return 0;
	case 't':
		a->c.mode = PTY_ALWAYS;
		return 0;
	case 'T':
		a->c.mode = PTY_NEVER;
		return 0;
	default:
		return 0;
	}
}

static int parse(struct args *a, struct opt_parser *p, struct err *e)
{
	int id, r = 0;

	while (!r && (id = opt_next(p, e)) != 0)
		r = id < 0 ? id : take_option(a, id, p->arg, e);
	if (r < 0)
		return r;
	if (p->noperands < 2)
		return err_set(e, EINVAL, "exec takes a PID and a program");
	a->c.argv = &p->operand[1];
	a->c.env = a->env.text;
	return cmd_take_pid(p->operand[0], &a->pid, e);
}

int cmd_exec(struct opt_parser *p)
{
	struct args a = { .c = { .mode = PTY_AUTO } };
	int exit_code = PTY_EXIT_FAILED;
	_cleanup_close_ int sock = -1;
	struct err e = { 0 };
	pid_t launcher;

	if (parse(&a, p, &e) < 0)
		return cmd_usage(p, &e);
	sock = locate_connect(a.pid, &launcher, &e);
	if (sock < 0 || client_run(sock, &a.c, &exit_code, &e) < 0)
		log_error("%s", e.msg);
	return exit_code;
}
