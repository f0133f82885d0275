/* SPDX-License-Identifier: MIT */
/*
 * opt_complete_zsh.c - the completion script for zsh (5.0 and later).
 *
 * _arguments does the work; each option becomes one of its specifications.
 * Only where the command begins it cannot tell (a "--" right after the target
 * is an operand to it), so _PROG_command() looks first, by the rules of opt_next().
 */
#include <stdio.h>

#include "opt_script.h"

#define SPEC_SPECIAL "[]:\\"

static const char head[] =
	"#compdef @P\n"
	"# zsh completion for @P; written by '@P completions zsh'.\n"
	"\n"
	"_@P_targets()\n"
	"{\n"
	"	local -a names\n"
	"	names=(${(f)\"$(command @P @T 2>/dev/null </dev/null)\"})\n"
	"	names=(${names%%$'\\t'*})\n"
	"	compadd -a names\n"
	"}\n"
	"\n"
	"_@P_value() # kinds: f(ile) d(irectory) t(arget) or -; then words that stand for themselves\n"
	"{\n"
	"	local kinds=$1 ret=1\n"
	"	shift\n"
	"	(($#)) && compadd -- \"$@\" && ret=0\n"
	"	[[ $kinds == *t* ]] && _@P_targets && ret=0\n"
	"	[[ $kinds == *f* ]] && _files && ret=0\n"
	"	[[ $kinds == *d* ]] && _files -/ && ret=0\n"
	"	return ret\n"
	"}\n"
	"\n"
	"# Does the option word want the next word as its argument? In -tu, the last letter says.\n"
	"_@P_wants() # word, then the options that take an argument\n"
	"{\n"
	"	local word=$1\n"
	"	local -i i\n"
	"	shift\n"
	"	if [[ $word == --* ]]; then\n"
	"		((${@[(Ie)$word]}))\n"
	"		return\n"
	"	fi\n"
	"	for ((i = 2; i <= $#word; i++)); do\n"
	"		((${@[(Ie)-$word[i]]})) || continue\n"
	"		((i == $#word))\n"
	"		return\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"\n"
	"# Complete the command, if the cursor is in it.\n"
	"_@P_command() # the number of targets, then the options that take an argument\n"
	"{\n"
	"	local -i ntargets=$1 operands=0 literal=0 i\n"
	"	shift\n"
	"	for ((i = 2; i < CURRENT; i++)); do\n"
	"		if ((!literal)) && [[ $words[i] == -- ]]; then\n"
	"			literal=1\n"
	"		elif ((!literal)) && [[ $words[i] == -?* ]]; then\n"
	"			_@P_wants $words[i] \"$@\" && ((i++))\n"
	"		elif ((++operands > ntargets)); then\n"
	"			break\n"
	"		fi\n"
	"	done\n"
	"	((i < CURRENT || (i == CURRENT && literal && operands == ntargets))) || return 1\n"
	"	words=(\"${(@)words[i,-1]}\")\n"
	"	((CURRENT -= i - 1))\n"
	"	_normal\n"
	"	return 0\n"
	"}\n"
	"\n";

static const char tail[] =
	"_@P()\n"
	"{\n"
	"	local curcontext=$curcontext state line ret=1\n"
	"	typeset -A opt_args\n"
	"	_arguments -C '(- *)'{-h,--help}'[show help]' '(- *)--version[show the version]' \\\n"
	"		'1:verb:_@P_verbs' '*:: :->rest' && ret=0\n"
	"	[[ $state == rest ]] && _@P_rest && ret=0\n"
	"	return ret\n"
	"}\n"
	"\n"
	"if [[ ${funcstack[1]-} == _@P ]]; then\n"
	"	_@P \"$@\"\n"
	"else\n"
	"	compdef _@P @P\n"
	"fi\n";

static void put_verbs(const struct program *prog)
{
	script_put(prog, "_@P_verbs()\n{\n	local -a verbs=(\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		printf("		%s:'", v->name);
		script_escape(v->summary, "");
		printf("'\n");
	}
	printf("		completions:'print a completion script'\n");
	printf("		help:'show help'\n");
	printf("	)\n	_describe verb verbs\n}\n\n");
}

static void put_kinds(const struct program *prog, enum opt_complete kinds)
{
	script_put(prog, ": _@P_value ");
	if (kinds & OPT_COMPLETE_TARGET)
		printf("t");
	if (kinds & OPT_COMPLETE_FILE)
		printf("f");
	else if (kinds & OPT_COMPLETE_DIR)
		printf("d");
	if (!kinds)
		printf("-");
}

static void put_opt(const struct program *prog, const struct opt *o)
{
	struct cursor arg = script_choices_of(o);
	const char *sep = o->arg ? "=" : "";
	struct span word;

	printf("			'*'");
	if (o->id < OPT_LONG)
		printf("{-%c%s,--%s%s}", o->id, o->arg ? "+" : "", o->name, sep);
	else
		printf("--%s%s", o->name, sep);
	printf("'[");
	script_escape(o->help, SPEC_SPECIAL);
	printf("]");
	if (o->arg) {
		printf(":");
		script_escape(o->arg, SPEC_SPECIAL);
		put_kinds(prog, o->complete);
		while (script_choice(&arg, &word))
			printf(" %.*s", (int)word.len, word.p);
	}
	printf("' \\\n");
}

static void put_command(const struct program *prog, const struct verb *v)
{
	script_put(prog, "		_@P_command ");
	printf("%d", v->ntargets);
	for (const struct opt *o = v->opts; o && o->name; o++) {
		if (!o->arg)
			continue;
		if (o->id < OPT_LONG)
			printf(" -%c", o->id);
		printf(" --%s", o->name);
	}
	printf(" && return\n");
}

/* The operand after the actions is what can be completed, if there are any. */
static void put_target(const struct program *prog, const struct verb *v, int i)
{
	struct cursor actions = script_actions_of(v);
	int last = cur_left(&actions) ? 2 : 1;
	struct span word;

	printf("			'%d:target", i);
	put_kinds(prog, i == last ? v->complete : i == 2 ? v->complete_second : OPT_COMPLETE_NONE);
	while (i == 1 && script_choice(&actions, &word))
		printf(" %.*s", (int)word.len, word.p);
	printf("' \\\n");
}

static void put_verb(const struct program *prog, const struct verb *v)
{
	printf("	%s)\n", v->name);
	if (script_has_command(v))
		put_command(prog, v);
	printf("		_arguments -s -S \\\n");
	for (const struct opt *o = v->opts; o && o->name; o++)
		put_opt(prog, o);
	for (int i = 1; i <= v->ntargets; i++)
		put_target(prog, v, i);
	if (script_has_command(v))
		printf("			'%d:command: _command_names -e' \\\n",
		       v->ntargets + 1);
	printf("			'(- *)'{-h,--help}'[show this help]'\n		;;\n");
}

void opt_write_zsh(const struct program *prog)
{
	script_put(prog, head);
	put_verbs(prog);
	script_put(prog, "_@P_rest()\n{\n	case $words[1] in\n");
	for (const struct verb *v = prog->verbs; v->name; v++)
		put_verb(prog, v);
	script_put(prog, "	completions) _arguments '1:shell:(bash zsh fish)' ;;\n");
	script_put(prog, "	esac\n}\n\n");
	script_put(prog, tail);
}
