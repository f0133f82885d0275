/* SPDX-License-Identifier: MIT */
#include "stat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"

#define STAT_MAX   4096
#define PF_EXITING 0x4 /* linux/sched.h, the same since 2.6 */

/* Numbers of the fields, proc(5). */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_SESSION = 6,
	STAT_FLAGS = 9,
	STAT_START = 22,
};

static int take_field(int field, struct span word, struct proc_stat *st)
{
	uint64_t v;

	if (field == STAT_STATE) {
		st->state = word.len == 1 ? word.p[0] : '\0';
		return st->state ? 0 : -EPROTO;
	}
	if (field != STAT_PPID && field != STAT_SESSION && field != STAT_FLAGS &&
	    field != STAT_START)
		return 0;
	/* of one that was waited for (do_task_stat(), Linux 6.18) */
	if (field == STAT_SESSION && span_eq(word, "-1")) {
		st->session = -1;
		return 0;
	}
	if (span_u64(word, 10, &v) < 0)
		return -EPROTO;
	if (field == STAT_PPID)
		st->ppid = (pid_t)v;
	else if (field == STAT_SESSION)
		st->session = (pid_t)v;
	else if (field == STAT_FLAGS)
		st->flags = (unsigned int)v;
	else
		st->start = v;
	return 0;
}

int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret)
{
	/* Field 2 is the name in parentheses, and may hold some; nothing after it has any. */
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	struct proc_stat st = { 0 };
	struct span rest, word;

	if (!open || !close || close < open)
		return -EPROTO;
	(void)snprintf(st.comm, sizeof(st.comm), "%.*s", (int)(close - open - 1), open + 1);
	rest = (struct span){ close + 1, len - (size_t)(close + 1 - text) };
	for (int field = STAT_STATE; field <= STAT_START; field++)
		if (!span_word(&rest, &word) || take_field(field, word, &st) < 0)
			return -EPROTO;
	*ret = st;
	return 0;
}

int proc_stat_read(int procfd, struct proc_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = io_read_at(procfd, "stat", STAT_MAX, &text, &len);

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return proc_stat_parse(text, len, ret);
}

bool proc_stat_exiting(const struct proc_stat *st)
{
	return st->flags & PF_EXITING;
}
