/* SPDX-License-Identifier: MIT */
/* cmd.h - the verbs of rktio, one file each. */
#ifndef RKTIO_CMD_H
#define RKTIO_CMD_H

#include "err.h"
#include "opt.h"

int cmd_image(struct opt_parser *p);
int cmd_doctor(struct opt_parser *p);
int cmd_run(struct opt_parser *p);

extern const struct opt cmd_image_opts[], cmd_doctor_opts[], cmd_run_opts[];

/* Print @e and give the exit code: of a wrong command line, of a failure. */
int cmd_usage(const struct opt_parser *p, const struct err *e);
int cmd_failed(const struct err *e);

#endif
