/* SPDX-License-Identifier: MIT */
/* The texts of /proc about one process: status, stat, limits, uid_map. */
#include <stdint.h>
#include <stdlib.h>

#include "idmap.h"
#include "rlimits.h"
#include "stat.h"
#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_idmap(const struct proc_idmap *m)
{
	for (size_t i = 0; i < m->n; i++) {
		uint32_t in = 0, out = 0, last = m->v[i].count - 1;

		if (proc_idmap_in(m, m->v[i].outside + last, &in) < 0 ||
		    proc_idmap_out(m, in, &out) < 0 || out != m->v[i].outside + last)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct proc_status s = { 0 };
	struct proc_limits l;
	struct proc_idmap m;
	struct proc_stat st;

	if (proc_status_parse(text, size, &s) == 0) {
		if (s.ngroups > PROC_GROUPS_MAX || s.nnspid > PROC_NSPID_MAX || s.umask > 0777)
			abort();
		proc_status_fini(&s);
	}
	if (proc_limits_parse(text, size, &l) == 0)
		for (size_t i = 0; i < RLIM_NLIMITS; i++)
			if (l.v[i].rlim_cur > l.v[i].rlim_max)
				abort();
	if (proc_stat_parse(text, size, &st) == 0 && !st.state)
		abort();
	if (proc_idmap_parse(text, size, &m) == 0)
		check_idmap(&m);
	return 0;
}
