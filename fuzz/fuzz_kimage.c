/* SPDX-License-Identifier: MIT */
/* A kernel's image: symbols of both kinds and the banner. All of it is the fuzzer's. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kallsyms.h"
#include "ksymtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_kallsyms(const struct kimage *k)
{
	struct kallsyms_iter i = { 0 };
	struct kallsyms s;
	struct ksym sym;
	uint64_t last = 0;
	uint32_t n = 0;

	if (kallsyms_find(k, &s) < 0)
		return;
	while (kallsyms_next(&s, &i, &sym) == 1) {
		assert(strlen(sym.name) < KSYM_NAME_MAX && sym.addr.v >= last);
		last = sym.addr.v;
		n++;
	}
	assert(n <= s.count);
}

static void feed_ksymtab(const struct kimage *k)
{
	struct ksymtab t;
	const char *name;
	gva_t v;

	if (ksymtab_find(k, &t) < 0)
		return;
	for (size_t i = 0; i < t.count; i++)
		assert(!ksymtab_at(&t, i, &name, &v) && *name && strlen(name) < k->size);
	assert(ksymtab_at(&t, t.count, &name, &v) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kimage k = { data, size, { KIMAGE_AREA + (1 << 24) } };
	char release[KRELEASE_MAX];

	feed_kallsyms(&k);
	feed_ksymtab(&k);
	if (!kimage_release(&k, release))
		assert(strlen(release) >= 3 && strlen(release) < KRELEASE_MAX);
	return 0;
}
