/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"

int trace_want(struct trace *t, const char *names, struct err *e)
{
	_cleanup_free_ char *copy = strdup(names);
	char *rest = copy, *name;

	if (!copy)
		return err_set(e, ENOMEM, "no memory");
	t->some = true;
	while ((name = strsep(&rest, ","))) {
		uint32_t nr = 0;

		while (nr < TRACE_CALLS && (!trace_name(nr) || strcmp(trace_name(nr), name) != 0))
			nr++;
		if (nr == TRACE_CALLS)
			return err_set(e, EINVAL, "'%.40s' is no system call", name);
		t->wanted[nr] = true;
	}
	return 0;
}

static int check(const struct lo_trace *r, size_t size)
{
	size_t text = 0;

	if ((r->kind != LO_TRACE_ENTER && r->kind != LO_TRACE_EXIT) || !r->pid)
		return -EPROTO;
	for (int i = 0; i < LO_TRACE_TEXTS; i++) {
		if (r->text[i].size > LO_TRACE_TEXT_MAX || r->text[i].arg > 5)
			return -EPROTO;
		text += r->text[i].size;
	}
	return text <= size - sizeof(*r) ? 0 : -EPROTO;
}

static bool is_wanted(const struct trace *t, const struct lo_trace *r)
{
	if (t->only && r->pid != (uint32_t)t->only && r->tgid != (uint32_t)t->only)
		return false;
	return !t->some || (r->nr < TRACE_CALLS && t->wanted[r->nr]);
}

static void count(struct trace *t, const struct lo_trace *r)
{
	bool enter = r->kind == LO_TRACE_ENTER;
	uint32_t pid = enter ? 0 : r->pid;
	size_t i = 0;

	if (r->nr >= TRACE_CALLS)
		return;
	t->count[r->nr].calls += enter;
	t->count[r->nr].errors += !enter && r->arg[0] < 0 && r->arg[0] >= -4095;
	while (i < TRACE_TASKS && t->task[i].pid != pid)
		i++;
	if (i == TRACE_TASKS)
		return;
	if (!enter && r->ns >= t->task[i].since)
		t->count[r->nr].ns += r->ns - t->task[i].since;
	t->task[i].pid = enter ? r->pid : 0;
	t->task[i].since = r->ns;
}

static void print_name(FILE *f, uint32_t nr)
{
	const char *name = trace_name(nr);

	if (name)
		(void)fputs(name, f);
	else
		(void)fprintf(f, "syscall_%" PRIu32, nr);
}

static void print_enter(struct trace *t, const struct lo_trace *r)
{
	(void)fprintf(t->out, "[pid %5" PRIu32 "] ", r->pid);
	print_name(t->out, r->nr);
	(void)fputc('(', t->out);
	t->open = r->pid;
	trace_args(t->out, r, 0, trace_known(r->nr));
	/* These have no end. */
	if (r->nr == SYS_exit || r->nr == SYS_exit_group) {
		(void)fputs(") = ?\n", t->out);
		t->open = 0;
	}
}

static void print_exit(struct trace *t, const struct lo_trace *r)
{
	if (t->open != r->pid) {
		(void)fprintf(t->out, "[pid %5" PRIu32 "] <... ", r->pid);
		print_name(t->out, r->nr);
		(void)fputs(" resumed>", t->out);
	}
	trace_args(t->out, r, trace_known(r->nr), 6);
	(void)fputc(')', t->out);
	trace_result(t->out, r);
	(void)fputc('\n', t->out);
	t->open = 0;
}

static void take(struct trace *t, const struct lo_trace *r)
{
	if (!is_wanted(t, r))
		return;
	if (t->summary) {
		count(t, r);
		return;
	}
	if (t->open && (r->kind == LO_TRACE_ENTER || t->open != r->pid)) {
		(void)fputs(" <unfinished ...>\n", t->out);
		t->open = 0;
	}
	if (r->kind == LO_TRACE_ENTER)
		print_enter(t, r);
	else
		print_exit(t, r);
}

/* How long the record is that begins in t->record, as far as that is known. */
static size_t wanted_size(const struct trace *t)
{
	struct lo_trace r;

	if (t->have < sizeof(r))
		return sizeof(r);
	memcpy(&r, t->record, sizeof(r));
	return r.size;
}

int trace_feed(struct trace *t, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size) {
		size_t want = wanted_size(t), n;

		n = want - t->have < size ? want - t->have : size;
		memcpy(t->record + t->have, p, n);
		t->have += n;
		p += n;
		size -= n;
		if (t->have < sizeof(struct lo_trace))
			continue;
		want = wanted_size(t);
		if (want < sizeof(struct lo_trace) || want > sizeof(t->record) || want % 8)
			return -EPROTO;
		if (t->have < want)
			continue;
		t->have = 0;
		if (check((const struct lo_trace *)(const void *)t->record, want) < 0)
			return -EPROTO;
		take(t, (const struct lo_trace *)(const void *)t->record);
	}
	return 0;
}

static void print_summary(struct trace *t)
{
	bool done[TRACE_CALLS] = { false };

	(void)fprintf(t->out, "%12s %10s %12s %10s %s\n", "seconds", "calls", "usecs/call",
		      "errors", "syscall");
	for (;;) {
		uint32_t most = TRACE_CALLS;

		for (uint32_t i = 0; i < TRACE_CALLS; i++)
			if (!done[i] && t->count[i].calls &&
			    (most == TRACE_CALLS || t->count[i].ns > t->count[most].ns))
				most = i;
		if (most == TRACE_CALLS)
			return;
		done[most] = true;
		(void)fprintf(t->out, "%12.6f %10" PRIu64 " %12.1f %10" PRIu64 " ",
			      (double)t->count[most].ns / 1e9, t->count[most].calls,
			      (double)t->count[most].ns / 1e3 / (double)t->count[most].calls,
			      t->count[most].errors);
		print_name(t->out, most);
		(void)fputc('\n', t->out);
	}
}

void trace_end(struct trace *t)
{
	if (t->open)
		(void)fputs(" <unfinished ...>\n", t->out);
	t->open = 0;
	if (t->summary)
		print_summary(t);
}
