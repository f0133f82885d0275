/* SPDX-License-Identifier: MIT */
/*
 * opt_complete_fish.c - the completion script for fish (3.1 and later).
 *
 * fish asks for the condition of every rule that it has; __PROG_at walks over
 * the words as opt_next() does and says which of three places the cursor is in.
 */
#include <stdio.h>

#include "opt_script.h"

static const char head[] =
	"# fish completion for @P; written by '@P completions fish'.\n"
	"\n"
	"function __@P_targets\n"
	"	command @P @T 2>/dev/null </dev/null\n"
	"end\n"
	"\n"
	"# Does an option word want the next word as its argument? In -tu, the last letter says.\n"
	"function __@P_wants --argument-names verb word\n"
	"	set -l valued (__@P_valued $verb)\n"
	"	if string match -q -- '--*' $word\n"
	"		contains -- $word $valued\n"
	"		return\n"
	"	end\n"
	"	set -l letters (string split '' -- $word)\n"
	"	for i in (seq 2 (count $letters))\n"
	"		contains -- -$letters[$i] $valued; or continue\n"
	"		test $i -eq (count $letters)\n"
	"		return\n"
	"	end\n"
	"	return 1\n"
	"end\n"
	"\n"
	"# Where is the cursor? \"options N\" or \"literal N\" after N operands, or \"command I\": its first word.\n"
	"function __@P_where\n"
	"	set -l words (commandline -opc)\n"
	"	set -l operands 0\n"
	"	set -l place options\n"
	"	set -l skip 0\n"
	"	for i in (seq 3 (count $words))\n"
	"		if test $skip -eq 1\n"
	"			set skip 0\n"
	"		else if test $place = options; and test \"$words[$i]\" = --\n"
	"			set place literal\n"
	"		else if test $place = options; and string match -qr -- '^-.' $words[$i]\n"
	"			__@P_wants $words[2] $words[$i]; and set skip 1\n"
	"		else if test $operands -eq (__@P_ntargets $words[2])\n"
	"			echo command $i\n"
	"			return\n"
	"		else\n"
	"			set operands (math $operands + 1)\n"
	"		end\n"
	"	end\n"
	"	echo $place $operands\n"
	"end\n"
	"\n"
	"# Is the cursor at this place of this verb: options, target, second (behind it), command?\n"
	"function __@P_at --argument-names verb place\n"
	"	set -l words (commandline -opc)\n"
	"	test \"$words[2]\" = $verb; or return 1\n"
	"	set -l where (string split ' ' -- (__@P_where))\n"
	"	switch $place\n"
	"		case options\n"
	"			test $where[1] = options\n"
	"		case target\n"
	"			test $where[1] != command; and test $where[2] -eq 0\n"
	"		case second\n"
	"			test $where[1] != command; and test $where[2] -eq 1\n"
	"		case command\n"
	"			test $where[1] = command; or test $where[2] -eq (__@P_ntargets $verb)\n"
	"	end\n"
	"end\n"
	"\n"
	"function __@P_no_verb\n"
	"	set -l words (commandline -opc)\n"
	"	test (count $words) -eq 1\n"
	"end\n"
	"\n"
	"# What the shell would offer for the command that stands after the target.\n"
	"function __@P_command\n"
	"	set -l words (commandline -opc)\n"
	"	set -l where (string split ' ' -- (__@P_where))\n"
	"	set -l first (math (count $words) + 1)\n"
	"	test $where[1] = command; and set first $where[2]\n"
	"	set -l line\n"
	"	test $first -le (count $words); and set line (string escape -- $words[$first..-1])\n"
	"	complete --do-complete=(string join ' ' -- $line (commandline -ct))\n"
	"end\n"
	"\n";

static void put_quoted(const char *text)
{
	(void)putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			(void)putchar('\\');
		(void)putchar(*text);
	}
	(void)putchar('\'');
}

static void put_valued(const struct program *prog)
{
	script_put(prog, "function __@P_valued --argument-names verb\n	switch $verb\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		printf("		case %s\n			string split ' ' -- '",
		       v->name);
		for (const struct opt *o = v->opts; o && o->name; o++) {
			if (!o->arg)
				continue;
			if (o->id < OPT_LONG)
				printf("-%c ", o->id);
			printf("--%s ", o->name);
		}
		printf("'\n");
	}
	script_put(prog, "	end\nend\n\n");
}

static void put_ntargets(const struct program *prog)
{
	script_put(prog, "function __@P_ntargets --argument-names verb\n	switch $verb\n");
	for (const struct verb *v = prog->verbs; v->name; v++)
		printf("		case %s\n			echo %d\n", v->name,
		       v->ntargets);
	script_put(prog,
		   "		case '*'\n			echo 1\n	end\nend\n\n");
}

/* -x: the argument is wanted, no files; -rF: it is wanted, files too. */
static void put_argument(const struct program *prog, const struct opt *o)
{
	struct cursor arg = script_choices_of(o);
	struct span word;

	printf(o->complete & OPT_COMPLETE_FILE ? " -rF -a '" : " -x -a '");
	while (script_choice(&arg, &word))
		printf("%.*s ", (int)word.len, word.p);
	if (o->complete & OPT_COMPLETE_TARGET)
		script_put(prog, "(__@P_targets) ");
	if ((o->complete & OPT_COMPLETE_DIR) && !(o->complete & OPT_COMPLETE_FILE))
		printf("(__fish_complete_directories) ");
	printf("'");
}

static void put_opts(const struct program *prog, const struct verb *v)
{
	for (const struct opt *o = v->opts; o && o->name; o++) {
		script_put(prog, "complete -c @P -n '__@P_at ");
		printf("%s options'", v->name);
		if (o->id < OPT_LONG)
			printf(" -s %c", o->id);
		printf(" -l %s", o->name);
		if (o->arg)
			put_argument(prog, o);
		printf(" -d ");
		put_quoted(o->help);
		printf("\n");
	}
	script_put(prog, "complete -c @P -n '__@P_at ");
	printf("%s options' -s h -l help -d 'show this help'\n", v->name);
}

/* Whether there are any. */
static bool put_actions(const struct program *prog, const struct verb *v)
{
	struct cursor actions = script_actions_of(v);
	struct span word;

	if (!cur_left(&actions))
		return false;
	script_put(prog, "complete -c @P -n '__@P_at ");
	printf("%s target' -f -a '", v->name);
	while (script_choice(&actions, &word))
		printf("%.*s ", (int)word.len, word.p);
	printf("'\n");
	return true;
}

static void put_operand(const struct program *prog, const struct verb *v, const char *place,
			enum opt_complete kinds)
{
	if (!kinds)
		return;
	script_put(prog, "complete -c @P -n '__@P_at ");
	printf("%s %s' -%s", v->name, place, kinds & OPT_COMPLETE_FILE ? "F" : "f");
	if (kinds & OPT_COMPLETE_TARGET)
		script_put(prog, " -a '(__@P_targets)'");
	else if (kinds & OPT_COMPLETE_DIR)
		printf(" -a '(__fish_complete_directories)'");
	printf("\n");
}

static void put_operands(const struct program *prog, const struct verb *v)
{
	bool second = put_actions(prog, v);

	put_operand(prog, v, second ? "second" : "target", v->complete);
	put_operand(prog, v, "second", v->complete_second);
	if (script_has_command(v)) {
		script_put(prog, "complete -c @P -n '__@P_at ");
		printf("%s command'", v->name);
		script_put(prog, " -f -a '(__@P_command)'\n");
	}
}

void opt_write_fish(const struct program *prog)
{
	script_put(prog, head);
	put_valued(prog);
	put_ntargets(prog);
	script_put(prog, "complete -c @P -f\n");
	script_put(prog, "complete -c @P -n __@P_no_verb -s h -l help -d 'show help'\n");
	script_put(prog, "complete -c @P -n __@P_no_verb -l version -d 'show the version'\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		script_put(prog, "complete -c @P -n __@P_no_verb -a ");
		printf("%s -d ", v->name);
		put_quoted(v->summary);
		printf("\n");
	}
	script_put(prog, "complete -c @P -n __@P_no_verb -a completions -d "
			 "'print a completion script'\n");
	script_put(prog, "complete -c @P -n '__@P_at completions target' -a 'bash zsh fish'\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		put_opts(prog, v);
		put_operands(prog, v);
	}
}
