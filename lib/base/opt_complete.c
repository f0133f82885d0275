/* SPDX-License-Identifier: MIT */
#include "opt_complete.h"

#include <stdio.h>
#include <string.h>

int opt_completions(const struct program *prog, const char *shell)
{
	(void)fprintf(stderr, "%s: no completions for '%.20s': bash, zsh or fish\n", prog->name,
		      shell);
	return OPT_EXIT_USAGE;
}
