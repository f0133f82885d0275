/* SPDX-License-Identifier: MIT */
/* table.h - all engines, and asking them. Private to lib/ctr. */
#ifndef CTR_TABLE_H
#define CTR_TABLE_H

#include "engine.h"

/* Ends with NULL. Where two show the same process, the earlier one has it. */
extern const struct engine_ops *const ctr_engines[];

/*
 * ctr_ask() - What @ops finds for @ref, or its whole list if that is NULL or it has no find().
 *
 * A failure goes to @l->skipped as well.
 */
int ctr_ask(const struct ctr_env *env, const struct engine_ops *ops, const char *ref,
	    struct ctr_list *l, struct err *e) _must_check_;

/* Drop from @l, beyond the first @from, what an earlier entry shows already. */
void ctr_list_dedup(struct ctr_list *l, size_t from);
/* Order what is beyond the first @from by engine, name and scope. */
void ctr_list_sort(struct ctr_list *l, size_t from);

#endif
