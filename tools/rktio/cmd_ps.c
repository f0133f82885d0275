/* SPDX-License-Identifier: MIT */
/* rktio ps: what is running, as far as it is ours to ask. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "cmd.h"
#include "json.h"
#include "locate.h"
#include "out.h"
#include "size.h"
#include "text.h"

enum {
	PS_JSON = OPT_LONG
};

const struct opt cmd_ps_opts[] = {
	{ PS_JSON, "json", NULL, "print one array" },
	{ 'q', "quiet", NULL, "print pids alone" },
	{ 0 },
};

/* Borrowed from the text of locate_info(). */
struct facts {
	const char *image, *program;
	uint64_t memory;
	int64_t started; /* seconds since 1970 */
};

static void take_facts(char *info, struct facts *f)
{
	char *line;

	*f = (struct facts){ .image = "", .program = "" };
	while ((line = strsep(&info, "\n"))) {
		if (!strncmp(line, "image=", 6))
			f->image = line + 6;
		else if (!strncmp(line, "memory=", 7))
			f->memory = strtoull(line + 7, NULL, 10);
		else if (!strncmp(line, "started=", 8))
			f->started = strtoll(line + 8, NULL, 10);
		else if (!strncmp(line, "program=", 8))
			f->program = line + 8;
	}
}

static void show_age(int64_t started, char *to, size_t size)
{
	int64_t s = (int64_t)time(NULL) - started;

	if (s < 120)
		(void)snprintf(to, size, "%" PRId64 " s", s < 0 ? 0 : s);
	else if (s < 120 * 60)
		(void)snprintf(to, size, "%" PRId64 " min", s / 60);
	else if (s < 48 * 3600)
		(void)snprintf(to, size, "%" PRId64 " h", s / 3600);
	else
		(void)snprintf(to, size, "%" PRId64 " days", s / 86400);
}

static int add_row(struct text_table *t, pid_t pid, const struct facts *f)
{
	char number[16], memory[SIZE_TEXT], age[32];
	const char *row[] = { number, memory, age, f->image, f->program };

	(void)snprintf(number, sizeof(number), "%d", pid);
	(void)size_show(f->memory, memory);
	show_age(f->started, age, sizeof(age));
	return text_table_add(t, row);
}

static void add_json(struct json_object *all, pid_t pid, const struct facts *f)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "pid", pid);
	json_add_str(o, "image", f->image);
	json_add_str(o, "program", f->program);
	json_add_int(o, "memory", (int64_t)f->memory);
	json_add_int(o, "started", f->started);
	(void)json_object_array_add(all, o);
}

/* 1 and its facts; 0: it has no machine, or not for us. */
static int ask(pid_t pid, char info[LOCATE_INFO_MAX], struct facts *f)
{
	_cleanup_close_ int sock = -1;
	pid_t launcher;

	sock = locate_connect(pid, &launcher, NULL);
	if (sock < 0 || launcher != pid || locate_info(sock, info, NULL) < 0)
		return 0;
	take_facts(info, f);
	return 1;
}

static int list(bool json, bool quiet, struct err *e)
{
	static const char *const head[] = { "PID", "MEMORY", "SINCE", "IMAGE", "PROGRAM" };
	_cleanup_text_table_ struct text_table t = TEXT_TABLE_INIT(ARRAY_SIZE(head));
	_cleanup_json_ struct json_object *all = json_object_new_array();
	_cleanup_free_ pid_t *pids = NULL;
	char info[LOCATE_INFO_MAX];
	struct facts f;
	size_t n = 0;
	int r = locate_all(&pids, &n, e);

	if (!r)
		r = text_table_add(&t, head);
	for (size_t i = 0; !r && i < n; i++) {
		if (!ask(pids[i], info, &f))
			continue;
		if (json)
			add_json(all, pids[i], &f);
		else if (quiet)
			printf("%d\n", pids[i]);
		else
			r = add_row(&t, pids[i], &f);
	}
	if (r < 0)
		return err_set(e, -r, "listing: %s", err_str(r));
	if (json)
		r = json_print(all, stdout);
	else if (!quiet && t.n == t.ncolumns) /* the heads */
		(void)fprintf(stderr, "rktio: no machines are running%s\n",
			      geteuid() ? ", or they belong to other users" : "");
	else if (!quiet)
		text_table_print(&t, stdout, 0, NULL, 0);
	return out_done(r, e);
}

int cmd_ps(struct opt_parser *p)
{
	bool json = false, quiet = false;
	struct err e = { 0 };
	int id;

	while ((id = opt_next(p, &e)) > 0) {
		json = json || id == PS_JSON;
		quiet = quiet || id == 'q';
	}
	if (!id && p->noperands)
		id = err_set(&e, EINVAL, "ps takes no operand");
	if (id < 0)
		return cmd_usage(p, &e);
	return list(json, quiet, &e) < 0 ? cmd_failed(&e) : 0;
}
