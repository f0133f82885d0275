/* SPDX-License-Identifier: MIT */
/* run.h - what attach and exec have in common: options, rights, the way to session_run(). */
#ifndef CNTR_RUN_H
#define CNTR_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "ctr.h"
#include "opt.h"
#include "session.h"

#define RUN_ENV_MAX 256

enum {
	RUN_PRIVILEGED = OPT_LONG,
	RUN_CAP_ADD,
	RUN_CAP_DROP,
	RUN_OWN /* first id of a verb's own */
};

/* The rows of the option table that both verbs have. */
#define RUN_OPTS                                                                                   \
	{ 'u', "user", "USER[:GROUP]",                                                             \
	  "be this user of the container, not that of its first process", 0 },                     \
		{ RUN_PRIVILEGED, "privileged", NULL,                                              \
		  "keep the caller's rights, not the container's", 0 },                            \
		{ RUN_CAP_ADD, "cap-add", "CAP", "add a capability, such as net_admin, or all",    \
		  0 },                                                                             \
		{ RUN_CAP_DROP, "cap-drop", "CAP", "take a capability away, or all", 0 },          \
		{ 'e', "env", "NAME=VALUE", "set a variable in the command's environment", 0 },    \
		{ 'w', "workdir", "DIR", "start in this directory, as the command sees it", 0 },   \
		{ 't', "tty", NULL, "a terminal on all three standard streams, whatever they are", \
		  0 },                                                                             \
		{ 'T', "no-tty", NULL, "no terminal, even at one", 0 },                            \
	{                                                                                          \
		'v', "verbose", NULL, "say what is done", 0                                        \
	}

struct run {
	const char *target;
	const char *const *command; /* NULL: the verb's default */
	const char *user;
	const char *workdir;
	uint64_t cap_add, cap_drop;
	const char *env[RUN_ENV_MAX];
	size_t nenv;
	enum pty_mode tty;
	bool privileged;
	bool mounts; /* the container's mount table is needed */

	/* made by run_open() */
	struct ctr_env ctr_env;
	struct ctr ctr;
	struct target t;
	struct ns_user user_found; /* the line of the container's passwd, as far as there is one */
};

#define RUN_INIT                 \
	{                        \
		.t = TARGET_INIT \
	}

/* Take one option of RUN_OPTS. -EINVAL. */
int run_option(struct run *r, int id, const char *arg, struct err *e) _must_check_;
/* Target and command from the operands. -EINVAL without a target. */
int run_operands(struct run *r, const struct opt_parser *p, struct err *e) _must_check_;

/* Find the container, open it and settle the rights. @ptrace: add CAP_SYS_PTRACE. */
int run_open(struct run *r, bool ptrace, struct err *e) _must_check_;
/* Apply --env; then decide about the terminal and run. Fills in what of @s is the same for both verbs. */
int run_session(struct run *r, struct session *s, struct env *env, int *ret_exit, struct err *e)
	_must_check_;
void run_close(struct run *r);
#define _cleanup_run_ _cleanup_(run_close)

/* Print @e and give the exit code: of a wrong command line, or @exit_code of a failure. */
int run_usage(const struct opt_parser *p, const struct err *e);
int run_failed(const struct err *e, int exit_code);

#endif
