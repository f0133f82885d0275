/* SPDX-License-Identifier: MIT */
/* cmd_attach.c - vmsh attach: a shell, or any command, with tools of the host in a machine. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "attach.h"
#include "cmd.h"
#include "guest_disk.h"
#include "log.h"
#include "passwd.h"
#include "side_chan.h"
#include "stage2.h"
#include "target.h"

#define TIMEOUT_MAX_S 3600
#define ENV_MAX       256
#define EXIT_NOT_RUN  125

enum {
	OPT_TOOLS = OPT_LONG,
	OPT_IMAGE,
	OPT_DEVICE,
	OPT_ARCHIVE,
	OPT_RW,
	OPT_GUEST_PID,
	OPT_GUEST_CONTAINER,
	OPT_PRIVILEGED,
	OPT_TIMEOUT
};

const struct opt cmd_attach_opts[] = {
	{ OPT_TOOLS, "tools", "DIR|archive|none",
	  "where the tools come from: a directory of this host (its root, if nothing is said)",
	  OPT_COMPLETE_DIR },
	{ OPT_IMAGE, "image", "FILE",
	  "the tools are in this image of a file system (ext4, squashfs, erofs) or disk, read-only",
	  OPT_COMPLETE_FILE },
	{ OPT_DEVICE, "device", NULL,
	  "give the guest the image as a disk, which its own kernel mounts; with --rw it writes to it",
	  0 },
	{ OPT_ARCHIVE, "archive", "FILE",
	  "the tools of a guest that has no FUSE, as a newc archive, instead of a busybox",
	  OPT_COMPLETE_FILE },
	{ OPT_RW, "rw", NULL, "let the tools tree be written", 0 },
	{ OPT_GUEST_PID, "guest-pid", "PID",
	  "join this process of the guest, not its first one: namespaces and rights", 0 },
	{ OPT_GUEST_CONTAINER, "guest-container", "NAME",
	  "join the first process of this container of the guest: its name, or the beginning of its id",
	  0 },
	{ 'u', "user", "USER[:GROUP]", "be this user of the guest", 0 },
	{ OPT_PRIVILEGED, "privileged", NULL, "keep all rights, not those of that process", 0 },
	{ 'e', "env", "NAME=VALUE", "set a variable in the command's environment", 0 },
	{ 'w', "workdir", "DIR", "start in this directory of the view", 0 },
	{ 't', "tty", NULL, "a terminal on all three standard streams, whatever they are", 0 },
	{ 'T', "no-tty", NULL, "no terminal, even at one", 0 },
	{ OPT_TIMEOUT, "timeout", "SECONDS",
	  "how long the guest may take to start it: 1 to 3600, 60 by default", 0 },
	{ 'v', "verbose", NULL, "say what is done, and how long the machine stood", 0 },
	{ 0 },
};

/* With whatever tools there are. */
static const char *const shell[] = { "/bin/sh", "-c",
				     "test -x /bin/bash && exec /bin/bash; exec /bin/sh", NULL };

struct attach_cmd {
	const char *target;
	struct attach_conf conf;
	const char *env[ENV_MAX + 1];
	size_t nenv;
	struct vm vm;
	struct guest_disk disk;
};

static int take_env(struct attach_cmd *a, const char *arg, struct err *e)
{
	if (*arg == '=' || !strchr(arg, '='))
		return err_set(e, EINVAL, "--env takes NAME=VALUE, not '%.60s'", arg);
	if (a->nenv == ENV_MAX)
		return err_set(e, EINVAL, "too many --env options");
	a->env[a->nenv++] = arg;
	a->conf.env = a->env;
	return 0;
}

static void take_tools(struct attach_conf *c, const char *arg)
{
	if (!strcmp(arg, "archive"))
		c->tools = ATTACH_ARCHIVE;
	else if (!strcmp(arg, "none"))
		c->tools = ATTACH_NONE;
	else
		c->dir = arg;
}

static int take_option(struct attach_cmd *a, int id, const char *arg, struct err *e)
{
	struct attach_conf *c = &a->conf;
	long pid, timeout_s;
	int r = 0;

	switch (id) {
	case OPT_TOOLS:
		take_tools(c, arg);
		return 0;
	case OPT_IMAGE:
		c->image = arg;
		return 0;
	case OPT_DEVICE:
		c->tools = ATTACH_DISK;
		return 0;
	case OPT_ARCHIVE:
		c->archive = arg;
		return 0;
	case OPT_RW:
		c->writable = true;
		return 0;
	case OPT_GUEST_PID:
		r = opt_number(arg, "--guest-pid", 1, INT_MAX, &pid, e);
		c->pid = r ? 0 : (pid_t)pid;
		return r;
	case OPT_GUEST_CONTAINER:
		c->container = arg;
		return *arg ? 0 : err_set(e, EINVAL, "--guest-container takes a name");
	case OPT_TIMEOUT:
		r = opt_number(arg, "--timeout", 1, TIMEOUT_MAX_S, &timeout_s, e);
		c->timeout_s = r ? 0 : (unsigned int)timeout_s;
		return r;
	case OPT_PRIVILEGED:
		c->privileged = true;
		return 0;
	case 'e':
		return take_env(a, arg, e);
	case 'u':
		c->user = arg;
		return ns_user_check(arg, e);
	case 'w':
		c->cwd = arg;
		return 0;
	case 't':
	case 'T':
		c->mode = id == 't' ? PTY_ALWAYS : PTY_NEVER;
		return 0;
	default:
		log_init("vmsh", "VMSH_LOG", true);
		return 0;
	}
}

static int check_tools(const struct attach_conf *c, struct err *e)
{
	const bool device = c->tools == ATTACH_DISK;

	if (device && !c->image)
		return err_set(e, EINVAL, "--device is about an --image");
	if (c->archive && (c->tools == ATTACH_NONE || device))
		return err_set(e, EINVAL,
			       "--archive is what a guest without FUSE gets: no %s beside it",
			       device ? "--device" : "--tools none");
	if (c->image && (c->dir || (c->tools && !device)))
		return err_set(e, EINVAL, "--image is where the tools are: no --tools beside it");
	if (c->image && c->writable && !device)
		return err_set(
			e, EINVAL,
			"--image is where the tools are, read-only unless it is a --device: no --rw beside it");
	return 0;
}

static int parse(struct attach_cmd *a, struct opt_parser *p, struct err *e)
{
	int id, r;

	while ((id = opt_next(p, e)) > 0) {
		r = take_option(a, id, p->arg, e);
		if (r < 0)
			return r;
	}
	if (id < 0)
		return id;
	if (!p->noperands)
		return err_set(e, EINVAL, "no TARGET given");
	r = check_tools(&a->conf, e);
	if (r < 0)
		return r;
	if (a->conf.pid && a->conf.container)
		return err_set(e, EINVAL, "--guest-pid and --guest-container exclude each other");
	a->target = p->operand[0];
	a->conf.argv = p->noperands > 1 ? (const char *const *)&p->operand[1] : shell;
	return 0;
}

static int open_machine(struct attach_cmd *a, struct err *e)
{
	struct vm_info info;
	int r = vm_resolve(a->target, &info, e);

	if (!r)
		r = vm_open(&info, &a->vm, e);
	if (!r)
		r = vm_open_kernel(&a->vm, e);
	if (!r && !a->vm.have_types)
		log_info("%s: what it takes of them is inferred", a->vm.no_types.msg);
	return r;
}

static double look_ms(const struct vm *v)
{
	return (double)(v->kvm.stopped_ns + v->kvm.probing_ns) / 1e6;
}

static void say_pauses(const struct vm *v, const struct side_report *p)
{
	log_info(
		"the machine stood for %.1f ms to be looked at, %.1f ms to start, %.1f ms at the end; one of its threads for %.1f ms",
		look_ms(v), (double)p->start_ns / 1e6, (double)p->undo_ns / 1e6,
		(double)p->map_ns / 1e6);
	log_info("the guest rings by %s, and is rung by %s", p->door ? "an ioeventfd" : "nothing",
		 p->irq ? "an irqfd" : "nothing");
}

/* The session, from the program in the guest to its end. */
static int run(struct attach_cmd *a, struct attach *session, int *ret_exit, struct err *e)
{
	const unsigned int timeout_s = a->conf.timeout_s ? a->conf.timeout_s : ATTACH_TIMEOUT_S;
	const char *const argv[] = { "vmsh-stage2", a->disk.attach.type, NULL };
	const struct side_opts opts = { .vm = &a->vm,
					.program = stage2_image,
					.size = stage2_image_size,
					.argv = argv,
					.timeout_ms = timeout_s * 1000,
					.disk = a->disk.path };
	static struct side_chan chan;
	struct side_report pauses = { 0 };
	struct err undo = { 0 };
	struct side *side;
	int r = side_open(&opts, &side, e);

	if (r < 0) {
		log_info("the machine stood for %.1f ms to be looked at", look_ms(&a->vm));
		return r;
	}
	a->disk.side = side;
	side_chan_init(&chan, side);
	r = attach_run(session, &chan.chan, ret_exit, e);
	side_chan_fini(&chan);
	if (side_close(side, &pauses, &undo) < 0)
		log_warn("%s", undo.msg);
	if (pauses.saved)
		log_warn(
			"the hypervisor migrates or saves the machine, therefore the session was ended");
	say_pauses(&a->vm, &pauses);
	return r;
}

static int open_disk(struct attach_cmd *a, struct err *e)
{
	const struct attach_conf *c = &a->conf;
	const bool now = c->tools == ATTACH_DISK;
	int r = c->image ? guest_disk_open(&a->disk, c->image, c->writable, now, e) : 0;

	a->conf.disk = a->disk.path ? &a->disk.attach : NULL;
	return r;
}

int cmd_attach(struct opt_parser *p)
{
	static struct attach_cmd a = { .vm = VM_INIT };
	struct attach *session = NULL;
	struct err e = { 0 };
	int status = EXIT_NOT_RUN, r;

	if (parse(&a, p, &e) < 0)
		return target_usage(p, &e);
	r = open_disk(&a, &e);
	if (!r)
		r = attach_open(&a.conf, &session, &e);
	if (!r)
		r = open_machine(&a, &e);
	if (!r)
		r = run(&a, session, &status, &e);
	attach_close(session);
	guest_disk_close(&a.disk);
	vm_close(&a.vm);
	if (r < 0)
		log_error("%s", e.msg);
	return status;
}
