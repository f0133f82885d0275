/* SPDX-License-Identifier: MIT */
/* cmd_doctor.c - cntr doctor: what this kernel, this user and the engines here allow. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "ctr.h"
#include "json.h"
#include "out.h"
#include "probe.h"
#include "run.h"
#include "text.h"

enum {
	DOCTOR_JSON = OPT_LONG
};

const struct opt cmd_doctor_opts[] = {
	{ DOCTOR_JSON, "json", NULL, "print one object" },
	{ 0 },
};

static const char *const word[] = {
	[PROBE_YES] = "yes", [PROBE_NO] = "no", [PROBE_DEGRADED] = "no"
};

static struct json_object *engines_json(const struct ctr_list *l)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < l->n; i++) {
		int64_t n = 0;

		(void)!json_int(o, l->v[i].engine, &n);
		json_add_int(o, l->v[i].engine, n + 1);
	}
	return o;
}

static struct json_object *report_json(const struct probe *v, size_t n, const struct ctr_list *l)
{
	struct json_object *o = json_object_new_object(), *probes = json_object_new_array();
	struct json_object *skipped = json_object_new_array();
	struct utsname u;

	json_add_str(o, "kernel", uname(&u) < 0 ? NULL : u.release);
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_new_object();

		json_add_str(p, "name", v[i].name);
		json_add_bool(p, "works", v[i].result == PROBE_YES);
		json_add_bool(p, "fatal", v[i].result == PROBE_NO);
		json_add_str(p, "needs", v[i].needs);
		json_add_str(p, "without", v[i].without);
		json_add_str(p, "detail", v[i].detail);
		(void)json_object_array_add(probes, p);
	}
	for (size_t i = 0; i < l->nskipped; i++)
		(void)json_object_array_add(skipped, json_object_new_string(l->skipped[i].msg));
	(void)json_object_object_add(o, "probes", probes);
	(void)json_object_object_add(o, "containers", engines_json(l));
	(void)json_object_object_add(o, "unreadable", skipped);
	return o;
}

static void print_probe(const struct probe *p)
{
	printf("  %-3s  %-*s%s%s\n", word[p->result], *p->detail ? 22 : 0, p->name,
	       *p->detail ? " " : "", p->detail);
	if (p->result != PROBE_YES)
		printf("       %-22s needs %s\n       %-22s without: %s\n", "", p->needs, "",
		       p->without);
}

static void print_text(const struct probe *v, size_t n, const struct ctr_list *l)
{
	struct json_object *engines = engines_json(l);
	struct utsname u;

	printf("Linux %s\n", uname(&u) < 0 ? "?" : u.release);
	for (size_t i = 0; i < n; i++)
		print_probe(&v[i]);
	printf("\nContainers\n");
	if (!l->n)
		printf("  none is running\n");
	json_object_object_foreach(engines, engine, count)
		printf("  %3s  %s\n", json_object_get_string(count), engine);
	for (size_t i = 0; i < l->nskipped; i++) {
		char *safe = text_safe(l->skipped[i].msg);

		printf("  no   %s\n", safe ? safe : "?");
		free(safe);
	}
	json_object_put(engines);
}

int cmd_doctor(struct opt_parser *p)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct probe v[PROBES_MAX];
	struct err e = { 0 };
	struct ctr_env env;
	bool json = false, fatal = false;
	size_t n;
	int id;

	while ((id = opt_next(p, &e)) > 0)
		json = true;
	if (!id && p->noperands)
		id = err_set(&e, EINVAL, "doctor takes no operand");
	if (id < 0)
		return run_usage(p, &e);
	n = probe_all(v);
	for (size_t i = 0; i < n; i++)
		fatal = fatal || v[i].result == PROBE_NO;
	ctr_env_init(&env);
	if (ctr_list(&env, &l, &e) < 0)
		return run_failed(&e, OPT_EXIT_FAILED);
	if (json) {
		_cleanup_json_ struct json_object *o = report_json(v, n, &l);

		id = json_print(o, stdout);
	} else {
		print_text(v, n, &l);
	}
	if (out_done(id, &e) < 0)
		return run_failed(&e, OPT_EXIT_FAILED);
	return fatal ? OPT_EXIT_FAILED : 0;
}
