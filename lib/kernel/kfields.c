/* SPDX-License-Identifier: MIT */
#include "kfields.h"

#include <errno.h>

#define STRUCT_MAX (1U << 20) /* bytes of a structure that can be true */

/* @member "" is the structure itself. @other is what it is called in other kernels, and may be the last: "" optional. */
static const struct want {
	const char *type, *member, *other;
} wants[KFIELDS] = {
	[TASK_SIZE] = { "task_struct", "", NULL },
	[TASK_TASKS] = { "task_struct", "tasks", NULL },
	[TASK_PID] = { "task_struct", "pid", NULL },
	[TASK_TGID] = { "task_struct", "tgid", NULL },
	[TASK_COMM] = { "task_struct", "comm", NULL },
	[TASK_STATE] = { "task_struct", "__state", "state" }, /* 5.14 */
	[TASK_EXIT_STATE] = { "task_struct", "exit_state", NULL },
	[TASK_FLAGS] = { "task_struct", "flags", NULL },
	[TASK_REAL_PARENT] = { "task_struct", "real_parent", NULL },
	[TASK_CRED] = { "task_struct", "cred", NULL },
	[TASK_MM] = { "task_struct", "mm", NULL },
	[TASK_SIGNAL] = { "task_struct", "signal", NULL },
	[TASK_START] = { "task_struct", "start_boottime", "" },
	[SIGNAL_NR_THREADS] = { "signal_struct", "nr_threads", "" },
	[CRED_UID] = { "cred", "uid", NULL },
	[MM_PGD] = { "mm_struct", "pgd", NULL },
	[MM_ARG_START] = { "mm_struct", "arg_start", NULL },
	[MM_ARG_END] = { "mm_struct", "arg_end", NULL },
	[RB_DESC_COUNT_BITS] = { "printk_ringbuffer", "desc_ring.count_bits", "" },
	[RB_DESCS] = { "printk_ringbuffer", "desc_ring.descs", "" },
	[RB_INFOS] = { "printk_ringbuffer", "desc_ring.infos", "" },
	[RB_HEAD_ID] = { "printk_ringbuffer", "desc_ring.head_id", "" },
	[RB_TAIL_ID] = { "printk_ringbuffer", "desc_ring.tail_id", "" },
	[RB_TEXT_SIZE_BITS] = { "printk_ringbuffer", "text_data_ring.size_bits", "" },
	[RB_TEXT_DATA] = { "printk_ringbuffer", "text_data_ring.data", "" },
	[DESC_SIZE] = { "prb_desc", "", "" },
	[DESC_STATE] = { "prb_desc", "state_var", "" },
	[DESC_BEGIN] = { "prb_desc", "text_blk_lpos.begin", "" },
	[DESC_NEXT] = { "prb_desc", "text_blk_lpos.next", "" },
	[INFO_SIZE] = { "printk_info", "", "" },
	[INFO_SEQ] = { "printk_info", "seq", "" },
	[INFO_TIME] = { "printk_info", "ts_nsec", "" },
	[INFO_TEXT_LEN] = { "printk_info", "text_len", "" },
	[INFO_FACILITY] = { "printk_info", "facility", "" },
	[INFO_LEVEL] = { "printk_info", "level", "" },
	[MODULE_LIST] = { "module", "list", "" }, /* none in kernels without modules */
	[MODULE_NAME] = { "module", "name", "" },
	[MODULE_STATE] = { "module", "state", "" },
	[MODULE_REFCNT] = { "module", "refcnt", "" },
	[MODULE_USERS] = { "module", "source_list", "" },
	[MODULE_CORE_SIZE] = { "module", "core_layout.size", "" },
	[MODULE_INIT_SIZE] = { "module", "init_layout.size", "" },
	[MODULE_MEM] = { "module", "mem", "" },
	[MODMEM_SIZE] = { "module_memory", "", "" },
	[MODMEM_BYTES] = { "module_memory", "size", "" },
	[USE_SOURCE_LIST] = { "module_use", "source_list", "" },
	[USE_SOURCE] = { "module_use", "source", "" },
};

static int fill_one(const struct btf *b, uint32_t type, const char *member, struct kfield *ret)
{
	struct btf_member m;
	uint64_t size, whole;
	int r = btf_member(b, type, member, &m);

	if (!r)
		r = btf_size(b, m.type, &size);
	if (!r)
		r = btf_size(b, type, &whole);
	if (r < 0)
		return r;
	if (whole > STRUCT_MAX || m.bit / 8 > whole || size > whole - m.bit / 8)
		return -EPROTO;
	*ret = (struct kfield){ .there = true,
				.bit = (uint8_t)(m.bits ? m.bit % 8 : 0),
				.bits = (uint8_t)m.bits,
				.off = (uint32_t)(m.bit / 8),
				.size = (uint32_t)size };
	return 0;
}

int kfields_fill(struct kfields *k, const struct btf *b, struct err *e)
{
	const char *type = "";
	uint32_t id = 0;

	for (size_t i = 0; i < KFIELDS; i++) {
		const struct want *w = &wants[i];
		int r = 0;

		k->f[i] = (struct kfield){ 0 };
		if (strcmp(type, w->type) != 0) {
			type = w->type;
			if (btf_find(b, type, &id) < 0)
				id = 0;
		}
		r = id ? fill_one(b, id, w->member, &k->f[i]) : -ENOENT;
		if (r == -ENOENT && id && w->other && *w->other)
			r = fill_one(b, id, w->other, &k->f[i]);
		if (r < 0 && !(w->other && !*w->other))
			return err_set(e, -r,
				       "the guest's kernel does not say where 'struct %s' has '%s'",
				       w->type, w->member);
	}
	return 0;
}
