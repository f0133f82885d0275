/* SPDX-License-Identifier: MIT */
/* cmd_lsmod.c - vmsh lsmod: the modules of a machine's kernel. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "target.h"

const struct opt cmd_lsmod_opts[] = { TARGET_OPTS, { 0 } };

static int add_row(struct text_table *t, const struct kmod *k)
{
	char size[32], refs[16];
	const char *row[] = { k->name, size, refs, k->users };

	(void)snprintf(size, sizeof(size), "%" PRIu64, k->size);
	(void)snprintf(refs, sizeof(refs), "%d", k->refs);
	return text_table_add(t, row);
}

static struct json_object *to_json(const struct kmod *k)
{
	static const char *const states[] = { "live", "coming", "going", "unformed" };
	struct json_object *o = json_object_new_object();

	json_add_str(o, "name", k->name);
	json_add_int(o, "size", (int64_t)k->size);
	json_add_int(o, "references", k->refs);
	json_add_str(o, "state", k->state < ARRAY_SIZE(states) ? states[k->state] : NULL);
	json_add_str(o, "users", k->users);
	return o;
}

static int add_all(struct target_list *l)
{
	struct kmod_iter i = { 0 };
	struct kmod k;
	int r;

	while ((r = kmod_next(&l->t->vm.guest, &i, &k)) == 1)
		if (l->t->json)
			(void)json_object_array_add(l->array, to_json(&k));
		else if (add_row(&l->table, &k) < 0)
			return -ENOMEM;
	return r;
}

int cmd_lsmod(struct opt_parser *p)
{
	static const char *const head[] = { "Module", "Size", "Used", "by" };
	_cleanup_target_ struct target t = TARGET_INIT;
	struct target_list l = { .t = &t,
				 .what = "modules",
				 .head = head,
				 .table = TEXT_TABLE_INIT(ARRAY_SIZE(head)),
				 .add_all = add_all };
	int r = target_open(p, MODULE_LIST, &t);

	return r ? r : target_list(&l);
}
