/* SPDX-License-Identifier: MIT */
/*
 * demo.c - a program with one of everything that a completion script can offer.
 *
 * The tests of the three shells run it as "demo"; its targets have the names
 * that a hostile container would choose.
 */
#include <stdio.h>

#include "opt.h"

enum {
	OPT_TOOLS = OPT_LONG,
	OPT_VIEW,
	OPT_RW,
	OPT_NAMES
};

static const struct opt attach_opts[] = {
	{ 'u', "user", "USER[:GROUP]", "run as this user, it's [number:number] too", 0 },
	{ 'e', "env", "K=V", "set a variable", 0 },
	{ 'w', "workdir", "DIR", "start in this directory", OPT_COMPLETE_DIR },
	{ 't', "tty", NULL, "with a terminal", 0 },
	{ OPT_TOOLS, "tools", "DIR|CONTAINER|IMAGE.tar|host", "where the tools come from",
	  OPT_COMPLETE_FILE | OPT_COMPLETE_TARGET },
	{ OPT_VIEW, "view", "bind|union", "how the two trees are put together", 0 },
	{ OPT_RW, "rw", NULL, "let the tools tree be written", 0 },
	{ 0 },
};

static const struct opt ps_opts[] = {
	{ OPT_NAMES, "names", NULL, "only names", 0 },
	{ 0 },
};

static int run_attach(struct opt_parser *p)
{
	(void)p;
	return 0;
}

static int run_ps(struct opt_parser *p)
{
	static const char names[] = "web\tdocker nginx\n"
				    "db\n"
				    "docker:web2\n"
				    "docker:weird\n"
				    "$(touch pwned)\n"
				    "`touch pwned`\n"
				    "it's; touch pwned\n"
				    "-rf\n";

	(void)p;
	return fputs(names, stdout) < 0;
}

static const struct verb verbs[] = {
	{ .name = "attach",
	  .operands = "TARGET [-- COMMAND...]",
	  .summary = "it's a shell: in [a] container",
	  .opts = attach_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = run_attach },
	{ .name = "inspect",
	  .operands = "TARGET",
	  .summary = "tell about it",
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = run_attach },
	{ .name = "load",
	  .operands = "FILE",
	  .summary = "read a file",
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_FILE,
	  .run = run_attach },
	{ .name = "dump",
	  .operands = "TARGET FILE",
	  .summary = "write a target to a file",
	  .ntargets = 2,
	  .complete = OPT_COMPLETE_TARGET,
	  .complete_second = OPT_COMPLETE_FILE,
	  .run = run_attach },
	{ .name = "disk",
	  .operands = "make|show FILE",
	  .summary = "one of several actions",
	  .ntargets = 2,
	  .complete = OPT_COMPLETE_FILE,
	  .run = run_attach },
	{ .name = "ps", .operands = "", .summary = "list", .opts = ps_opts, .run = run_ps },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct program demo = { .name = "demo",
					     .version = "1",
					     .summary = "completions under test",
					     .targets = "ps --names",
					     .verbs = verbs };

	return opt_main(&demo, argc, argv);
}
