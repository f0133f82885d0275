/* SPDX-License-Identifier: MIT */
/*
 * opt.h - one table per verb: it is parsed, printed as help, completed, and checked against the man page.
 *
 * Theory of operation
 *
 * A program is a table of verbs, a verb has a table of options. opt_main()
 * finds the verb, answers --help, --version and "completions SHELL", and calls
 * the verb's run() with a parser. run() takes options with opt_next() until it
 * gives 0, then reads the operands: TARGET before "--", COMMAND after it.
 * Options may stand before or after the target, but end at the first operand
 * after it: in "attach web ls -l", -l is ls's.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>

#include "compiler.h"
#include "err.h"

#define OPT_LONG 0x100 /* ids from here have no short form */

#define OPT_EXIT_FAILED 1
#define OPT_EXIT_USAGE  2

/* What a shell may offer for an argument, besides the lower-case words of "a|b|c"; may be or-ed. */
enum opt_complete {
	OPT_COMPLETE_NONE = 0,
	OPT_COMPLETE_FILE = 1 << 0,
	OPT_COMPLETE_DIR = 1 << 1,
	OPT_COMPLETE_TARGET = 1 << 2 /* what program.targets prints */
};

struct verb;

struct opt {
	int id; /* what opt_next() returns: a letter, which is the short option too, or OPT_LONG + n */
	const char *name; /* long name, without dashes */
	const char *arg;  /* its argument's name, "N" or "a|b|c"; NULL if it takes none */
	const char *help; /* one line, lower case, no full stop */
	enum opt_complete complete;
};

struct opt_parser {
	const struct verb *verb;
	int argc;
	char **argv;          /* borrowed; argv[0] is the verb */
	const char *arg;      /* of the option just returned, or NULL */
	const char **operand; /* borrowed from argv; ends with NULL */
	int noperands;
	bool literal; /* "--" was seen */
};

struct verb {
	const char *name;
	const char *operands; /* "TARGET [-- COMMAND...]" */
	const char *summary;  /* one line */
	const char *details;  /* paragraph for --help, or NULL */
	const struct opt *opts;
	int ntargets; /* operands before the command: options may follow these */
	enum opt_complete
		complete; /* what the first operand is; the second, if @operands begins with "a|b" */
	int (*run)(struct opt_parser *p); /* returns the exit code */
	enum opt_complete
		complete_second; /* what the second operand is, if the first is a target */
};

struct program {
	const char *name;
	const char *version;
	const char *summary;
	const char *footer;       /* last paragraph of --help: environment, files; or NULL */
	const struct verb *verbs; /* ends with .name == NULL */
	const char *targets;      /* "ps --names": what prints TARGETs, one a line; or NULL */
};

/*
 * opt_next() - The next option's id, and its argument in @p->arg.
 *
 * Return: > 0 an id; 0 no more, the operands are @p->operand[0 .. noperands - 1];
 *	   -EINVAL and @e for an option that is unknown or lacks its argument.
 */
int opt_next(struct opt_parser *p, struct err *e) _must_check_;

/*
 * opt_each() - Hand each option to @take, until one is not 0; for a program without verbs.
 *
 * Return: 0 no more, as opt_next(); what @take returned; -EINVAL and @e.
 */
typedef int opt_take_fn(void *arg, int id, const char *value, struct err *e);
int opt_each(struct opt_parser *p, opt_take_fn *take, void *arg, struct err *e) _must_check_;

/* Exit code of the whole program. */
int opt_main(const struct program *prog, int argc, char **argv);

/* For a program without verbs, whose table is @self with an empty name: its --help, and the exit code. */
bool opt_wants_help(const char *word);
int opt_print_help(const char *program, const struct verb *self) _must_check_;

/* A decimal number within [@min, @max]; the message names option @what. */
int opt_number(const char *text, const char *what, long min, long max, long *ret, struct err *e)
	_must_check_;

/*
 * opt_cut_word() - End the word at @text, of a list with commas, in place; a backslash takes a character as it is.
 *
 * Return: the next word; NULL behind the last.
 */
char *opt_cut_word(char *text);

#endif
