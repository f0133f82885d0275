/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"

/* 65536 groups of up to eleven bytes, and some sixty other lines. */
#define STATUS_MAX (1024 * 1024)

enum key {
	KEY_STATE,
	KEY_TGID,
	KEY_PPID,
	KEY_TRACER,
	KEY_UID,
	KEY_GID,
	KEY_GROUPS,
	KEY_CAP_INH,
	KEY_CAP_PRM,
	KEY_CAP_EFF,
	KEY_CAP_BND,
	KEY_CAP_AMB,
	KEY_NNP,
	KEYS_REQUIRED, /* the rest may be missing: a zombie has no umask, a kernel no seccomp */
	KEY_NSPID = KEYS_REQUIRED,
	KEY_THREADS,
	KEY_UMASK,
	KEY_SECCOMP,
	KEY_FILTERS,
	KEYS
};

static const char *const key_names[KEYS] = {
	[KEY_STATE] = "State",      [KEY_TGID] = "Tgid",       [KEY_PPID] = "PPid",
	[KEY_TRACER] = "TracerPid", [KEY_UID] = "Uid",         [KEY_GID] = "Gid",
	[KEY_GROUPS] = "Groups",    [KEY_CAP_INH] = "CapInh",  [KEY_CAP_PRM] = "CapPrm",
	[KEY_CAP_EFF] = "CapEff",   [KEY_CAP_BND] = "CapBnd",  [KEY_CAP_AMB] = "CapAmb",
	[KEY_NNP] = "NoNewPrivs",   [KEY_NSPID] = "NSpid",     [KEY_THREADS] = "Threads",
	[KEY_UMASK] = "Umask",      [KEY_SECCOMP] = "Seccomp", [KEY_FILTERS] = "Seccomp_filters",
};

static int parse_u32(struct span s, unsigned int base, uint32_t max, uint32_t *ret)
{
	uint64_t v;

	if (span_u64(s, base, &v) < 0 || v > max)
		return -EPROTO;
	*ret = (uint32_t)v;
	return 0;
}

static int parse_pid(struct span s, pid_t *ret)
{
	uint32_t v;

	if (parse_u32(s, 10, INT32_MAX, &v) < 0)
		return -EPROTO;
	*ret = (pid_t)v;
	return 0;
}

static int parse_ids(struct span s, uint32_t ids[static PROC_IDS])
{
	struct span word;

	for (size_t i = 0; i < PROC_IDS; i++)
		if (!span_word(&s, &word) || parse_u32(word, 10, UINT32_MAX, &ids[i]) < 0)
			return -EPROTO;
	return span_word(&s, &word) ? -EPROTO : 0;
}

static int parse_groups(struct span s, struct proc_status *ret)
{
	/* No group is shorter than a digit and a blank. */
	size_t room = s.len / 2 + 1, n = 0;
	_cleanup_free_ gid_t *groups = NULL;
	struct span word;

	if (room > PROC_GROUPS_MAX)
		room = PROC_GROUPS_MAX;
	groups = calloc(room, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	for (; span_word(&s, &word); n++)
		if (n == room || parse_u32(word, 10, UINT32_MAX, &groups[n]) < 0)
			return -EPROTO;
	ret->groups = take_ptr(groups);
	ret->ngroups = n;
	return 0;
}

static int parse_nspid(struct span s, struct proc_status *ret)
{
	struct span word;
	size_t n = 0;

	for (; span_word(&s, &word); n++)
		if (n == PROC_NSPID_MAX || parse_pid(word, &ret->nspid[n]) < 0)
			return -EPROTO;
	ret->nnspid = n;
	return n ? 0 : -EPROTO;
}

static int parse_state(struct span s, char *ret)
{
	if (!s.len || !memchr("RSDTtZXxKWPI", s.p[0], sizeof("RSDTtZXxKWPI") - 1))
		return -EPROTO;
	*ret = s.p[0];
	return 0;
}

static int parse_flag(struct span s, bool *ret)
{
	uint32_t v;

	if (parse_u32(s, 10, 1, &v) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

static int parse_value(enum key key, struct span s, struct proc_status *ret)
{
	uint32_t v = 0;
	int r = 0;

	switch (key) {
	case KEY_STATE:
		return parse_state(s, &ret->state);
	case KEY_TGID:
		return parse_pid(s, &ret->tgid);
	case KEY_PPID:
		return parse_pid(s, &ret->ppid);
	case KEY_TRACER:
		return parse_pid(s, &ret->tracer);
	case KEY_UID:
		return parse_ids(s, ret->uid);
	case KEY_GID:
		return parse_ids(s, ret->gid);
	case KEY_GROUPS:
		return parse_groups(s, ret);
	case KEY_CAP_INH:
		return span_u64(s, 16, &ret->caps.inh);
	case KEY_CAP_PRM:
		return span_u64(s, 16, &ret->caps.prm);
	case KEY_CAP_EFF:
		return span_u64(s, 16, &ret->caps.eff);
	case KEY_CAP_BND:
		return span_u64(s, 16, &ret->caps.bnd);
	case KEY_CAP_AMB:
		return span_u64(s, 16, &ret->caps.amb);
	case KEY_NNP:
		return parse_flag(s, &ret->no_new_privs);
	case KEY_NSPID:
		return parse_nspid(s, ret);
	case KEY_THREADS:
		return parse_u32(s, 10, INT32_MAX, &ret->threads);
	case KEY_UMASK:
		r = parse_u32(s, 8, 0777, &v);
		ret->umask = (mode_t)v;
		return r;
	case KEY_SECCOMP:
		r = parse_u32(s, 10, SECCOMP_MODE_FILTER, &v);
		ret->seccomp = (int)v;
		return r;
	case KEY_FILTERS:
		return parse_u32(s, 10, INT32_MAX, &ret->seccomp_filters);
	default:
		return -EPROTO;
	}
}

static enum key find_key(struct span name)
{
	for (int k = 0; k < KEYS; k++)
		if (span_eq(name, key_names[k]))
			return (enum key)k;
	return KEYS;
}

int proc_status_parse(const char *text, size_t len, struct proc_status *ret)
{
	_cleanup_status_ struct proc_status s = { .umask = 022 };
	struct cursor c = cur_of(text, len);
	uint32_t seen = 0;
	struct span line;

	while (cur_until(&c, '\n', &line)) {
		const char *colon = memchr(line.p, ':', line.len);
		struct span value;
		enum key key;
		int r;

		if (!colon)
			continue;
		key = find_key((struct span){ line.p, (size_t)(colon - line.p) });
		if (key == KEYS || seen & 1u << key)
			continue;
		seen |= 1u << key;
		value = (struct span){ colon + 1, line.len - (size_t)(colon + 1 - line.p) };
		r = parse_value(key, span_trim(value), &s);
		if (r < 0)
			return r == -ENOMEM ? r : -EPROTO;
	}
	if (~seen & ((1u << KEYS_REQUIRED) - 1))
		return -EPROTO;
	*ret = s;
	s.groups = NULL;
	return 0;
}

int proc_status_read(const struct pid_ref *p, struct proc_status *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = io_read_at(p->procfd, "status", STATUS_MAX, &text, &len);

	if (r == -ESRCH || r == -ENOENT)
		return err_set(e, ESRCH, "process %d is gone", p->pid);
	if (r < 0)
		return err_set(e, -r, "cannot read the status of process %d: %s", p->pid,
			       err_str(r));
	r = proc_status_parse(text, len, ret);
	if (r < 0)
		return err_set(e, -r, "cannot understand the status of process %d: %s", p->pid,
			       err_str(r));
	return 0;
}

void proc_status_fini(struct proc_status *s)
{
	free(s->groups);
	s->groups = NULL;
	s->ngroups = 0;
}
