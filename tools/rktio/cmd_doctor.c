/* SPDX-License-Identifier: MIT */
/* cmd_doctor.c - rktio doctor: what this machine lacks for it, and how to get it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "needs.h"
#include "out.h"
#include "run_needs.h"

#define COLUMNS 80

enum {
	DOCTOR_JSON = OPT_LONG
};

const struct opt cmd_doctor_opts[] = {
	{ DOCTOR_JSON, "json", NULL, "print one object" },
	{ 0 },
};

static struct json_object *report_json(const struct need *v, size_t n)
{
	struct json_object *o = json_object_new_object(), *needs = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_new_object();

		json_add_str(p, "name", v[i].name);
		json_add_bool(p, "works", v[i].works);
		json_add_bool(p, "fatal", v[i].fatal && !v[i].works);
		json_add_str(p, "needs", v[i].needs);
		json_add_str(p, "without", v[i].without);
		(void)json_object_array_add(needs, p);
	}
	(void)json_object_object_add(o, "needs", needs);
	json_add_str(o, "note", run_needs_note);
	return o;
}

/* A sentence, behind @column characters of a line. */
static void print_wrapped(const char *text, size_t column)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		bool wraps = column + 1 + len >= COLUMNS;

		column = wraps ? len : column + 1 + len;
		printf("%c%.*s", wraps ? '\n' : ' ', (int)len, text);
		text += len + (text[len] == ' ');
	}
	printf(".\n");
}

static void print_text(const struct need *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%-3s  %s\n", v[i].works ? "yes" : "no", v[i].name);
		if (!v[i].works)
			printf("     needs %s\n     without: %s\n", v[i].needs, v[i].without);
	}
	print_wrapped(run_needs_note, (size_t)printf("\nOn every machine:") - 1);
}

int cmd_doctor(struct opt_parser *p)
{
	struct need v[NEEDS_MAX + RUN_NEEDS_MAX];
	bool json = false, fatal = false;
	struct err e = { 0 };
	int id, r = 0;
	size_t n;

	while ((id = opt_next(p, &e)) > 0)
		json = true;
	if (!id && p->noperands)
		id = err_set(&e, EINVAL, "doctor takes no operand");
	if (id < 0)
		return cmd_usage(p, &e);
	n = needs_all(v);
	n += run_needs_all(v + n);
	for (size_t i = 0; i < n; i++)
		fatal = fatal || (v[i].fatal && !v[i].works);
	if (json) {
		_cleanup_json_ struct json_object *o = report_json(v, n);

		r = json_print(o, stdout);
	} else {
		print_text(v, n);
	}
	if (out_done(r, &e) < 0)
		return cmd_failed(&e);
	return fatal ? OPT_EXIT_FAILED : 0;
}
