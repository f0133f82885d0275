/* SPDX-License-Identifier: MIT */
/* rktio - programs on Linux as a library: so far, the disk images for it. */
#include "cmd.h"
#include "log.h"

static const struct verb verbs[] = {
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
	.summary = "disk images for programs on Linux as a library",
	.footer = "Environment: TMPDIR (where images are prepared, in the clear; /var/tmp).",
	.verbs = verbs,
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
	log_init("rktio", "RKTIO_LOG", false);
	return opt_main(&rktio, argc, argv);
}
