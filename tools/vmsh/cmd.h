/* SPDX-License-Identifier: MIT */
/* cmd.h - the verbs of vmsh, one file each. */
#ifndef VMSH_CMD_H
#define VMSH_CMD_H

#include "opt.h"

int cmd_ps(struct opt_parser *p);
int cmd_attach(struct opt_parser *p);
int cmd_detach(struct opt_parser *p);
int cmd_inspect(struct opt_parser *p);
int cmd_guest_ps(struct opt_parser *p);
int cmd_dmesg(struct opt_parser *p);
int cmd_lsmod(struct opt_parser *p);
int cmd_coredump(struct opt_parser *p);
int cmd_doctor(struct opt_parser *p);

extern const struct opt cmd_ps_opts[], cmd_attach_opts[], cmd_detach_opts[], cmd_inspect_opts[],
	cmd_guest_ps_opts[], cmd_dmesg_opts[], cmd_lsmod_opts[], cmd_coredump_opts[],
	cmd_doctor_opts[];

#endif
