/* SPDX-License-Identifier: MIT */
/* rktio - programs on Linux as a library. */
#include "cmd.h"
#include "log.h"
#include "start.h"

static const struct verb verbs[] = {
	{ .name = "run",
	  .operands = "-- PROGRAM [ARGUMENT...]",
	  .summary = "run a program of an image on Linux as a library",
	  .details =
		  "The program is an unmodified Linux program; what it asks for is done by a Linux of its\n"
		  "own in this process, and all that it writes to the disk is encrypted on the way if\n"
		  "the image is. This keeps nothing from the root user of this host, who can read the\n"
		  "memory of each process. Exit status: the program's; 125 rktio failed, 126 it cannot\n"
		  "be executed, 127 it is not there, 128+n it was ended by signal n.",
	  .opts = cmd_run_opts,
	  .ntargets = 0,
	  .run = cmd_run },
	{ .name = "exec",
	  .operands = "PID -- PROGRAM [ARGUMENT...]",
	  .summary = "run a further program in a running machine",
	  .details =
		  "PID is that of 'rktio run', as 'rktio ps' shows it, or of any of its processes. The\n"
		  "program is one of the same image; it has the environment of the first one, and a\n"
		  "terminal of its own if standard input and output are one. Exit status as of run.",
	  .opts = cmd_exec_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_exec },
	{ .name = "ps",
	  .operands = "",
	  .summary = "list what is running",
	  .opts = cmd_ps_opts,
	  .run = cmd_ps },
	{ .name = "stats",
	  .operands = "PID",
	  .summary = "print what a running machine has counted",
	  .opts = cmd_stats_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_stats },
	{ .name = "trace",
	  .operands = "PID",
	  .summary = "print the system calls of a running machine",
	  .details = "As strace does, but of all its programs, from inside. Ends with ^C.",
	  .opts = cmd_trace_opts,
	  .ntargets = 1,
	  .complete = OPT_COMPLETE_TARGET,
	  .run = cmd_trace },
	{ .name = "image",
	  .operands = "create|info|verify IMAGE",
	  .summary = "make a disk image, say what one is, or read all of it",
	  .details =
		  "create makes an ext4 root file system from Debian packages, a directory or an OCI\n"
		  "archive: as it is, sealed with a hash tree (--verity) or encrypted and authenticated\n"
		  "(--encrypt). verify holds every block of a sealed or encrypted one against its\n"
		  "root hash or key.",
	  .opts = cmd_image_opts,
	  .ntargets = 2,
	  .complete = OPT_COMPLETE_FILE,
	  .run = cmd_image },
	{ .name = "doctor",
	  .operands = "",
	  .summary = "say what this machine lacks",
	  .opts = cmd_doctor_opts,
	  .run = cmd_doctor },
	{ 0 },
};

static const struct program rktio = {
	.name = "rktio",
	.version = DVS_VERSION,
	.summary = "programs on Linux as a library",
	.footer =
		"What this does not protect: the root user of this host can read the memory of every\n"
		"process, a program's and its key's too. A program can overwrite the Linux that it\n"
		"runs on; the border is around both. A whole image can be replaced by an older copy of\n"
		"itself. When, where and how much is read and written can be seen.\n"
		"\n"
		"Environment: RKTIO_LOG (log levels: info,disk=debug), RKTIO_LIBEXEC (where the parts of\n"
		"'run' are), RKTIO_LINUX (what --linux is if it is not given), TMPDIR\n"
		"(where images are prepared, in the clear; /var/tmp).",
	.verbs = verbs,
	.targets = "ps --quiet",
};

int cmd_usage(const struct opt_parser *p, const struct err *e)
{
	log_error("%s; see 'rktio %s --help'", e->msg, p->verb->name);
	return OPT_EXIT_USAGE;
}

int cmd_failed(const struct err *e)
{
	log_error("%s", e->msg);
	return OPT_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	if (start_program() < 0)
		return OPT_EXIT_FAILED;
	log_init("rktio", "RKTIO_LOG", false);
	return opt_main(&rktio, argc, argv);
}
