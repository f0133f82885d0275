/* SPDX-License-Identifier: MIT */
/*
 * opt_complete_bash.c - the completion script for bash (4.3 and later).
 *
 * Theory of operation
 *
 * readline cuts words at COMP_WORDBREAKS, so "docker:web" and "--view=bind"
 * arrive in pieces, and it replaces only the piece under the cursor.
 * _PROG_words() joins the pieces, _PROG() walks over the words as opt_next()
 * does, and at the end takes off what stands before the last break again.
 *
 * It works with and without the package bash-completion; with it, the words
 * after the target are completed by the command's own completion.
 */
#include <stdio.h>

#include "opt_script.h"

static const char head[] =
	"# bash completion for @P; written by '@P completions bash'.\n"
	"\n"
	"# words: what stands before the cursor, whole again; starts: where in COMP_WORDS each begins.\n"
	"_@P_words()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} word i\n"
	"	for ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"		word=${COMP_WORDS[i]}\n"
	"		if ((i == 0)) || [[ $line == [[:blank:]]* ]]; then\n"
	"			line=${line#\"${line%%[![:blank:]]*}\"}\n"
	"			words+=('') starts+=(\"$i\")\n"
	"		fi\n"
	"		[[ $line == \"$word\"* ]] || word=$line\n"
	"		words[-1]+=$word\n"
	"		line=${line#\"$word\"}\n"
	"	done\n"
	"}\n"
	"\n"
	"# Offer those of the arguments that begin with what is typed.\n"
	"_@P_offer()\n"
	"{\n"
	"	local word\n"
	"	for word; do\n"
	"		[[ $word == \"$cur\"* ]] && COMPREPLY+=(\"$before$word\")\n"
	"	done\n"
	"}\n"
	"\n"
	"_@P_files() # -f or -d\n"
	"{\n"
	"	local file\n"
	"	compopt -o filenames 2>/dev/null\n"
	"	cur=${cur#[\\\"\\']}\n"
	"	while IFS= read -r file; do\n"
	"		COMPREPLY+=(\"$before$file\")\n"
	"	done < <(compgen \"$1\" -- \"$cur\")\n"
	"}\n"
	"\n"
	"# A name is somebody else's choice: it is quoted, never expanded.\n"
	"_@P_targets()\n"
	"{\n"
	"	local name\n"
	"	while IFS=$'\\t' read -r name _; do\n"
	"		printf -v name %q \"$name\"\n"
	"		_@P_offer \"$name\"\n"
	"	done < <(command @P @T 2>/dev/null </dev/null)\n"
	"}\n"
	"\n"
	"_@P_command() # the index of its first word\n"
	"{\n"
	"	local word\n"
	"	if declare -F _command_offset >/dev/null; then\n"
	"		_command_offset \"${starts[$1]}\"\n"
	"	elif (($1 < ${#words[@]} - 1)) || [[ $cur == */* ]]; then\n"
	"		_@P_files -f\n"
	"	else\n"
	"		while IFS= read -r word; do\n"
	"			COMPREPLY+=(\"$word\")\n"
	"		done < <(compgen -c -- \"$cur\" | sort -u)\n"
	"	fi\n"
	"}\n"
	"\n";

static const char tail[] =
	"# Does the option word want the next word as its argument? In -tu, the last letter says.\n"
	"_@P_wants()\n"
	"{\n"
	"	local word=$1 i\n"
	"	if [[ $word == --* ]]; then\n"
	"		[[ \" ${valued[*]} \" == *\" $word \"* ]] && option=$word\n"
	"		return\n"
	"	fi\n"
	"	for ((i = 1; i < ${#word}; i++)); do\n"
	"		[[ \" ${valued[*]} \" == *\" -${word:i:1} \"* ]] || continue\n"
	"		((i == ${#word} - 1)) && option=-${word:i:1}\n"
	"		return\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"\n"
	"# Walk over the words before the last: sets option, literal, operands, command.\n"
	"_@P_walk()\n"
	"{\n"
	"	local i\n"
	"	for ((i = 2; i < ${#words[@]} - 1; i++)); do\n"
	"		option=\n"
	"		if [[ -z $literal && ${words[i]} == -- ]]; then\n"
	"			literal=1\n"
	"		elif [[ -z $literal && ${words[i]} == -?* ]]; then\n"
	"			_@P_wants \"${words[i]}\" && ((i++))\n"
	"		elif ((++operands > ntargets)); then\n"
	"			command=$i\n"
	"			return\n"
	"		fi\n"
	"	done\n"
	"	((i == ${#words[@]})) || option=\n"
	"}\n"
	"\n"
	"_@P_operand()\n"
	"{\n"
	"	if ((operands < ntargets)); then\n"
	"		_@P_target\n"
	"	elif [[ -n $command ]]; then\n"
	"		_@P_command \"$command\"\n"
	"	elif [[ -n $commands && -z $literal && -z $cur ]]; then\n"
	"		COMPREPLY=(--)\n"
	"	elif [[ -n $commands ]]; then\n"
	"		_@P_command $((${#words[@]} - 1))\n"
	"	fi\n"
	"}\n"
	"\n"
	"_@P()\n"
	"{\n"
	"	local words=() starts=() options=() valued=() operands=0 ntargets=0\n"
	"	local cur verb typed before='' option='' literal='' command='' commands='' breaks\n"
	"	COMPREPLY=()\n"
	"	_@P_words\n"
	"	cur=${words[-1]} typed=${words[-1]} verb=${words[1]-}\n"
	"	if ((${#words[@]} <= 2)); then\n"
	"		_@P_verbs\n"
	"		return\n"
	"	fi\n"
	"	_@P_table || return\n"
	"	_@P_walk\n"
	"	if [[ -n $option ]]; then\n"
	"		_@P_value\n"
	"	elif [[ -n $literal || -n $command || $cur != -* ]]; then\n"
	"		_@P_operand\n"
	"	elif [[ $cur == --*=* ]]; then\n"
	"		option=${cur%%=*} before=${cur%%=*}= cur=${cur#*=}\n"
	"		_@P_value\n"
	"	else\n"
	"		_@P_offer \"${options[@]}\" --help\n"
	"	fi\n"
	"	breaks=${COMP_WORDBREAKS//[^:=]/}\n"
	"	[[ -z $breaks || -n $command ]] && return\n"
	"	before=${typed%\"${typed##*[\"$breaks\"]}\"}\n"
	"	COMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
	"}\n"
	"\n"
	"complete -F _@P @P\n";

static void put_kinds(const struct program *prog, enum opt_complete kinds)
{
	if (kinds & OPT_COMPLETE_TARGET)
		script_put(prog, " _@P_targets;");
	if (kinds & OPT_COMPLETE_FILE)
		script_put(prog, " _@P_files -f;");
	else if (kinds & OPT_COMPLETE_DIR)
		script_put(prog, " _@P_files -d;");
}

static void put_verbs(const struct program *prog)
{
	script_put(prog, "_@P_verbs()\n{\n	_@P_offer --help --version completions help");
	for (const struct verb *v = prog->verbs; v->name; v++)
		printf(" %s", v->name);
	printf("\n}\n\n");
}

static void put_names(const struct verb *v, bool valued)
{
	printf("%s=(", valued ? "valued" : "options");
	for (const struct opt *o = v->opts; o && o->name; o++) {
		if (valued && !o->arg)
			continue;
		if (o->id < OPT_LONG)
			printf("-%c ", o->id);
		printf("--%s ", o->name);
	}
	printf(")");
}

static void put_table(const struct program *prog)
{
	script_put(prog,
		   "# What opt_next() knows of the verb.\n_@P_table()\n{\n	case $verb in\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		printf("	%s)\n		ntargets=%d commands=%s\n		", v->name,
		       v->ntargets, script_has_command(v) ? "1" : "");
		put_names(v, false);
		printf("\n		");
		put_names(v, true);
		printf("\n		;;\n");
	}
	printf("	completions) ntargets=1 ;;\n	*) return 1 ;;\n	esac\n}\n\n");
}

static void put_value(const struct program *prog, const struct verb *v, const struct opt *o)
{
	struct cursor arg = script_choices_of(o);
	struct span word;

	printf("	'%s --%s'", v->name, o->name);
	if (o->id < OPT_LONG)
		printf(" | '%s -%c'", v->name, o->id);
	printf(")");
	while (script_choice(&arg, &word))
		printf(" _%s_offer %.*s;", prog->name, (int)word.len, word.p);
	put_kinds(prog, o->complete);
	printf(" ;;\n");
}

static void put_target(const struct program *prog, const struct verb *v)
{
	struct cursor actions = script_actions_of(v);
	bool second = cur_left(&actions) > 0;
	struct span word;

	printf("	%s)", v->name);
	if (second)
		printf(" if ((operands == 0)); then");
	while (script_choice(&actions, &word))
		printf(" _%s_offer %.*s;", prog->name, (int)word.len, word.p);
	if (second)
		printf(" else");
	else if (v->complete_second)
		printf(" if ((operands == 0)); then");
	put_kinds(prog, v->complete);
	if (v->complete_second) {
		printf(" else");
		put_kinds(prog, v->complete_second);
	}
	printf("%s ;;\n", second || v->complete_second ? " fi" : "");
}

static void put_values(const struct program *prog)
{
	script_put(prog, "_@P_value()\n{\n	case \"$verb $option\" in\n");
	for (const struct verb *v = prog->verbs; v->name; v++)
		for (const struct opt *o = v->opts; o && o->name; o++)
			if (o->arg)
				put_value(prog, v, o);
	script_put(prog, "	*) ;;\n	esac\n}\n\n_@P_target()\n{\n	case $verb in\n");
	for (const struct verb *v = prog->verbs; v->name; v++) {
		if (v->complete)
			put_target(prog, v);
	}
	script_put(prog, "	completions) _@P_offer bash zsh fish ;;\n	esac\n}\n\n");
}

void opt_write_bash(const struct program *prog)
{
	script_put(prog, head);
	put_verbs(prog);
	put_table(prog);
	put_values(prog);
	script_put(prog, tail);
}
