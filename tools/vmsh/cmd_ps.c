/* SPDX-License-Identifier: MIT */
/* cmd_ps.c - vmsh ps: the virtual machines of this host, as a table, as JSON, or as names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cmd.h"
#include "json.h"
#include "log.h"
#include "out.h"
#include "side_found.h"
#include "target.h"
#include "text.h"

enum {
	PS_JSON = OPT_LONG,
	PS_NAMES,
	PS_QUICK
};

const struct opt cmd_ps_opts[] = {
	{ PS_JSON, "json", NULL, "print an array of objects with full values" },
	{ PS_NAMES, "names", NULL, "print only what may be given as TARGET, one a line" },
	{ PS_QUICK, "quick", NULL,
	  "do not look into the machines: neither memory nor kernel is shown" },
	{ 0 },
};

struct ps {
	bool json, names, quick;
};

/* What is only known from inside. */
struct inside {
	uint64_t memory; /* 0: not known */
	char release[KRELEASE_MAX];
	char why[ERR_MSG_MAX]; /* there is no release */
};

static void look_at(const struct vm_info *info, const struct ps *ps, struct inside *ret)
{
	struct vm *v = calloc(1, sizeof(*v));
	struct err e = { 0 };

	*ret = (struct inside){ 0 };
	if (!v || ps->quick) {
		free(v);
		return;
	}
	v->ref = (struct pid_ref)PID_REF_INIT;
	if (vm_open(info, v, &e) < 0)
		(void)snprintf(ret->why, sizeof(ret->why), "%s", e.msg);
	ret->memory = vm_memory(v);
	memcpy(ret->release, v->release, sizeof(ret->release));
	vm_close(v);
	free(v);
}

/* What vmsh has in it. Return: 0; -errno. */
static int look_for_vmsh(const struct vm_info *info, struct side_found *ret)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	int r = pid_open(info->pid, &ref, NULL);

	ret->n = 0;
	return r < 0 ? r : side_found_read(&ref, info->vmfd, ret);
}

/* The pids of who is there, and whether something was left behind. */
static void say_attached(const struct vm_info *info, char *ret, size_t size)
{
	struct side_found f;
	bool left = false;
	size_t at = 0;

	(void)snprintf(ret, size, look_for_vmsh(info, &f) < 0 ? "-" : "no");
	for (size_t i = 0; i <= f.n; i++) {
		pid_t who = i < f.n ? side_found_who(&f.v[i]) : 0;

		left |= i < f.n && !who;
		if (!who && (i < f.n || !left))
			continue;
		at += (size_t)snprintf(ret + at, size - at, who ? "%s%d" : "%sleft behind",
				       at ? ", " : "", who);
		if (at >= size)
			return;
	}
}

static int add_row(struct text_table *t, const struct vm_info *info, const struct ps *ps)
{
	char pid[32], cpus[16], memory[32] = "-", attached[256];
	struct inside in;
	const char *row[] = {
		pid, info->hypervisor, info->name, cpus, memory, in.release, attached
	};

	say_attached(info, attached, sizeof(attached));
	look_at(info, ps, &in);
	if (!*in.release)
		(void)snprintf(in.release, sizeof(in.release), "-");
	(void)snprintf(pid, sizeof(pid), info->several ? "%d:%d" : "%d", info->pid, info->vmfd);
	(void)snprintf(cpus, sizeof(cpus), "%zu", info->ncpu);
	if (in.memory)
		(void)snprintf(memory, sizeof(memory), "%" PRIu64 " MiB", in.memory >> 20);
	return text_table_add(t, row);
}

static int print_table(const struct vm_list *l, const struct ps *ps)
{
	static const char *const head[] = { "PID",    "HYPERVISOR", "NAME",    "CPUS",
					    "MEMORY", "KERNEL",     "ATTACHED" };
	static const struct text_flex flex[] = { { .column = 5, .least = 8 },
						 { .column = 2, .least = 16 } };
	_cleanup_text_table_ struct text_table t = TEXT_TABLE_INIT(ARRAY_SIZE(head));

	if (!l->n) {
		(void)fprintf(stderr, "vmsh: no virtual machines are running%s\n",
			      l->unreadable ? " that this user may see" : "");
		return 0;
	}
	if (text_table_add(&t, head) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		if (add_row(&t, &l->v[i], ps) < 0)
			return -ENOMEM;
	text_table_print(&t, stdout, text_columns(STDOUT_FILENO), flex, ARRAY_SIZE(flex));
	return out_flush(stdout);
}

static void add_attached(struct json_object *o, const struct vm_info *info)
{
	struct json_object *array = json_object_new_array();
	struct side_found f;
	int64_t left = 0;

	if (look_for_vmsh(info, &f) < 0) {
		json_object_put(array);
		json_add_str(o, "attached", NULL);
		json_add_str(o, "left_behind", NULL);
		return;
	}
	for (size_t i = 0; i < f.n; i++) {
		pid_t who = side_found_who(&f.v[i]);

		left += !who;
		if (who)
			(void)json_object_array_add(array, json_object_new_int(who));
	}
	(void)json_object_object_add(o, "attached", array);
	json_add_int(o, "left_behind", left);
}

static struct json_object *to_json(const struct vm_info *info, const struct ps *ps)
{
	struct json_object *o = json_object_new_object();
	struct inside in;

	look_at(info, ps, &in);
	json_add_int(o, "pid", info->pid);
	json_add_int(o, "vmfd", info->vmfd);
	json_add_str(o, "hypervisor", info->hypervisor);
	json_add_str(o, "name", info->name);
	json_add_int(o, "cpus", (int64_t)info->ncpu);
	if (in.memory)
		json_add_int(o, "memory", (int64_t)in.memory);
	else
		json_add_str(o, "memory", NULL);
	json_add_str(o, "kernel", *in.release ? in.release : NULL);
	json_add_str(o, "why", *in.why ? in.why : NULL);
	add_attached(o, info);
	return o;
}

static int print_json(const struct vm_list *l, const struct ps *ps)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < l->n; i++)
		if (json_object_array_add(array, to_json(&l->v[i], ps)) < 0)
			return -ENOMEM;
	return json_print(array, stdout);
}

/* For completion: nothing that a shell or a terminal would take for something else. */
static int print_names(const struct vm_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		_cleanup_free_ char *safe = text_safe(l->v[i].name);
		size_t same = 0;

		if (!safe)
			return -ENOMEM;
		for (size_t k = 0; k < l->n; k++)
			same += !strcmp(l->v[i].name, l->v[k].name);
		if (l->v[i].several)
			(void)printf("%d:%d\n", l->v[i].pid, l->v[i].vmfd);
		else if (same > 1 || strcmp(safe, l->v[i].name) != 0)
			(void)printf("%d\n", l->v[i].pid);
		else
			(void)puts(l->v[i].name);
	}
	return out_flush(stdout);
}

static int parse(struct opt_parser *p, struct ps *ret, struct err *e)
{
	int id;

	while ((id = opt_next(p, e)) > 0) {
		ret->json |= id == PS_JSON;
		ret->names |= id == PS_NAMES;
		ret->quick |= id == PS_QUICK;
	}
	if (id < 0)
		return id;
	if (p->noperands)
		return err_set(e, EINVAL, "'ps' lists all machines and takes no '%s'",
			       p->operand[0]);
	if (ret->json && ret->names)
		return err_set(e, EINVAL, "--json and --names exclude each other");
	return 0;
}

int cmd_ps(struct opt_parser *p)
{
	_cleanup_vm_list_ struct vm_list l = { 0 };
	struct ps ps = { 0 };
	struct err e = { 0 };
	int r;

	if (parse(p, &ps, &e) < 0)
		return target_usage(p, &e);
	if (vm_list(&l, &e) < 0)
		return target_failed(&e);
	r = ps.json ? print_json(&l, &ps) : ps.names ? print_names(&l) : print_table(&l, &ps);
	return target_printed(r);
}
