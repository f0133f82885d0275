/* SPDX-License-Identifier: MIT */
#include "opt.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "opt_complete.h"
#include "out.h"

#define OPTS_MAX   48
#define OPT_SHELLS "bash|zsh|fish"

static size_t opt_count(const struct opt *opts)
{
	size_t n = 0;

	while (opts && opts[n].name)
		n++;
	return n;
}

static const struct opt *opt_by_id(const struct opt *opts, int id)
{
	for (; opts && opts->name; opts++)
		if (opts->id == id)
			return opts;
	return NULL;
}

/* "+" stops getopt at the first operand, ":" tells a missing argument from an unknown option. */
static void opt_tables(const struct opt *opts, struct option longs[OPTS_MAX + 1],
		       char shorts[2 * OPTS_MAX + 3])
{
	size_t n = opt_count(opts);

	*shorts++ = '+';
	*shorts++ = ':';
	for (size_t i = 0; i < n && i < OPTS_MAX; i++) {
		const struct opt *o = &opts[i];

		longs[i] = (struct option){ .name = o->name,
					    .has_arg = o->arg ? required_argument : no_argument,
					    .val = o->id };
		if (o->id >= OPT_LONG)
			continue;
		*shorts++ = (char)o->id;
		if (o->arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static int opt_bad(const struct opt_parser *p, int why, struct err *e)
{
	const char *word = p->argv[optind - 1];
	const struct opt *o = opt_by_id(p->verb->opts, optopt);

	if (why == ':' && o)
		return err_set(e, EINVAL, "option --%s needs an argument: %s", o->name, o->arg);
	if (o)
		return err_set(e, EINVAL, "option --%s takes no argument", o->name);
	if (optopt && strncmp(word, "--", 2) != 0)
		return err_set(e, EINVAL, "unknown option -%c", optopt);
	return err_set(e, EINVAL, "unknown option '%.60s'", word);
}

int opt_next(struct opt_parser *p, struct err *e)
{
	struct option longs[OPTS_MAX + 1] = { 0 };
	char shorts[2 * OPTS_MAX + 3];

	opt_tables(p->verb->opts, longs, shorts);
	while (!p->literal) {
		int seen = optind;
		int id = getopt_long(p->argc, p->argv, shorts, longs, NULL);

		if (id == '?' || id == ':')
			return opt_bad(p, id, e);
		if (id != -1) {
			p->arg = optarg;
			return id;
		}
		if (optind > seen && !strcmp(p->argv[optind - 1], "--")) {
			p->literal = true;
			break;
		}
		if (optind >= p->argc || p->noperands >= p->verb->ntargets)
			break;
		p->operand[p->noperands++] = p->argv[optind++];
	}
	while (optind < p->argc)
		p->operand[p->noperands++] = p->argv[optind++];
	p->operand[p->noperands] = NULL;
	return 0;
}

int opt_number(const char *text, const char *what, long min, long max, long *ret, struct err *e)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text) || *text == '+' ||
	    v < min || v > max)
		return err_set(e, EINVAL, "%s takes a number from %ld to %ld, not '%.40s'", what,
			       min, max, text);
	*ret = v;
	return 0;
}

char *opt_cut_word(char *text)
{
	char *to = text;

	for (; *text && *text != ','; text++) {
		if (*text == '\\' && text[1])
			text++;
		*to++ = *text;
	}
	if (!*text) {
		*to = 0;
		return NULL;
	}
	*to = 0;
	return text + 1;
}

/* Behind @n characters of a line: @help, in a column of its own. */
static void print_help(int n, int column, const char *help)
{
	if (n + 2 > column) {
		putchar('\n');
		n = 0;
	}
	printf("%*s%s\n", column - n, "", help);
}

static void print_opts(const struct opt *opts)
{
	for (; opts && opts->name; opts++) {
		bool is_short = opts->id < OPT_LONG;
		int n = printf("  %c%c%s--%s%s%s", is_short ? '-' : ' ', is_short ? opts->id : ' ',
			       is_short ? ", " : "  ", opts->name, opts->arg ? " " : "",
			       opts->arg ? opts->arg : "");

		print_help(n, 32, opts->help);
	}
	print_help(printf("  -h, --help"), 32, "show this help");
}

static void print_verb(const char *prog, const struct verb *v)
{
	const char *space = *v->name ? " " : "";

	printf("%s%s%s: %s\n\nUsage: %s%s%s%s%s%s\n", prog, space, v->name, v->summary, prog, space,
	       v->name, opt_count(v->opts) ? " [OPTION...]" : "", *v->operands ? " " : "",
	       v->operands);
	if (v->details)
		printf("\n%s\n", v->details);
	printf("\nOptions:\n");
	print_opts(v->opts);
}

static void print_program(const struct program *prog)
{
	printf("%s: %s\n\nUsage: %s VERB [OPTION...] ...\n\n", prog->name, prog->summary,
	       prog->name);
	for (const struct verb *v = prog->verbs; v->name; v++)
		print_help(printf("  %s %s", v->name, v->operands), 34, v->summary);
	print_help(printf("  completions %s", OPT_SHELLS), 34, "print what makes a shell complete");
	printf("\n'%s VERB --help' tells more of each; '%s --version' the version.\n", prog->name,
	       prog->name);
	if (prog->footer)
		printf("\n%s\n", prog->footer);
}

bool opt_wants_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

int opt_print_help(const char *program, const struct verb *self)
{
	print_verb(program, self);
	return out_exit();
}

/* --help counts only before the operands are complete: in "attach web -- ls --help" it is ls's. */
static bool help_asked(const struct verb *v, int argc, char **argv)
{
	int targets = 0;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (opt_wants_help(argv[i]))
			return true;
		if (argv[i][0] != '-' && ++targets > v->ntargets)
			return false;
	}
	return false;
}

static int run_verb(const struct program *prog, const struct verb *v, int argc, char **argv)
{
	_cleanup_free_ const char **operand = calloc((size_t)argc + 1, sizeof(*operand));
	struct opt_parser p = { .verb = v, .argc = argc, .argv = argv, .operand = operand };

	if (!operand)
		return OPT_EXIT_FAILED;
	if (help_asked(v, argc, argv)) {
		print_verb(prog->name, v);
		return out_exit();
	}
	optind = 1;
	opterr = 0;
	return v->run(&p);
}

int opt_each(struct opt_parser *p, opt_take_fn *take, void *arg, struct err *e)
{
	int id = 0, r = 0;

	opterr = 0;
	while (r == 0 && (id = opt_next(p, e)) > 0)
		r = take(arg, id, p->arg, e);
	return r ? r : id;
}

static int run_completions(const struct program *prog, int argc, char **argv)
{
	if (argc > 2 && opt_wants_help(argv[2])) {
		printf("Usage: %s completions %s\n", prog->name, OPT_SHELLS);
		return out_exit();
	}
	if (argc == 3)
		return opt_completions(prog, argv[2]);
	(void)fprintf(stderr, "%s: completions takes one of %s; see '%s --help'\n", prog->name,
		      OPT_SHELLS, prog->name);
	return OPT_EXIT_USAGE;
}

int opt_main(const struct program *prog, int argc, char **argv)
{
	if (argc < 2) {
		(void)fprintf(stderr, "%s: no verb given; see '%s --help'\n", prog->name,
			      prog->name);
		return OPT_EXIT_USAGE;
	}
	if (opt_wants_help(argv[1]) || !strcmp(argv[1], "help")) {
		print_program(prog);
		return out_exit();
	}
	if (!strcmp(argv[1], "--version")) {
		printf("%s %s\n", prog->name, prog->version);
		return out_exit();
	}
	if (!strcmp(argv[1], "completions"))
		return run_completions(prog, argc, argv);
	for (const struct verb *v = prog->verbs; v->name; v++)
		if (!strcmp(argv[1], v->name))
			return run_verb(prog, v, argc - 1, argv + 1);
	(void)fprintf(stderr, "%s: unknown verb '%.40s'; see '%s --help'\n", prog->name, argv[1],
		      prog->name);
	return OPT_EXIT_USAGE;
}
