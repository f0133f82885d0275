/* SPDX-License-Identifier: MIT */
/* cmd_guest_ps.c - vmsh guest-ps: the processes in a machine. */
#include <errno.h>
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

static int add_all(struct target_list *l)
{
	struct ktask_iter i = { 0 };
	struct ktask k;
	int r;

	while ((r = ktask_next(&l->t->vm.guest, &i, &k)) == 1)
		if (l->t->json)
			(void)json_object_array_add(l->array, to_json(&k));
		else if (add_row(&l->table, &k) < 0)
			return -ENOMEM;
	return r;
}

int cmd_guest_ps(struct opt_parser *p)
{
	static const char *const head[] = { "PID", "PPID", "UID", "S", "THREADS", "COMMAND" };
	static const struct text_flex command = { .column = 5, .least = 16 };
	_cleanup_target_ struct target t = TARGET_INIT;
	struct target_list l = { .t = &t,
				 .what = "processes",
				 .head = head,
				 .flex = &command,
				 .table = TEXT_TABLE_INIT(ARRAY_SIZE(head)),
				 .add_all = add_all };
	int r = target_open(p, TASK_SIZE, &t);

	return r ? r : target_list(&l);
}
