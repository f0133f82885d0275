/* SPDX-License-Identifier: MIT */
/* A kernel's types: every one is asked for its size, its members and its elements. */
#include <assert.h>
#include <stdint.h>

#include "kfields.h"

#define TYPES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint32_t index[TYPES];
	static struct kfields fields;
	struct err e = { 0 };
	uint32_t n = 0;
	struct btf b;

	if (btf_count(data, size, &n) < 0 || n > TYPES)
		return 0;
	assert(btf_open(&b, data, size, index, n) == 0 && b.count == n);
	for (uint32_t id = 0; id < n + 2; id++) {
		uint32_t element, elements;
		struct btf_member m;
		uint64_t bytes;

		(void)!btf_size(&b, id, &bytes);
		(void)!btf_array(&b, id, &element, &elements);
		(void)!btf_member(&b, id, "a", &m);
		if (!btf_member(&b, id, "desc_ring.head_id", &m))
			(void)!btf_size(&b, m.type, &bytes);
	}
	if (kfields_fill(&fields, &b, &e) < 0)
		assert(e.msg[0]);
	return 0;
}
