/* SPDX-License-Identifier: MIT */
/* cmd.h - the verbs of rktio, one file each. */
#ifndef RKTIO_CMD_H
#define RKTIO_CMD_H

#include <sys/types.h>

#include "err.h"
#include "opt.h"

int cmd_image(struct opt_parser *p);
int cmd_doctor(struct opt_parser *p);
int cmd_run(struct opt_parser *p);
int cmd_exec(struct opt_parser *p);
int cmd_ps(struct opt_parser *p);
int cmd_stats(struct opt_parser *p);
int cmd_trace(struct opt_parser *p);

extern const struct opt cmd_image_opts[], cmd_doctor_opts[], cmd_run_opts[], cmd_exec_opts[],
	cmd_ps_opts[], cmd_stats_opts[], cmd_trace_opts[];

#define CMD_ENV_MAX 256

/* Variables of a program's environment, NAME=VALUE each, borrowed; ends with NULL. */
struct cmd_env {
	const char *text[CMD_ENV_MAX + 1];
	size_t n;
};

/* Arguments that several verbs take, as a user has written them; -errno and a sentence if they can't be. */
int cmd_take_env(struct cmd_env *env, const char *text, struct err *e) _must_check_;
int cmd_take_workdir(const char *text, const char **ret, struct err *e) _must_check_;
int cmd_take_pid(const char *text, pid_t *ret, struct err *e) _must_check_;

/* Print @e and give the exit code: of a wrong command line, of a failure. */
int cmd_usage(const struct opt_parser *p, const struct err *e);
int cmd_failed(const struct err *e);

#endif
