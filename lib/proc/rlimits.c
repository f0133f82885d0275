/* SPDX-License-Identifier: MIT */
#include "rlimits.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"

#define LIMITS_MAX 16384

/* As fs/proc/base.c calls them, and as options of engines and ulimit do. */
static const struct {
	const char *title, *name;
} limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "cpu" },
	[RLIMIT_FSIZE] = { "Max file size", "fsize" },
	[RLIMIT_DATA] = { "Max data size", "data" },
	[RLIMIT_STACK] = { "Max stack size", "stack" },
	[RLIMIT_CORE] = { "Max core file size", "core" },
	[RLIMIT_RSS] = { "Max resident set", "rss" },
	[RLIMIT_NPROC] = { "Max processes", "nproc" },
	[RLIMIT_NOFILE] = { "Max open files", "nofile" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "memlock" },
	[RLIMIT_AS] = { "Max address space", "as" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "sigpending" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "msgqueue" },
	[RLIMIT_NICE] = { "Max nice priority", "nice" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "rtprio" },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "rttime" },
};

static int parse_limit(struct span s, rlim_t *ret)
{
	uint64_t v = 0;

	if (span_eq(s, "unlimited")) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	if (span_u64(s, 10, &v) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

static int parse_line(struct span line, size_t title_len, struct rlimit *ret)
{
	struct span rest = { line.p + title_len, line.len - title_len }, soft, hard;

	if (!span_word(&rest, &soft) || !span_word(&rest, &hard))
		return -EPROTO;
	if (parse_limit(soft, &ret->rlim_cur) < 0 || parse_limit(hard, &ret->rlim_max) < 0)
		return -EPROTO;
	return ret->rlim_cur <= ret->rlim_max ? 0 : -EPROTO;
}

/* Which limit the line is about: its title and a blank. */
static size_t find_limit(struct span line, size_t *ret_len)
{
	for (size_t i = 0; i < RLIM_NLIMITS; i++) {
		size_t len = strlen(limits[i].title);

		if (line.len > len && span_starts(line, limits[i].title) && line.p[len] == ' ') {
			*ret_len = len;
			return i;
		}
	}
	return RLIM_NLIMITS;
}

int proc_limits_parse(const char *text, size_t len, struct proc_limits *ret)
{
	struct cursor c = cur_of(text, len);
	struct proc_limits l = { 0 };
	uint32_t seen = 0;
	struct span line;

	while (cur_until(&c, '\n', &line)) {
		size_t title_len = 0, i = find_limit(line, &title_len);

		if (i == RLIM_NLIMITS || seen & 1u << i)
			continue;
		if (parse_line(line, title_len, &l.v[i]) < 0)
			return -EPROTO;
		seen |= 1u << i;
	}
	if (seen != (1u << RLIM_NLIMITS) - 1)
		return -EPROTO;
	*ret = l;
	return 0;
}

int proc_limits_read(const struct pid_ref *p, struct proc_limits *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = io_read_at(p->procfd, "limits", LIMITS_MAX, &text, &len);

	if (r == -ESRCH || r == -ENOENT)
		return err_set(e, ESRCH, "process %d is gone", p->pid);
	if (r < 0)
		return err_set(e, -r, "cannot read the limits of process %d: %s", p->pid,
			       err_str(r));
	r = proc_limits_parse(text, len, ret);
	if (r < 0)
		return err_set(e, -r, "cannot understand the limits of process %d", p->pid);
	return 0;
}

const char *proc_limit_name(int resource)
{
	if (resource < 0 || resource >= (int)RLIM_NLIMITS)
		return "?";
	return limits[resource].name;
}
