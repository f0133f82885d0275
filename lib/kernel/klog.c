/* SPDX-License-Identifier: MIT */
/* The ring buffer of kernel/printk/printk_ringbuffer.c: descriptors by id, each with a block of text and facts about it. */
#include <errno.h>

#include "kguest.h"

#define COUNT_BITS_MAX 20  /* KLOG_RECORDS_MAX */
#define SIZE_BITS_MAX  25  /* 32 bytes of text for each: PRB_AVGBITS of kernel/printk/printk.c */
#define ENTRY_MAX      256 /* bytes of a descriptor or its facts */
#define BLOCK_ID       8   /* before the text of a block */
#define STATE_SHIFT    62
#define ID_MASK        (~0ULL >> 2)
#define COMMITTED      1
#define FINALIZED      2

static int start(const struct kguest *g, struct klog_iter *i)
{
	uint64_t prb = 0, count_bits = 0, size_bits = 0;

	for (int id = RB_DESC_COUNT_BITS; id <= INFO_LEVEL; id++)
		if (!kguest_has(g, id))
			return -ENOENT;
	if (!g->prb.v)
		return -ENOENT;
	/* the symbol is a pointer to it */
	if (gview_read(g->view, g->prb, &prb, sizeof(prb)) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_DESC_COUNT_BITS, &count_bits) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_DESCS, &i->descs) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_INFOS, &i->infos) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_TEXT_SIZE_BITS, &size_bits) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_TEXT_DATA, &i->data) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_TAIL_ID, &i->id) < 0 ||
	    kguest_field(g, (gva_t){ prb }, RB_HEAD_ID, &i->head) < 0)
		return -EPROTO;
	i->count_bits = (unsigned int)(count_bits & 63);
	i->size_bits = (unsigned int)(size_bits & 63);
	if (!i->count_bits || i->count_bits > COUNT_BITS_MAX || !i->size_bits ||
	    i->size_bits > SIZE_BITS_MAX)
		return -EPROTO;
	i->id &= ID_MASK;
	i->head &= ID_MASK;
	i->started = true;
	return 0;
}

/* The element of the array of descriptors, or of facts, that @i is at. */
static int element(const struct kguest *g, const struct klog_iter *i, uint64_t array,
		   enum kfield_id size_id, uint8_t buf[ENTRY_MAX])
{
	uint32_t size = g->fields->f[size_id].size;
	uint64_t idx = i->id & ((1ULL << i->count_bits) - 1);

	if (size > ENTRY_MAX)
		return -EPROTO;
	return gview_read(g->view, (gva_t){ array + idx * size }, buf, size);
}

/* Copies the text of a block. A block that would wrap begins again at the start of the buffer. */
static int text(const struct kguest *g, const struct klog_iter *i, const uint8_t *desc, size_t len,
		struct klog_record *ret)
{
	uint64_t mask = (1ULL << i->size_bits) - 1;
	uint64_t begin = kguest_number(g, DESC_BEGIN, desc, ENTRY_MAX);
	uint64_t next = kguest_number(g, DESC_NEXT, desc, ENTRY_MAX);

	ret->len = 0;
	if ((begin & 1) || (next & 1)) /* it has none */
		return 0;
	if ((begin & ~mask) != (next & ~mask) && (next & mask))
		begin = 0;
	begin &= mask;
	next = next & mask ? next & mask : mask + 1;
	if (begin + BLOCK_ID > next)
		return -EPROTO;
	if (len > next - begin - BLOCK_ID)
		len = (size_t)(next - begin - BLOCK_ID);
	if (len > sizeof(ret->text))
		len = sizeof(ret->text);
	ret->len = len;
	return gview_read(g->view, (gva_t){ i->data + begin + BLOCK_ID }, ret->text, len);
}

/* Return: 1 a record; 0 there is none at this id; -errno. */
static int record(const struct kguest *g, const struct klog_iter *i, struct klog_record *ret)
{
	uint8_t desc[ENTRY_MAX] = { 0 }, info[ENTRY_MAX] = { 0 }, again[ENTRY_MAX] = { 0 };
	uint64_t state;

	if (element(g, i, i->descs, DESC_SIZE, desc) < 0)
		return -EPROTO;
	state = kguest_number(g, DESC_STATE, desc, ENTRY_MAX);
	if ((state & ID_MASK) != i->id ||
	    (state >> STATE_SHIFT != COMMITTED && state >> STATE_SHIFT != FINALIZED))
		return 0;
	if (element(g, i, i->infos, INFO_SIZE, info) < 0)
		return -EPROTO;
	ret->seq = kguest_number(g, INFO_SEQ, info, ENTRY_MAX);
	ret->time_ns = kguest_number(g, INFO_TIME, info, ENTRY_MAX);
	ret->facility = (unsigned int)kguest_number(g, INFO_FACILITY, info, ENTRY_MAX);
	ret->level = (unsigned int)kguest_number(g, INFO_LEVEL, info, ENTRY_MAX);
	if (text(g, i, desc, kguest_number(g, INFO_TEXT_LEN, info, ENTRY_MAX), ret) < 0)
		return 0;
	/* it may have been written over while it was read */
	if (element(g, i, i->descs, DESC_SIZE, again) < 0)
		return -EPROTO;
	return (kguest_number(g, DESC_STATE, again, ENTRY_MAX) & ID_MASK) == i->id;
}

int klog_next(const struct kguest *g, struct klog_iter *i, struct klog_record *ret)
{
	int r = i->started ? 0 : start(g, i);

	while (!r && i->n <= KLOG_RECORDS_MAX && i->n <= 1U << i->count_bits) {
		bool last = i->id == i->head;

		r = record(g, i, ret);
		i->id = (i->id + 1) & ID_MASK;
		i->n = last ? KLOG_RECORDS_MAX + 1 : i->n + 1;
		/* each has a place of its own in the buffer; the last may have grown meanwhile */
		i->bytes += r > 0 ? ret->len : 0;
		if (i->bytes > (1ULL << i->size_bits) + KLOG_TEXT_MAX)
			r = -EPROTO;
	}
	return r;
}
