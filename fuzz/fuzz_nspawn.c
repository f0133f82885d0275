/* SPDX-License-Identifier: MIT */
/* machined's files and nspawn's command lines. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nspawn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct nspawn_machine m;
	struct nspawn_args a;

	if (!nspawn_machine_parse(text, size, &m))
		assert(m.leader > 0 && m.root.len <= size);
	nspawn_args_parse(text, size, &a);
	assert(strlen(a.name) < sizeof(a.name) && !strchr(a.name, '/') && a.image.len <= size);
	return 0;
}
