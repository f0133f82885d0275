/* SPDX-License-Identifier: MIT */
/* opt_script.h - what the writers of completion scripts share. Private to opt_complete*.c. */
#ifndef BASE_OPT_SCRIPT_H
#define BASE_OPT_SCRIPT_H

#include "cursor.h"
#include "opt.h"

void opt_write_bash(const struct program *prog);
void opt_write_zsh(const struct program *prog);
void opt_write_fish(const struct program *prog);

/* Print @text with each "@P" replaced by the program's name, each "@T" by what prints its targets. */
void script_put(const struct program *prog, const char *text);

/* Print @text as the inside of single quotes (bash, zsh), with a backslash before each of @special. */
void script_escape(const char *text, const char *special);

/* The next word of "a|b|c" that stands for itself: one without capitals. 1 a word, 0 none left. */
int script_choice(struct cursor *arg, struct span *ret) _must_check_;

/* The argument of @o as a cursor for script_choice(). */
struct cursor script_choices_of(const struct opt *o);

/* The words that the verb's first operand is one of, where it begins with "a|b"; empty else. The second is completed then. */
struct cursor script_actions_of(const struct verb *v);

/* Do the verb's operands end with a command? */
bool script_has_command(const struct verb *v);

#endif
