/* SPDX-License-Identifier: MIT */
/* A container's passwd and group, and what the user asks for: three texts with NULs between. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ns_user u;
	struct cursor c = cur_of(data, size);
	struct span passwd = { "", 0 }, group = { "", 0 }, spec = { "", 0 };
	struct err e;
	char *text;

	(void)(cur_until(&c, '\0', &passwd) && cur_until(&c, '\0', &group) &&
	       cur_until(&c, '\0', &spec));
	text = span_dup(spec);
	if (!text)
		return 0;
	if (ns_user_resolve(text, "container's", passwd, group, &u, &e) == 0) {
		if (u.uid == UINT32_MAX || u.gid == UINT32_MAX || u.ngroups > NS_USER_GROUPS_MAX)
			abort();
		if (strnlen(u.home, sizeof(u.home)) == sizeof(u.home) ||
		    strnlen(u.shell, sizeof(u.shell)) == sizeof(u.shell))
			abort();
	}
	free(text);
	return 0;
}
