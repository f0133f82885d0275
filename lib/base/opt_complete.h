/* SPDX-License-Identifier: MIT */
/*
 * opt_complete.h - shell completions, written from the option tables.
 *
 * Theory of operation
 *
 * A script has a fixed part, which finds out where the cursor stands by the
 * rules of opt_next(), and a part that is the program's tables in the shell's
 * own words. It offers verbs, options, the choices of "a|b|c", files,
 * directories, the targets that "PROGRAM ps --names" prints, and, after the
 * target, what the shell would offer for the command by itself.
 *
 * A target's name may be chosen by a hostile container. The scripts only ever
 * compare and quote such a name: no compgen -W, no eval, which would expand it.
 */
#ifndef BASE_OPT_COMPLETE_H
#define BASE_OPT_COMPLETE_H

#include "opt.h"

/*
 * opt_completions() - Print the completion script for @shell: bash, zsh or fish.
 *
 * "table" prints the tables themselves, for the check of the man pages: a line
 * "verb NAME OPERANDS", then one "option VERB SHORT LONG ARGUMENT" for each
 * option, separated by tabs; "-" stands for what is missing.
 *
 * Return: the exit code.
 */
int opt_completions(const struct program *prog, const char *shell);

#endif
