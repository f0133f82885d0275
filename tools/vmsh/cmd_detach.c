/* SPDX-License-Identifier: MIT */
/* cmd_detach.c - vmsh detach: what a killed vmsh left in a machine and its hypervisor is undone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "out.h"
#include "side.h"
#include "side_found.h"
#include "target.h"
#include "text.h"

enum {
	DETACH_JSON = OPT_LONG
};

const struct opt cmd_detach_opts[] = {
	{ 'f', "force", NULL, "end the sessions of those who are attached first", 0 },
	{ DETACH_JSON, "json", NULL,
	  "print an object: how many were undone, ended, are in use, could not be undone", 0 },
	{ 'v', "verbose", NULL, "say how long the machine stood", 0 },
	{ 0 },
};

struct detach {
	bool force, json;
	struct vm_info info;
	struct pid_ref ref;
	struct side_found found;
	size_t ended;
	pid_t lives[SIDE_FOUND_MAX]; /* who could not be ended, which was said */
	size_t nlives;
	struct side_left left;
};

static int parse(struct opt_parser *p, struct detach *d, struct err *e)
{
	int id;

	while ((id = opt_next(p, e)) > 0) {
		d->force |= id == 'f';
		d->json |= id == DETACH_JSON;
		if (id == 'v')
			log_init("vmsh", "VMSH_LOG", true);
	}
	return id < 0 ? id : target_alone(p, e);
}

static int look(struct detach *d, struct err *e)
{
	int r = side_found_read(&d->ref, d->info.vmfd, &d->found);

	return r < 0 ? err_set(e, -r, "the mappings of process %d can't be read: %s", d->info.pid,
			       err_str(r))
		     : 0;
}

/* One that can't be ended is told of, and leaves the others to be. */
static int end_sessions(struct detach *d, struct err *e)
{
	for (size_t i = 0; i < d->found.n; i++) {
		const struct side_one *o = &d->found.v[i];
		struct err why = { 0 };

		if (!side_found_who(o))
			continue;
		if (!side_found_end(&d->ref, o, &why)) {
			d->ended++;
			continue;
		}
		log_error("%s", why.msg);
		d->lives[d->nlives++] = side_found_who(o);
	}
	return look(d, e);
}

static size_t count(const struct side_found *f, bool used)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += (side_found_who(&f->v[i]) != 0) == used;
	return n;
}

/* With the machine opened; of one that can't be nothing is undone, for one reason. */
static int undo(struct detach *d, struct err *e)
{
	_cleanup_vm_ struct vm vm = VM_INIT;
	struct err *why = &d->left.why[0];
	int r = vm_open(&d->info, &vm, why);

	if (!r)
		r = vm_open_kernel(&vm, why);
	if (r < 0) {
		(void)err_wrap(why, r, "what was left behind is still there");
		d->left.failed = count(&d->found, false);
		return 0;
	}
	r = side_detach(&vm, &d->left, e);
	log_info("the machine stood for %.1f ms to be looked at, and for %.1f ms to be undone",
		 (double)(vm.kvm.stopped_ns + vm.kvm.probing_ns) / 1e6,
		 (double)d->left.undo_ns / 1e6);
	return r;
}

static bool was_said(const struct detach *d, pid_t pid)
{
	for (size_t i = 0; i < d->nlives; i++)
		if (d->lives[i] == pid)
			return true;
	return false;
}

/* On standard error, each a sentence. */
static void say_rest(const struct detach *d)
{
	_cleanup_free_ char *safe = text_safe(d->info.name);
	const char *name = safe ? safe : "it";

	for (size_t i = 0; i < d->left.failed; i++)
		if (d->left.why[i].code)
			log_error("%s", d->left.why[i].msg);
	for (size_t i = 0; i < d->found.n; i++) {
		pid_t who = side_found_who(&d->found.v[i]);

		if (who && !was_said(d, who))
			log_error(
				d->force
					? "process %d has attached to '%s' meanwhile; try again"
					: "process %d is attached to '%s'; --force ends its session",
				who, name);
	}
	if (d->left.used > count(&d->found, true))
		log_error(
			"somebody who can't be seen from this pid namespace is attached to '%s'; 'vmsh detach' works where that vmsh runs",
			name);
	if (d->left.unknown)
		log_error(
			"what %zu other vmsh left was made by a version whose traces this one does not know; 'vmsh detach' of that version undoes it",
			d->left.unknown);
}

static int print(const struct detach *d)
{
	const size_t used = d->left.used > count(&d->found, true) ? d->left.used
								  : count(&d->found, true);
	_cleanup_json_ struct json_object *o = NULL;

	if (!d->json) {
		if (d->ended)
			(void)printf("%zu session%s ended\n", d->ended, d->ended > 1 ? "s" : "");
		if (d->left.undone)
			(void)printf("what %zu vmsh left is undone\n", d->left.undone);
		if (!d->ended && !d->left.undone && !used && !d->left.unknown && !d->left.failed)
			(void)puts("nothing to undo");
		return out_flush(stdout);
	}
	o = json_object_new_object();
	json_add_int(o, "undone", (int64_t)d->left.undone);
	json_add_int(o, "ended", (int64_t)d->ended);
	json_add_int(o, "used", (int64_t)used);
	json_add_int(o, "unknown", (int64_t)d->left.unknown);
	json_add_int(o, "failed", (int64_t)d->left.failed);
	return json_print(o, stdout);
}

static int detach(struct detach *d, struct err *e)
{
	int r = look(d, e);

	if (!r && d->force)
		r = end_sessions(d, e);
	/* with nothing left the machine is not touched */
	if (!r && count(&d->found, false))
		r = undo(d, e);
	return r;
}

int cmd_detach(struct opt_parser *p)
{
	static struct detach d = { .ref = PID_REF_INIT };
	struct err e = { 0 };
	int r;

	if (parse(p, &d, &e) < 0)
		return target_usage(p, &e);
	r = vm_resolve(p->operand[0], &d.info, &e);
	if (!r)
		r = pid_open(d.info.pid, &d.ref, &e);
	if (!r)
		r = detach(&d, &e);
	pid_close(&d.ref);
	if (r < 0)
		return target_failed(&e);
	say_rest(&d);
	if (target_printed(print(&d)))
		return OPT_EXIT_FAILED;
	return d.left.used || d.left.unknown || d.left.failed || d.nlives || count(&d.found, true)
		       ? OPT_EXIT_FAILED
		       : 0;
}
