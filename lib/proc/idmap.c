/* SPDX-License-Identifier: MIT */
#include "idmap.h"

#include <errno.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"

#define IDMAP_TEXT_MAX 32768 /* 340 lines of three numbers of ten digits */

static int parse_number(struct span *rest, uint32_t *ret)
{
	struct span word;
	uint64_t v;

	if (!span_word(rest, &word) || span_u64(word, 10, &v) < 0 || v > UINT32_MAX)
		return -EPROTO;
	*ret = (uint32_t)v;
	return 0;
}

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a - b < b_count || b - a < a_count;
}

/* Neither end may pass the largest id, and no id may have two partners. */
static bool range_fits(const struct proc_idmap *m, const struct proc_idrange *r)
{
	uint32_t end;

	if (!r->count || __builtin_add_overflow(r->inside, r->count, &end) ||
	    __builtin_add_overflow(r->outside, r->count, &end))
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (overlap(m->v[i].inside, m->v[i].count, r->inside, r->count) ||
		    overlap(m->v[i].outside, m->v[i].count, r->outside, r->count))
			return false;
	return true;
}

static int parse_line(struct span line, struct proc_idrange *ret)
{
	struct span rest;

	if (parse_number(&line, &ret->inside) < 0 || parse_number(&line, &ret->outside) < 0 ||
	    parse_number(&line, &ret->count) < 0)
		return -EPROTO;
	return span_word(&line, &rest) ? -EPROTO : 0;
}

int proc_idmap_parse(const char *text, size_t len, struct proc_idmap *ret)
{
	struct cursor c = cur_of(text, len);
	struct span line;

	ret->n = 0;
	while (cur_until(&c, '\n', &line)) {
		struct proc_idrange r;

		if (ret->n == PROC_IDMAP_MAX || parse_line(line, &r) < 0 || !range_fits(ret, &r)) {
			ret->n = 0;
			return -EPROTO;
		}
		ret->v[ret->n++] = r;
	}
	return 0;
}

int proc_idmap_read(const struct pid_ref *p, const char *file, struct proc_idmap *ret,
		    struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = io_read_at(p->procfd, file, IDMAP_TEXT_MAX, &text, &len);

	if (r == -ESRCH || r == -ENOENT || r == -EINVAL) /* the last: proc_id_map_open() */
		return err_set(e, ESRCH, "process %d is gone", p->pid);
	if (r < 0)
		return err_set(e, -r, "cannot read the %s of process %d: %s", file, p->pid,
			       err_str(r));
	r = proc_idmap_parse(text, len, ret);
	if (r < 0)
		return err_set(e, -r, "cannot understand the %s of process %d", file, p->pid);
	return 0;
}

int proc_idmap_in(const struct proc_idmap *m, uint32_t outside, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct proc_idrange *r = &m->v[i];

		if (outside - r->outside < r->count) {
			*ret = r->inside + (outside - r->outside);
			return 0;
		}
	}
	return -ENOENT;
}

int proc_idmap_out(const struct proc_idmap *m, uint32_t inside, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct proc_idrange *r = &m->v[i];

		if (inside - r->inside < r->count) {
			*ret = r->outside + (inside - r->inside);
			return 0;
		}
	}
	return -ENOENT;
}

bool proc_idmap_is_identity(const struct proc_idmap *m)
{
	return m->n == 1 && !m->v[0].inside && !m->v[0].outside && m->v[0].count == UINT32_MAX;
}
