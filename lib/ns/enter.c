/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "ns"
#include "enter.h"

#include <errno.h>
#include <sched.h>

#include "log.h"

struct ns_words ns_words = { "container", "cntr exec" };

static int join_one(const struct ns_set *s, enum ns_kind k, int *done)
{
	if (s->fd[k] < 0 || s->ours[k] || *done & ns_desc[k].flag)
		return 0;
	if (setns(s->fd[k], ns_desc[k].flag) < 0)
		return -errno;
	*done |= ns_desc[k].flag;
	log_debug("joined the %s namespace %llu", ns_desc[k].name, (unsigned long long)s->ino[k]);
	return 0;
}

/* Join all but the user namespace. Permission may come later: then EPERM is no failure yet. */
static int join_others(const struct ns_set *s, int flags, int *done, bool final, struct err *e)
{
	for (enum ns_kind k = 0; k < NS_KINDS; k++) {
		int r;

		if (k == NS_USER || !(flags & ns_desc[k].flag))
			continue;
		r = join_one(s, k, done);
		if (r < 0 && (final || r != -EPERM))
			return err_set(e, -r, "joining the %s's %s namespace: %s", ns_words.what,
				       ns_desc[k].name, err_str(r));
	}
	return 0;
}

int ns_enter(const struct ns_set *s, int flags, int *done, struct err *e)
{
	bool user = flags & ns_desc[NS_USER].flag && s->fd[NS_USER] >= 0 && !s->ours[NS_USER] &&
		    !(*done & ns_desc[NS_USER].flag);
	int r = join_others(s, flags, done, !user, e);

	if (r < 0 || !user)
		return r;
	r = join_one(s, NS_USER, done);
	if (r < 0)
		return err_set(e, -r, "joining the %s's user namespace: %s", ns_words.what,
			       err_str(r));
	return join_others(s, flags, done, true, e);
}
