/* SPDX-License-Identifier: MIT */
/* vmsh - a shell in a running virtual machine, and a look into it, from its host. */
#include "cmd.h"
#include "log.h"
#include "start.h"

#define ON_TARGET .operands = "TARGET", .ntargets = 1, .complete = OPT_COMPLETE_TARGET

static const struct verb verbs[] = {
	{ .name = "ps",
	  .operands = "",
	  .summary = "list the virtual machines of this host",
	  .opts = cmd_ps_opts,
	  .run = cmd_ps },
	{ .name = "attach",
	  .operands = "TARGET [-- COMMAND...]",
	  .summary = "a shell with your tools inside a machine",
	  .details =
		  "The tools tree (by default what everybody may read of this host's root, read-only) is at /,\n"
		  "the guest's own tree with all its mounts at /var/lib/vmsh. Processes, network and rights are\n"
		  "the guest's. TARGET is a name that 'vmsh ps' prints, a pid, or PID:VMFD.",
	  .opts = cmd_attach_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_attach },
	{ .name = "detach",
	  ON_TARGET,
	  .summary = "undo what a killed vmsh left in a machine",
	  .opts = cmd_detach_opts,
	  .run = cmd_detach },
	{ .name = "inspect",
	  ON_TARGET,
	  .summary = "show memory, processors and kernel of a machine",
	  .details = "TARGET is a name that 'vmsh ps' prints, a pid, or PID:VMFD.",
	  .opts = cmd_inspect_opts,
	  .run = cmd_inspect },
	{ .name = "guest-ps",
	  ON_TARGET,
	  .summary = "list the processes in a machine",
	  .opts = cmd_guest_ps_opts,
	  .run = cmd_guest_ps },
	{ .name = "dmesg",
	  ON_TARGET,
	  .summary = "print the log of a machine's kernel",
	  .opts = cmd_dmesg_opts,
	  .run = cmd_dmesg },
	{ .name = "lsmod",
	  ON_TARGET,
	  .summary = "list the modules of a machine's kernel",
	  .opts = cmd_lsmod_opts,
	  .run = cmd_lsmod },
	{ .name = "coredump",
	  .operands = "TARGET FILE",
	  .summary = "write memory and registers of a machine to a file for crash, drgn or gdb",
	  .details = "FILE is an ELF core. It has its name only when it is complete.",
	  .opts = cmd_coredump_opts,
	  .ntargets = 2,
	  .complete = OPT_COMPLETE_TARGET,
	  .complete_second = OPT_COMPLETE_FILE,
	  .run = cmd_coredump },
	{ .name = "doctor",
	  .operands = "",
	  .summary = "say what this host and user allow",
	  .opts = cmd_doctor_opts,
	  .run = cmd_doctor },
	{ 0 },
};

static const struct program vmsh = {
	.name = "vmsh",
	.version = DVS_VERSION,
	.summary = "a shell in a running virtual machine, and a look into it, from its host",
	.footer = "Environment: VMSH_LOG (log levels: info,kvm=debug).",
	.verbs = verbs,
	.targets = "ps --names",
};

int main(int argc, char **argv)
{
	if (start_program() < 0)
		return OPT_EXIT_FAILED;
	log_init("vmsh", "VMSH_LOG", false);
	return opt_main(&vmsh, argc, argv);
}
