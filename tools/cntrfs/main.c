/* SPDX-License-Identifier: MIT */
/*
 * cntrfs - a directory, mounted a second time through FUSE. Also mount(8)'s helper for "fuse.cntrfs".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "opt.h"
#include "out.h"
#include "start.h"
#include "vfs_mount.h"

enum {
	O_OPTIONS = 'o',
	O_FOREGROUND = 'f',
	O_VERBOSE = 'v',
	O_TYPE = 't',
	O_SLOPPY = 's',
	O_NO_MTAB = 'n',
	O_VERSION = OPT_LONG
};

static const struct opt opts[] = {
	{ O_OPTIONS, "options", "LIST", "ro, nosuid, ..., lower=DIR, hide=PATH, ...: cntrfs(8)" },
	{ O_FOREGROUND, "foreground", NULL, "stay, instead of returning once it is mounted" },
	{ O_VERBOSE, "verbose", NULL, "say more on standard error" },
	{ O_TYPE, "types", "TYPE", "ignored: mount(8) says it" },
	{ O_SLOPPY, "sloppy", NULL, "ignored: mount(8) says it" },
	{ O_NO_MTAB, "no-mtab", NULL, "ignored: mount(8) says it" },
	{ O_VERSION, "version", NULL, "print the version" },
	{ 0 },
};

static const struct verb self = {
	.name = "",
	.operands = "SOURCE MOUNTPOINT",
	.summary = "mount a directory a second time, through FUSE",
	.details = "Exit status: 0 done, 1 if something failed, 2 for wrong usage.",
	.opts = opts,
	.ntargets = 2,
};

struct settings {
	struct vfs_mount_conf mount;
	bool helper; /* mount(8) calls us, and has a meaning of its own for -f: only pretend */
	bool foreground, verbose;
};

static int set_option(void *conf, int id, const char *arg, struct err *e)
{
	struct settings *s = conf;

	switch (id) {
	case O_OPTIONS:
		return vfs_mount_options(&s->mount, arg, e);
	case O_FOREGROUND:
		s->foreground = true;
		return s->helper;
	case O_VERBOSE:
		s->verbose = true;
		return 0;
	case O_VERSION:
		puts("cntrfs " DVS_VERSION);
		return 1;
	default:
		return 0;
	}
}

/* Return: 0; 1 if there is nothing more to do; -EINVAL. */
static int parse(int argc, char **argv, struct settings *s, struct err *e)
{
	_cleanup_free_ const char **operand = calloc((size_t)argc + 1, sizeof(*operand));
	struct opt_parser p = { .verb = &self, .argc = argc, .argv = argv, .operand = operand };
	int r;

	if (!operand)
		return err_set(e, ENOMEM, "out of memory");
	r = opt_each(&p, set_option, s, e);
	if (r != 0)
		return r;
	if (p.noperands != 2)
		return err_set(e, EINVAL, "give a directory and where to mount it");
	s->mount.source = p.operand[0];
	s->mount.target = p.operand[1];
	return 0;
}

/* Return: the exit code. */
static int serve(struct settings *s, int ready)
{
	struct err e = { 0 };
	int r = vfs_mount_serve(&s->mount, ready, &e);

	/* Threads that still answer for open files use it to the end. */
	if (r <= 0)
		vfs_mount_conf_fini(&s->mount);
	if (r >= 0)
		return 0;
	log_error("%s", e.msg);
	return OPT_EXIT_FAILED;
}

/* The child serves; its one byte, or its end, tells the parent. */
static int in_background(struct settings *s)
{
	int ready[2], status = 0;
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		log_error("cannot go to the background: %s", err_str(errno));
		return OPT_EXIT_FAILED;
	}
	if (pid == 0) {
		(void)close(ready[0]);
		exit(serve(s, ready[1]));
	}
	vfs_mount_conf_fini(&s->mount);
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return 0;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
								    : OPT_EXIT_FAILED;
}

/* Return: the exit code. */
static int again(const struct settings *s)
{
	struct err e = { 0 };

	if (vfs_mount_again(&s->mount, &e) == 0)
		return 0;
	log_error("%s", e.msg);
	return OPT_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct settings s = { .mount = VFS_MOUNT_DEFAULT };
	struct err e = { 0 };
	int r;

	if (start_program() < 0)
		return OPT_EXIT_FAILED;
	log_init("cntrfs", "CNTR_LOG", false);
	if (argc > 1 && opt_wants_help(argv[argc - 1]))
		return opt_print_help("cntrfs", &self);
	s.helper = strncmp(program_invocation_short_name, "mount.", strlen("mount.")) == 0;
	r = parse(argc, argv, &s, &e);
	log_init("cntrfs", "CNTR_LOG", s.verbose);
	if (r == 0 && s.mount.merge.scratch && !s.mount.merge.lower)
		r = err_set(&e, EINVAL, "scratch= takes lower= as well");
	if (r == 0 && s.mount.stateless && (!s.mount.read_only || merge_is_wanted(&s.mount.merge)))
		r = err_set(&e, EINVAL,
			    "stateless takes ro, and does not go with lower=, hide= and ro=PATH");
	if (r != 0)
		vfs_mount_conf_fini(&s.mount);
	if (r > 0)
		return out_exit();
	if (r < 0) {
		log_error("%s; see 'cntrfs --help'", e.msg);
		return OPT_EXIT_USAGE;
	}
	if (s.mount.again)
		return again(&s);
	return s.foreground ? serve(&s, -1) : in_background(&s);
}
