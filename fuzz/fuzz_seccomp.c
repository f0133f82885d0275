/* SPDX-License-Identifier: MIT */
/* linux.seccomp of an OCI configuration. */
#include <stdint.h>
#include <stdlib.h>

#include "filter.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *o = NULL;
	struct ns_seccomp s = { 0 };
	struct err e;

	if (json_parse((const char *)data, size, &o, &e) < 0)
		return 0;
	if (ns_seccomp_compile(o, &s, &e) == 0)
		for (size_t i = 0; i < s.n; i++)
			if (!s.v[i].n || s.v[i].n > BPF_MAXINSNS)
				abort();
	ns_seccomp_fini(&s);
	json_object_put(o);
	return 0;
}
