/* SPDX-License-Identifier: MIT */
#include "opt_complete.h"

#include <stdio.h>
#include <string.h>

#include "opt_script.h"
#include "out.h"

void script_put(const struct program *prog, const char *text)
{
	for (; *text; text++) {
		if (text[0] == '@' && text[1] == 'P')
			(void)fputs(prog->name, stdout);
		else if (text[0] == '@' && text[1] == 'T')
			(void)fputs(prog->targets ? prog->targets : "--version >&2", stdout);
		else {
			(void)putchar(*text);
			continue;
		}
		text++;
	}
}

void script_escape(const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			(void)putchar('\\');
		if (*text == '\'')
			(void)fputs("'\\''", stdout);
		else
			(void)putchar(*text);
	}
}

static bool span_has_capital(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

int script_choice(struct cursor *arg, struct span *ret)
{
	while (cur_until(arg, '|', ret))
		if (ret->len && !span_has_capital(*ret))
			return 1;
	return 0;
}

struct cursor script_choices_of(const struct opt *o)
{
	return cur_of(o->arg, o->arg ? strlen(o->arg) : 0);
}

struct cursor script_actions_of(const struct verb *v)
{
	size_t len = strcspn(v->operands, " ");

	return cur_of(v->operands, memchr(v->operands, '|', len) ? len : 0);
}

bool script_has_command(const struct verb *v)
{
	return strstr(v->operands, "COMMAND") != NULL;
}

static void print_table(const struct program *prog)
{
	for (const struct verb *v = prog->verbs; v->name; v++) {
		printf("verb\t%s\t%s\n", v->name, *v->operands ? v->operands : "-");
		for (const struct opt *o = v->opts; o && o->name; o++)
			printf("option\t%s\t%c\t%s\t%s\n", v->name, o->id < OPT_LONG ? o->id : '-',
			       o->name, o->arg ? o->arg : "-");
	}
}

int opt_completions(const struct program *prog, const char *shell)
{
	static const struct {
		const char *shell;
		void (*write)(const struct program *prog);
	} writers[] = {
		{ "bash", opt_write_bash },
		{ "zsh", opt_write_zsh },
		{ "fish", opt_write_fish },
		{ "table", print_table },
	};

	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		if (strcmp(shell, writers[i].shell) != 0)
			continue;
		writers[i].write(prog);
		return out_exit();
	}
	(void)fprintf(stderr, "%s: no completions for '%.20s': bash, zsh or fish\n", prog->name,
		      shell);
	return OPT_EXIT_USAGE;
}
