/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "out.h"

int target_usage(const struct opt_parser *p, const struct err *e)
{
	log_error("%s; see 'vmsh %s --help'", e->msg, p->verb->name);
	return OPT_EXIT_USAGE;
}

int target_failed(const struct err *e)
{
	log_error("%s", e->msg);
	return OPT_EXIT_FAILED;
}

int target_alone(const struct opt_parser *p, struct err *e)
{
	if (p->noperands != 1)
		return err_set(e, EINVAL,
			       p->noperands ? "one TARGET at a time" : "no TARGET given");
	return 0;
}

static int parse(struct opt_parser *p, struct target *t, struct err *e)
{
	int id;

	while ((id = opt_next(p, e)) > 0) {
		t->json |= id == TARGET_JSON;
		if (id == 'v')
			log_init("vmsh", "VMSH_LOG", true);
	}
	return id < 0 ? id : target_alone(p, e);
}

int target_open(struct opt_parser *p, enum kfield_id needs, struct target *ret)
{
	struct vm_info info;
	struct err e = { 0 };
	struct vm *v = &ret->vm;

	if (parse(p, ret, &e) < 0)
		return target_usage(p, &e);
	if (vm_resolve(p->operand[0], &info, &e) < 0 || vm_open(&info, v, &e) < 0 ||
	    vm_open_kernel(v, &e) < 0)
		return target_failed(&e);
	log_info("the machine stood for %.1f ms, and for another %.1f ms for its memory slots",
		 (double)v->kvm.stopped_ns / 1e6, (double)v->kvm.probing_ns / 1e6);
	if (v->have_types || needs == KFIELDS || v->fields.f[needs].there)
		return 0;
	return target_failed(needs == TASK_SIZE ? &v->no_tasks : &v->no_types);
}

void target_close(struct target *t)
{
	vm_close(&t->vm);
}

int target_printed(int r)
{
	struct err e = { 0 };

	return out_done(r, &e) < 0 ? target_failed(&e) : 0;
}

int target_end(int r, const char *what)
{
	if (r == -ENOENT)
		log_error("this kernel has no %s that could be read", what);
	else if (r < 0)
		log_error(
			"the list of %s broke off: the guest changed it just then, or it is damaged; try again",
			what);
	return target_printed(0) || r < 0 ? OPT_EXIT_FAILED : 0;
}

static int walk(void *arg)
{
	struct target_list *l = arg;

	text_table_fini(&l->table);
	json_putp(&l->array);
	l->array = json_object_new_array();
	if (!l->array || text_table_add(&l->table, l->head) < 0)
		return -ENOMEM;
	return l->add_all(l);
}

int target_list(struct target_list *l)
{
	int r = kguest_walk(walk, l), printed = l->t->json ? json_print(l->array, stdout) : 0;

	if (!l->t->json)
		text_table_print(&l->table, stdout, text_columns(STDOUT_FILENO), l->flex,
				 l->flex ? 1 : 0);
	text_table_fini(&l->table);
	json_putp(&l->array);
	return printed < 0 ? target_printed(printed) : target_end(r, l->what);
}
