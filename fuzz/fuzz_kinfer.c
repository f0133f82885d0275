/* SPDX-License-Identifier: MIT */
/* What is inferred of a guest's kernel: one that is well, and words of its memory that are the fuzzer's; code, and VMCOREINFO. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../tests/unit/made_tasks.h"
#include "kcode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct change {
	uint32_t at;
	uint8_t value[8];
};

static void feed_code(const uint8_t *data, size_t size)
{
	struct kcode_refs r;

	kcode_scan(data, size, (gva_t){ KIMAGE_AREA }, KIMAGE_AREA, KIMAGE_AREA_END, &r);
	assert(r.n <= KCODE_REFS_MAX);
	for (size_t i = 0; i < r.n; i++)
		assert(r.to[i] >= KIMAGE_AREA && r.to[i] < KIMAGE_AREA_END &&
		       kcode_has(&r, r.to[i]));
}

static void feed_info(const uint8_t *data, size_t size)
{
	char info[KCOREINFO_MAX];
	struct ksyms s = { .info = info, .info_size = size < sizeof(info) ? size : sizeof(info) };
	struct kfields k = { 0 };
	uint64_t v;

	memcpy(info, data, s.info_size);
	(void)!ksyms_info(&s, "SYMBOL", "prb", 16, &v);
	if (!kinfer_log(&s, &k))
		assert(k.f[RB_DESCS].there && k.f[INFO_LEVEL].there);
}

static void feed_memory(const uint8_t *data, size_t size)
{
	static struct kinfer k;
	struct kfields fields = { 0 };
	struct kinfer_files files = { 0 };
	struct err e = { 0 };
	struct change c;
	struct gview v;
	struct ksyms s;

	make(size && data[0] & 1 ? &new : &old);
	assert(!made_view(&v));
	s = made_ksyms(&v);
	for (size_t at = 1; at < size && size - at >= sizeof(c); at += sizeof(c)) {
		memcpy(&c, data + at, sizeof(c));
		/* symbols were seen to be sound before they are used */
		put(c.at % (MADE_SYMBOLS - sizeof(c.value)), c.value, sizeof(c.value));
	}
	if (kinfer_tasks(&k, &v, (gva_t){ DIRECT + TASK }, &fields, &e) < 0)
		return;
	for (int i = TASK_TASKS; i <= TASK_START; i++)
		assert(fields.f[i].off + fields.f[i].size <= fields.f[TASK_SIZE].size);
	if (!kinfer_files(&k, &s, &files, &e))
		assert(files.op < 256 && files.flags < 256 && files.fs < KINFER_BYTES &&
		       files.read > files.llseek && files.release > files.open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	feed_code(data, size);
	feed_info(data, size);
	feed_memory(data, size);
	return 0;
}
