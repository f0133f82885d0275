/* SPDX-License-Identifier: MIT */
/* rktio stats: what a running machine has done so far, or does now. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bar.h"
#include "cmd.h"
#include "counters.h"
#include "json.h"
#include "out.h"

enum {
	STATS_JSON = OPT_LONG
};

const struct opt cmd_stats_opts[] = {
	{ STATS_JSON, "json", NULL, "print one object; with --watch one a second" },
	{ 'w', "watch", NULL, "each second, with what was added" },
	{ 0 },
};

static struct json_object *as_json(const struct counters *c)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < c->n; i++)
		json_add_int(o, c->v[i].name, (int64_t)c->v[i].value);
	return o;
}

/* @old: those of a second ago, or NULL. Names are in the same order in both. */
static void print_text(const struct counters *c, const struct counters *old)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct counter *v = &c->v[i];

		if (old && i < old->n && !strcmp(old->v[i].name, v->name))
			printf("%-24s %14" PRIu64 " %+12" PRId64 "\n", v->name, v->value,
			       (int64_t)(v->value - old->v[i].value));
		else
			printf("%-24s %14" PRIu64 "\n", v->name, v->value);
	}
}

static int print(const struct counters *c, const struct counters *old, bool json, struct err *e)
{
	int r = 0;

	if (json) {
		_cleanup_json_ struct json_object *o = as_json(c);

		r = json_print(o, stdout);
	} else {
		if (old)
			printf(bar_works(STDOUT_FILENO) ? "\033[H\033[J" : "\n");
		print_text(c, old);
	}
	return out_done(r, e);
}

static int stats(pid_t pid, bool json, bool watch, struct err *e)
{
	static struct counters c[2];
	int r = counters_read(pid, &c[0], e);

	if (!r)
		r = print(&c[0], NULL, json, e);
	for (unsigned int i = 1; !r && watch; i++) {
		(void)sleep(1);
		r = counters_read(pid, &c[i & 1], e);
		if (!r)
			r = print(&c[i & 1], &c[(i - 1) & 1], json, e);
	}
	return r;
}

int cmd_stats(struct opt_parser *p)
{
	bool json = false, watch = false;
	struct err e = { 0 };
	pid_t pid = 0;
	int id;

	while ((id = opt_next(p, &e)) > 0) {
		json = json || id == STATS_JSON;
		watch = watch || id == 'w';
	}
	if (!id && p->noperands != 1)
		id = err_set(&e, EINVAL, "stats takes one PID");
	if (!id)
		id = cmd_take_pid(p->operand[0], &pid, &e);
	if (id < 0)
		return cmd_usage(p, &e);
	return stats(pid, json, watch, &e) < 0 ? cmd_failed(&e) : 0;
}
