/* SPDX-License-Identifier: MIT */
/* A guest's structures: where members are and the memory that they are read from are the fuzzer's. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "kcoreinfo.h"
#include "kguest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ram {
	const uint8_t *data;
	size_t size;
};

/* Memory is the same over and over, so that pointers lead somewhere. */
static int read_ram(void *arg, gpa_t gpa, void *dst, size_t len)
{
	const struct ram *m = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)dst)[i] = m->data[(gpa.v + i) % m->size];
	return gpa.v >> 48 ? -EIO : 0;
}

static void feed(const struct kguest *g)
{
	static struct klog_record record;
	struct ktask_iter t = { 0 };
	struct klog_iter l = { 0 };
	struct kmod_iter m = { 0 };
	const struct kcoreinfo_symbols symbols = { g->init_task, g->prb, g->modules };
	static char info[KCOREINFO_MAX];
	size_t info_size = 0;
	struct ktask task;
	struct kmod mod;

	for (int n = 0; n < 64 && ktask_next(g, &t, &task) == 1; n++)
		assert(strlen(task.comm) <= KTASK_COMM && strlen(task.cmdline) < KTASK_CMDLINE &&
		       task.state);
	for (int n = 0; n < 64 && klog_next(g, &l, &record) == 1; n++)
		assert(record.len <= KLOG_TEXT_MAX);
	for (int n = 0; n < 16 && kmod_next(g, &m, &mod) == 1; n++)
		assert(strlen(mod.name) <= KMOD_NAME && strlen(mod.users) < KMOD_USERS_TEXT);
	if (!kcoreinfo_read(g->view, &symbols, info, &info_size))
		assert(info_size <= KCOREINFO_MAX && info[0] == 'O');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kfields fields;
	struct pt_regs_cr cr = { 1ULL << 31, 0, 1 << 5, 1 << 10 };
	struct kguest g = { .fields = &fields };
	struct gview view;
	struct ram ram;
	size_t head = KFIELDS * 4 + 24;

	if (size < head + 4096)
		return 0;
	for (size_t i = 0; i < KFIELDS; i++) {
		const uint8_t *p = data + i * 4;

		fields.f[i] = (struct kfield){ .there = p[3] & 1,
					       .bit = p[3] >> 1 & 7,
					       .bits = p[3] >> 4,
					       .off = (uint32_t)(p[0] | p[1] << 8),
					       .size = (uint32_t)(p[2] << (p[3] & 8 ? 6 : 0)) };
	}
	memcpy(&g.init_task, data + KFIELDS * 4, 24);
	ram = (struct ram){ data + head, size - head };
	if (gview_init(&view, &cr, read_ram, &ram) < 0)
		return 0;
	g.view = &view;
	feed(&g);
	return 0;
}
