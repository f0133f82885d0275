/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kinfer.h"

#define INFO_FACILITY_AT \
	2 /* behind text_len; struct printk_info of kernel/printk/printk_ringbuffer.h, Linux 5.10 to 7.3 */
#define INFO_LEVEL_AT   3
#define INFO_LEVEL_BIT  5
#define INFO_LEVEL_BITS 3
#define INFO_CALLER_AT  4
#define STRUCT_MAX      4096

/* A place is the sum of two: of a structure and of the member in it. @second may be NULL; @first "" a structure's size. */
static const struct want {
	enum kfield_id id;
	const char *first, *second;
	uint32_t size;
} wants[] = {
	{ RB_DESC_COUNT_BITS, "printk_ringbuffer.desc_ring", "prb_desc_ring.count_bits", 4 },
	{ RB_DESCS, "printk_ringbuffer.desc_ring", "prb_desc_ring.descs", 8 },
	{ RB_INFOS, "printk_ringbuffer.desc_ring", "prb_desc_ring.infos", 8 },
	{ RB_HEAD_ID, "printk_ringbuffer.desc_ring", "prb_desc_ring.head_id", 8 },
	{ RB_TAIL_ID, "printk_ringbuffer.desc_ring", "prb_desc_ring.tail_id", 8 },
	{ RB_TEXT_SIZE_BITS, "printk_ringbuffer.text_data_ring", "prb_data_ring.size_bits", 4 },
	{ RB_TEXT_DATA, "printk_ringbuffer.text_data_ring", "prb_data_ring.data", 8 },
	{ DESC_STATE, "prb_desc.state_var", "atomic_long_t.counter", 8 },
	{ DESC_BEGIN, "prb_desc.text_blk_lpos", "prb_data_blk_lpos.begin", 8 },
	{ DESC_NEXT, "prb_desc.text_blk_lpos", "prb_data_blk_lpos.next", 8 },
	{ INFO_SEQ, "printk_info.seq", NULL, 8 },
	{ INFO_TIME, "printk_info.ts_nsec", NULL, 8 },
	{ INFO_TEXT_LEN, "printk_info.text_len", NULL, 2 },
};

static int place(const struct ksyms *s, const struct want *w, struct kfield *ret)
{
	uint64_t first, second = 0;
	int r = ksyms_info(s, "OFFSET", w->first, 10, &first);

	if (!r && w->second)
		r = ksyms_info(s, "OFFSET", w->second, 10, &second);
	if (r < 0 || first > STRUCT_MAX || second > STRUCT_MAX)
		return -ENOENT;
	*ret = (struct kfield){ .there = true, .off = (uint32_t)(first + second), .size = w->size };
	return 0;
}

static int whole(const struct ksyms *s, const char *type, struct kfield *ret)
{
	uint64_t size;

	if (ksyms_info(s, "SIZE", type, 10, &size) < 0 || !size || size > STRUCT_MAX)
		return -ENOENT;
	*ret = (struct kfield){ .there = true, .size = (uint32_t)size };
	return 0;
}

/* Of the two that it does not say, one is known to be between two of those that it does. */
static int between(const struct ksyms *s, struct kfield *f)
{
	const uint32_t at = f[INFO_TEXT_LEN].off;
	uint64_t caller;

	if (ksyms_info(s, "OFFSET", "printk_info.caller_id", 10, &caller) < 0 ||
	    caller != at + INFO_CALLER_AT)
		return -ENOENT;
	f[INFO_FACILITY] =
		(struct kfield){ .there = true, .off = at + INFO_FACILITY_AT, .size = 1 };
	f[INFO_LEVEL] = (struct kfield){ .there = true,
					 .bit = INFO_LEVEL_BIT,
					 .bits = INFO_LEVEL_BITS,
					 .off = at + INFO_LEVEL_AT,
					 .size = 1 };
	return 0;
}

int kinfer_log(const struct ksyms *s, struct kfields *ret)
{
	struct kfields found = *ret;
	int r = whole(s, "prb_desc", &found.f[DESC_SIZE]);

	if (!r)
		r = whole(s, "printk_info", &found.f[INFO_SIZE]);
	for (size_t i = 0; !r && i < ARRAY_SIZE(wants); i++)
		r = place(s, &wants[i], &found.f[wants[i].id]);
	if (!r)
		r = between(s, found.f);
	if (!r)
		*ret = found;
	return r;
}
