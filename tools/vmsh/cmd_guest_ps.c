/* SPDX-License-Identifier: MIT */
/* cmd_guest_ps.c - vmsh guest-ps: the processes in a machine. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "target.h"

const struct opt cmd_guest_ps_opts[] = { TARGET_OPTS, { 0 } };

static int add_row(struct text_table *t, const struct ktask *k)
{
	char pid[16], ppid[16], uid[16], threads[16], state[2] = { k->state, 0 },
						      name[KTASK_COMM + 3];
	const char *row[] = { pid, ppid, uid, state, threads, *k->cmdline ? k->cmdline : name };

	(void)snprintf(pid, sizeof(pid), "%d", k->pid);
	(void)snprintf(ppid, sizeof(ppid), "%d", k->ppid);
	(void)snprintf(uid, sizeof(uid), "%u", k->uid);
	(void)snprintf(threads, sizeof(threads), "%u", k->threads);
	(void)snprintf(name, sizeof(name), "[%s]", k->comm);
	return text_table_add(t, row);
}

static struct json_object *to_json(const struct ktask *k)
{
	struct json_object *o = json_object_new_object();
	char state[2] = { k->state, 0 };

	json_add_int(o, "pid", k->pid);
	json_add_int(o, "ppid", k->ppid);
	json_add_int(o, "uid", k->uid);
	json_add_str(o, "state", state);
	json_add_int(o, "threads", k->threads);
	json_add_bool(o, "kernel", k->kernel);
	json_add_int(o, "start_ns", (int64_t)k->start_ns);
	json_add_str(o, "comm", k->comm);
	json_add_str(o, "cmdline", *k->cmdline ? k->cmdline : NULL);
	return o;
}

int cmd_guest_ps(struct opt_parser *p)
{
	static const char *const head[] = { "PID", "PPID", "UID", "S", "THREADS", "COMMAND" };
	_cleanup_text_table_ struct text_table table = TEXT_TABLE_INIT(ARRAY_SIZE(head));
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_json_ struct json_object *array = json_object_new_array();
	struct ktask_iter i = { 0 };
	struct ktask k;
	int r = target_open(p, TASK_SIZE, &t);

	if (r)
		return r;
	r = text_table_add(&table, head) < 0 ? -1 : 1;
	while (r > 0 && (r = ktask_next(&t.vm.guest, &i, &k)) == 1) {
		if (t.json)
			(void)json_object_array_add(array, to_json(&k));
		else if (add_row(&table, &k) < 0)
			r = -1;
	}
	return target_print(&t, &table, array, r, "processes");
}
