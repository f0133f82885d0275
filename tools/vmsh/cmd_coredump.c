/* SPDX-License-Identifier: MIT */
/* cmd_coredump.c - vmsh coredump: memory and registers of a machine, as a file for crash, drgn and gdb. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bar.h"
#include "cleanup.h"
#include "cmd.h"
#include "json.h"
#include "log.h"
#include "newfile.h"
#include "out.h"
#include "size.h"
#include "target.h"
#include "vm_core.h"

enum {
	CORE_JSON = OPT_LONG,
	CORE_LIVE,
	CORE_PAUSE
};

const struct opt cmd_coredump_opts[] = {
	{ CORE_LIVE, "live", NULL, "let it run while its memory is copied (this is the default)" },
	{ CORE_PAUSE, "pause", NULL, "stop it until all is copied, for a consistent image" },
	{ 'f', "force", NULL, "replace a file that nobody uses" },
	{ CORE_JSON, "json", NULL, "print one object about the file" },
	{ 'q', "quiet", NULL, "no progress, even on a terminal" },
	{ 0 },
};

struct coredump {
	bool json, live, pause, force, quiet;
	const char *target, *path;
};

static int parse(struct opt_parser *p, struct coredump *ret, struct err *e)
{
	int id;

	while ((id = opt_next(p, e)) > 0) {
		ret->json |= id == CORE_JSON;
		ret->live |= id == CORE_LIVE;
		ret->pause |= id == CORE_PAUSE;
		ret->force |= id == 'f';
		ret->quiet |= id == 'q';
	}
	if (id < 0)
		return id;
	if (p->noperands != 2)
		return err_set(e, EINVAL, "coredump takes one TARGET and one FILE");
	if (ret->live && ret->pause)
		return err_set(e, EINVAL, "--live and --pause exclude each other");
	if (!strcmp(p->operand[1], "-"))
		return err_set(
			e, EINVAL,
			"a core has holes, and can't go to standard output: name a FILE, such as ./-");
	ret->target = p->operand[0];
	ret->path = p->operand[1];
	return 0;
}

static int open_target(const struct coredump *o, struct vm *v, struct err *e)
{
	struct vm_info info;
	int r = vm_resolve(o->target, &info, e);

	if (!r)
		r = vm_open(&info, v, e);
	if (!r) /* without symbols it is a core all the same */
		(void)!vm_open_kernel(v, NULL);
	return r;
}

/* The file is complete only when all of it is. */
static int dump(const struct coredump *o, const struct progress *progress,
		struct vm_core_result *ret, struct err *e)
{
	const struct vm_core_opts opts = { .pause = o->pause,
					   .path = o->path,
					   .progress = progress };
	_cleanup_keeper_ struct keeper k = KEEPER_INIT;
	_cleanup_newfile_ struct newfile f = NEWFILE_INIT;
	_cleanup_vm_ struct vm v = VM_INIT;
	int r = newfile_open(o->path, o->force, &k, &f, e);

	if (!r)
		r = open_target(o, &v, e);
	if (!r)
		r = vm_core_write(&v, f.fd, &opts, ret, e);
	if (r < 0)
		return r;
	progress_tell(progress, "writing to the disk", 0, 0);
	return newfile_commit(&f, e);
}

static void warn(const struct vm_core_result *res)
{
	char beyond[SIZE_TEXT];

	if (!res->has_info)
		log_warn(
			"the guest's kernel has no %s that could be read: debuggers have to be told where it is",
			res->has_symbols ? "VMCOREINFO" : "symbols");
	if (res->beyond)
		log_warn(
			"the last %s of the guest's memory are not in the core: which mapping of the hypervisor has them was not found",
			size_show(res->beyond, beyond));
	if (res->lost)
		log_warn("%" PRIu64 " pages could not be read, and are zeros in the core",
			 res->lost);
}

static int print_json(const struct coredump *o, const struct vm_core_result *res)
{
	_cleanup_json_ struct json_object *j = json_object_new_object();

	json_add_str(j, "file", o->path);
	json_add_int(j, "memory", (int64_t)res->memory);
	json_add_int(j, "written", (int64_t)res->written);
	json_add_int(j, "cpus", (int64_t)res->ncpu);
	json_add_int(j, "paused_us", (int64_t)(res->paused_ns / 1000));
	json_add_bool(j, "live", !o->pause);
	json_add_bool(j, "vmcoreinfo", res->has_info);
	json_add_int(j, "pages_unreadable", (int64_t)res->lost);
	json_add_int(j, "memory_missing", (int64_t)res->beyond);
	json_add_int(j, "slots_missing", res->missing);
	return json_print(j, stdout);
}

static int print_text(const struct coredump *o, const struct vm_core_result *res)
{
	_cleanup_free_ char *path = text_safe(o->path);
	char memory[SIZE_TEXT], written[SIZE_TEXT];

	printf("'%s' has %s of memory, %s of that are not zeros; paused %.1f ms\n",
	       path ? path : "it", size_show(res->memory, memory), size_show(res->written, written),
	       (double)res->paused_ns / 1e6);
	return out_flush(stdout);
}

int cmd_coredump(struct opt_parser *p)
{
	struct vm_core_result res = { 0 };
	struct coredump o = { 0 };
	struct err e = { 0 };
	struct bar bar;
	struct progress progress;
	int r;

	if (parse(p, &o, &e) < 0)
		return target_usage(p, &e);
	/* a machine that stands must not have to wait for this terminal's "fg" */
	if (o.pause)
		(void)signal(SIGTSTP, SIG_IGN);
	progress = bar_start(&bar, o.quiet);
	r = dump(&o, &progress, &res, &e);
	bar_end(&bar);
	if (r < 0)
		return target_failed(&e);
	warn(&res);
	return target_printed(o.json ? print_json(&o, &res) : print_text(&o, &res));
}
