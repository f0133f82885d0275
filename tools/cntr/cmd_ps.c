/* SPDX-License-Identifier: MIT */
/* cmd_ps.c - cntr ps: the containers of every engine, as a table, as JSON, or as names to attach to. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "cmd.h"
#include "ctr.h"
#include "json.h"
#include "log.h"
#include "out.h"
#include "pidfd.h"
#include "run.h"
#include "stat.h"
#include "status.h"
#include "text.h"

#define ID_SHORT 12

enum {
	PS_JSON = OPT_LONG,
	PS_NAMES
};

const struct opt cmd_ps_opts[] = {
	{ 'a', "all", NULL, "show stopped containers too" },
	{ PS_JSON, "json", NULL, "print an array of objects with full values" },
	{ PS_NAMES, "names", NULL, "print only what may be given as TARGET, one a line" },
	{ 0 },
};

/* What is known of a container's first process. */
struct first {
	bool known;
	uid_t uid;
	uint64_t up; /* seconds */
};

static void look_at(const struct ctr *c, struct first *ret)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	_cleanup_status_ struct proc_status st = { 0 };
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_stat stat;
	struct timespec now;

	*ret = (struct first){ .known = false };
	if (!c->pid || pid_open(c->pid, &ref, NULL) < 0 || proc_status_read(&ref, &st, NULL) < 0 ||
	    proc_stat_read(ref.procfd, &stat) < 0)
		return;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	ret->known = true;
	ret->uid = st.uid[PROC_EFFECTIVE];
	if ((uint64_t)now.tv_sec > stat.start / hz)
		ret->up = (uint64_t)now.tv_sec - stat.start / hz;
}

static const char *user_name(uid_t uid, char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		(void)snprintf(buf, size, "%s", pw->pw_name);
	else
		(void)snprintf(buf, size, "%u", uid);
	return buf;
}

static const char *const state_name[] = {
	[CTR_RUNNING] = "running", [CTR_PAUSED] = "paused", [CTR_STOPPED] = "stopped"
};

static void up_text(const struct ctr *c, const struct first *p, char *buf, size_t size)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	if (c->state == CTR_STOPPED || !p->known) {
		(void)snprintf(buf, size, "%s", c->state == CTR_STOPPED ? "stopped" : "-");
		return;
	}
	while (units[i].seconds > 1 && p->up < units[i].seconds)
		i++;
	(void)snprintf(buf, size, "%" PRIu64 "%c%s", p->up / units[i].seconds, units[i].unit,
		       c->state == CTR_PAUSED ? " paused" : "");
}

/* "SCOPE/NAME" is what names it where NAME alone does not. The caller's to free. */
static char *scoped_name(const struct ctr *c)
{
	char *s;

	return asprintf(&s, "%s%s%s", c->scope ? c->scope : "", c->scope ? "/" : "", c->name) < 0
		       ? NULL
		       : s;
}

static int add_row(struct text_table *t, const struct ctr *c)
{
	_cleanup_free_ char *name = scoped_name(c);
	char id[ID_SHORT + 1], pid[16] = "-", user[64] = "-", up[48];
	struct first p;
	const char *row[] = { c->engine, name, id, pid, c->image ? c->image : "-", user, up };

	if (!name)
		return -ENOMEM;
	/* where the name is the id, once is enough */
	(void)snprintf(id, sizeof(id), "%s", strcmp(c->id, c->name) ? c->id : "-");
	look_at(c, &p);
	if (c->pid)
		(void)snprintf(pid, sizeof(pid), "%d", c->pid);
	if (p.known)
		(void)user_name(p.uid, user, sizeof(user));
	up_text(c, &p, up, sizeof(up));
	return text_table_add(t, row);
}

static int print_table(const struct ctr_list *l, bool all)
{
	/* what is at the end of a name tells it from others; the scope stands before it */
	static const struct text_flex flex[] = { { .column = 4, .least = 8 },
						 { .column = 1, .least = 16, .keep_end = true } };
	static const char *const head[] = { "ENGINE", "NAME", "ID", "PID", "IMAGE", "USER", "UP" };
	_cleanup_text_table_ struct text_table t = TEXT_TABLE_INIT(ARRAY_SIZE(head));

	if (!l->n) {
		(void)fprintf(
			stderr,
			"cntr: no containers%s; 'cntr doctor' says which engines can be asked\n",
			all ? "" : " are running");
		return 0;
	}
	if (text_table_add(&t, head) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		if (add_row(&t, &l->v[i]) < 0)
			return -ENOMEM;
	text_table_print(&t, stdout, text_columns(STDOUT_FILENO), flex, ARRAY_SIZE(flex));
	return out_flush(stdout);
}

static struct json_object *to_json(const struct ctr *c)
{
	struct json_object *o = json_object_new_object();
	struct first p;
	char user[64];

	look_at(c, &p);
	json_add_str(o, "engine", c->engine);
	json_add_str(o, "name", c->name);
	json_add_str(o, "scope", c->scope);
	json_add_str(o, "id", c->id);
	if (c->pid)
		json_add_int(o, "pid", c->pid);
	else
		json_add_str(o, "pid", NULL);
	json_add_str(o, "image", c->image);
	json_add_str(o, "state", state_name[c->state]);
	if (!p.known) {
		json_add_str(o, "user", NULL);
		json_add_str(o, "uid", NULL);
		json_add_str(o, "uptime", NULL);
		return o;
	}
	json_add_str(o, "user", user_name(p.uid, user, sizeof(user)));
	json_add_int(o, "uid", p.uid);
	json_add_int(o, "uptime", (int64_t)p.up);
	return o;
}

static int print_json(const struct ctr_list *l)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < l->n; i++)
		if (json_object_array_add(array, to_json(&l->v[i])) < 0)
			return -ENOMEM;
	return json_print(array, stdout);
}

static bool all_digits(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0';
}

enum sharing {
	SHARED_BY_NONE,
	SHARED_BY_ENGINES,
	SHARED_IN_ENGINE
};

/* Whom a bare name would match besides number @idx. */
static enum sharing name_sharing(const struct ctr_list *l, size_t idx)
{
	const struct ctr *c = &l->v[idx];
	enum sharing s = SHARED_BY_NONE;

	for (size_t i = 0; i < l->n; i++) {
		if (i == idx || strcmp(l->v[i].name, c->name) != 0)
			continue;
		if (!strcmp(l->v[i].engine, c->engine))
			return SHARED_IN_ENGINE;
		s = SHARED_BY_ENGINES;
	}
	return s;
}

/* For completion: nothing that a shell or a terminal would take for something else. */
static int print_names(const struct ctr_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct ctr *c = &l->v[i];
		_cleanup_free_ char *full = scoped_name(c), *safe = full ? text_safe(full) : NULL;
		enum sharing s = name_sharing(l, i);

		if (!full || !safe)
			return -ENOMEM;
		if (strcmp(full, safe) != 0)
			continue;
		if (s == SHARED_IN_ENGINE)
			(void)printf("%s:%s\n", c->engine, c->scope ? full : c->id);
		else if (s == SHARED_BY_ENGINES || all_digits(c->name) || strchr(c->name, ':'))
			(void)printf("%s:%s\n", c->engine, c->name);
		else
			(void)puts(c->name);
	}
	return out_flush(stdout);
}

struct ps {
	bool all, json, names;
};

static int parse(struct opt_parser *p, struct ps *ret, struct err *e)
{
	int id;

	while ((id = opt_next(p, e)) > 0) {
		ret->all |= id == 'a';
		ret->json |= id == PS_JSON;
		ret->names |= id == PS_NAMES;
	}
	if (id < 0)
		return id;
	if (p->noperands)
		return err_set(e, EINVAL, "'ps' lists all containers and takes no '%s'",
			       p->operand[0]);
	if (ret->json && ret->names)
		return err_set(e, EINVAL, "--json and --names exclude each other");
	return 0;
}

int cmd_ps(struct opt_parser *p)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct ps ps = { 0 };
	struct ctr_env env;
	struct err e = { 0 };
	int r = parse(p, &ps, &e);

	if (r < 0)
		return run_usage(p, &e);
	ctr_env_init(&env);
	r = ps.all ? ctr_list_all(&env, &l, &e) : ctr_list(&env, &l, &e);
	if (r < 0)
		return run_failed(&e, OPT_EXIT_FAILED);
	/* completion has no place for warnings */
	for (size_t i = 0; i < l.nskipped && !ps.names; i++)
		log_warn("%s", l.skipped[i].msg);
	r = ps.json ? print_json(&l) : ps.names ? print_names(&l) : print_table(&l, ps.all);
	return out_done(r, &e) < 0 ? run_failed(&e, OPT_EXIT_FAILED) : 0;
}
