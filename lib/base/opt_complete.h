/* SPDX-License-Identifier: MIT */
/* opt_complete.h - shell completions, written from the option tables. */
#ifndef BASE_OPT_COMPLETE_H
#define BASE_OPT_COMPLETE_H

#include "opt.h"

/* Print the completion script for @shell: bash, zsh or fish. Returns the exit code. */
int opt_completions(const struct program *prog, const char *shell);

#endif
