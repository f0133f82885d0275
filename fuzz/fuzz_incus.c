/* SPDX-License-Identifier: MIT */
/* The answer of an Incus or LXD daemon. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine_incus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ struct json_object *list = NULL;

	if (incus_answer_parse((const char *)data, size, &list) < 0)
		return 0;
	for (size_t i = 0; i < json_len(list); i++) {
		_cleanup_ctr_ struct ctr c = { 0 };

		if (!incus_instance_parse(json_at(list, i), "incus", &c))
			assert(c.name[0] && !strchr(c.name, '/') && c.pid >= 0);
	}
	return 0;
}
