/* SPDX-License-Identifier: MIT */
/* cmd.h - the verbs of cntr, one file each. */
#ifndef CNTR_CMD_H
#define CNTR_CMD_H

#include "opt.h"

int cmd_attach(struct opt_parser *p);
int cmd_exec(struct opt_parser *p);
int cmd_ps(struct opt_parser *p);
int cmd_inspect(struct opt_parser *p);
int cmd_doctor(struct opt_parser *p);

extern const struct opt cmd_attach_opts[], cmd_exec_opts[], cmd_ps_opts[], cmd_inspect_opts[],
	cmd_doctor_opts[];

/* main()'s, for the guard to write its title over. */
extern char **cmd_argv;

#endif
