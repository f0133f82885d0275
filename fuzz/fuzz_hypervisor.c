/* SPDX-License-Identifier: MIT */
/* What /proc says of a process that anybody may have started: its command line, its mappings; and of locks. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "side_abi.h"
#include "side_found.h"
#include "vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_name(const char *text, size_t size)
{
	char name[VM_NAME_MAX];

	if (vm_name(text, size, name))
		assert(*name && memchr(name, 0, sizeof(name)));
}

/* The first half are mappings, the second half locks. */
static void feed_found(const char *text, size_t size)
{
	static struct side_found f;

	side_found_maps(text, size / 2, -1, &f);
	side_found_locks(text + size / 2, size - size / 2, &f);
	assert(f.n <= SIDE_FOUND_MAX);
	for (size_t i = 0; i < f.n; i++) {
		assert(f.v[i].end > f.v[i].start && memchr(f.v[i].file, 0, sizeof(f.v[i].file)));
		assert(side_found_who(&f.v[i]) >= 0 && f.v[i].vmfd >= -1 && f.v[i].door >= -1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (*data & 1)
		feed_name((const char *)data + 1, size - 1);
	else
		feed_found((const char *)data + 1, size - 1);
	return 0;
}
