/* SPDX-License-Identifier: MIT */
/* cntr - your tools inside any running container. */
#include "cmd.h"
#include "log.h"
#include "relay.h"
#include "start.h"

char **cmd_argv;

static const struct verb verbs[] = {
	{ .name = "attach",
	  .operands = "TARGET [-- COMMAND...]",
	  .summary = "a shell with your tools inside a container",
	  .details =
		  "The tools tree (by default this host's root, read-only) is at /, the container's\n"
		  "own tree with all its mounts at /var/lib/cntr. Processes, network, limits and\n"
		  "rights are the container's. TARGET is a name, an id, ENGINE:NAME or a pid.",
	  .opts = cmd_attach_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_attach },
	{ .name = "exec",
	  .operands = "TARGET [-- COMMAND...]",
	  .summary = "run one of the container's own programs in it",
	  .details = "Without COMMAND it is the shell of the container's user.",
	  .opts = cmd_exec_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_exec },
	{ .name = "ps",
	  .operands = "",
	  .summary = "list the containers of every engine",
	  .opts = cmd_ps_opts,
	  .run = cmd_ps },
	{ .name = "inspect",
	  .operands = "TARGET",
	  .summary = "show what attach would join",
	  .opts = cmd_inspect_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_inspect },
	{ .name = "doctor",
	  .operands = "",
	  .summary = "say what this kernel and user can do",
	  .opts = cmd_doctor_opts,
	  .run = cmd_doctor },
	{ 0 },
};

static const struct program cntr = {
	.name = "cntr",
	.version = DVS_VERSION,
	.summary = "your tools inside any running container",
	.footer = "Environment: CNTR_BASE_DIR (where the container's tree is, /var/lib/cntr),\n"
		  "CNTR_LOG (log levels: info,view=debug).",
	.verbs = verbs,
	.targets = "ps --names",
};

int main(int argc, char **argv)
{
	if (start_program() < 0)
		return PTY_EXIT_FAILED;
	cmd_argv = argv;
	log_init("cntr", "CNTR_LOG", false);
	return opt_main(&cntr, argc, argv);
}
