/* SPDX-License-Identifier: MIT */
/* What bubblewrap and flatpak write: JSON and a key file. */
#include <assert.h>
#include <stdint.h>

#include "sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct flatpak_info info;
	struct bwrap_info b;

	if (!json_parse((const char *)data, size, &o, NULL) && !bwrap_info_parse(o, &b))
		assert(b.child > 0);
	flatpak_info_parse((const char *)data, size, &info);
	assert(info.app.len <= size && info.runtime.len <= size);
	return 0;
}
