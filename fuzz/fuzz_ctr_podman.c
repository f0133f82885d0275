/* SPDX-License-Identifier: MIT */
/* containers.json of containers-storage. */
#include <stdlib.h>
#include <string.h>

#include "podman.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;

	if (json_parse((const char *)data, size, &o, NULL) < 0)
		return 0;
	for (size_t i = 0; i < json_len(o); i++) {
		_cleanup_ctr_ struct ctr c = { 0 };

		if (podman_parse_entry(json_at(o, i), &c) == 1 &&
		    (!c.name[0] || !c.id[0] || strchr(c.id, '/')))
			abort();
	}
	return 0;
}
