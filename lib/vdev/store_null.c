/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "store.h"

static bool null_submit(struct store *s, struct store_req *r)
{
	(void)s;
	r->result = 0;
	return true;
}

static void null_push(struct store *s)
{
	(void)s;
}

static struct store_req *null_reap(struct store *s, bool wait)
{
	(void)s;
	(void)wait;
	return NULL;
}

static void null_free(struct store *s)
{
	free(s);
}

int store_null_new(uint64_t size, struct store **ret, struct err *e)
{
	static const struct store_ops ops = { "null", null_submit, null_push, null_reap,
					      null_free };
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	*s = (struct store){ .ops = &ops, .size = size / 512 * 512, .physical = 512, .fd = -1 };
	*ret = s;
	return 0;
}
