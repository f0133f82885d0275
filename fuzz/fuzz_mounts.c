/* SPDX-License-Identifier: MIT */
/* The input is a mountinfo and, at once, a cgroup file: both end, whatever they hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mount_entry m;
	struct cursor c = cur_of(data, size);
	struct cgroup_line l;
	size_t lines = 0;
	int r;

	while ((r = mountinfo_next(&c, &m)) != 0) {
		if (++lines > size + 1 || (r == 1 && (strlen(m.point) >= sizeof(m.point) ||
						      strlen(m.root) >= sizeof(m.root))))
			abort();
		if (r == 1)
			(void)mount_has_opt(m.super_opts, "cpu");
	}
	c = cur_of(data, size);
	while ((r = cgroup_next(&c, &l)) == 1)
		if (!l.path.len || l.path.p[0] != '/')
			abort();
	return 0;
}
