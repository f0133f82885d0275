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

/* A PID that a user has written. */
int cmd_take_pid(const char *text, pid_t *ret, struct err *e) _must_check_;

/* Print @e and give the exit code: of a wrong command line, of a failure. */
int cmd_usage(const struct opt_parser *p, const struct err *e);
int cmd_failed(const struct err *e);

#endif
