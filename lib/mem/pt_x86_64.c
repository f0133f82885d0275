/* SPDX-License-Identifier: MIT */
#include "pt.h"

#include <errno.h>
#include <stddef.h>

/* Intel SDM volume 3, 4.5; AMD64 APM volume 2, 5.3 to 5.5. */
#define CR0_PG   (1ULL << 31)
#define CR4_PAE  (1ULL << 5)
#define CR4_LA57 (1ULL << 12)
#define EFER_LMA (1ULL << 10)

#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_WRITE   (1ULL << 1)
#define ENTRY_USER    (1ULL << 2)
#define ENTRY_SEEN    (1ULL << 5) /* accessed */
#define ENTRY_DIRTY   (1ULL << 6)
#define ENTRY_LARGE   (1ULL << 7)
#define ENTRY_NX      (1ULL << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ULL

int pt_init(struct pt *t, const struct pt_regs_cr *cr, pt_read_fn *read, void *arg)
{
	if (!(cr->cr0 & CR0_PG) || !(cr->cr4 & CR4_PAE) || !(cr->efer & EFER_LMA))
		return -ENOTSUP;
	*t = (struct pt){ .read = read,
			  .arg = arg,
			  .root = { cr->cr3 & ENTRY_ADDRESS },
			  .levels = cr->cr4 & CR4_LA57 ? 5 : 4 };
	return 0;
}

/* Address bits that a table of @level is not asked about. */
static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static bool canonical(const struct pt *t, uint64_t v)
{
	unsigned int unused = 64 - level_shift(t->levels + 1);

	return (uint64_t)((int64_t)(v << unused) >> unused) == v;
}

/*
 * Return: 0 and the page, or < 0 and in *@ret_size how much around @gva shares that fate. @reads, if it
 * is not NULL, is counted down.
 */
static int walk(const struct pt *t, gva_t gva, uint64_t *reads, struct pt_page *ret,
		uint64_t *ret_size)
{
	struct pt_page p = { .write = true, .user = true, .exec = true };
	uint64_t table = t->root.v;

	*ret_size = PT_PAGE;
	if (!canonical(t, gva.v))
		return -EFAULT;
	for (unsigned int level = t->levels; level; level--) {
		unsigned int shift = level_shift(level);
		uint64_t entry = 0, size = 1ULL << shift;
		gpa_t at = { table + ((gva.v >> shift) & 511) * 8 };
		int r;

		*ret_size = size;
		if (reads && !(*reads)--) {
			*reads = 0;
			return -E2BIG;
		}
		r = t->read(t->arg, at, &entry);
		if (r < 0)
			return r;
		if (!(entry & ENTRY_PRESENT))
			return -EFAULT;
		p.write = p.write && entry & ENTRY_WRITE;
		p.user = p.user && entry & ENTRY_USER;
		p.exec = p.exec && !(entry & ENTRY_NX);
		table = entry & ENTRY_ADDRESS;
		if (level > 1 && !(entry & ENTRY_LARGE))
			continue;
		if (level > 3)
			return -EPROTO;
		/* bit 12 of a large page's entry is one of its memory type */
		p.gpa.v = table & ~(size - 1);
		p.gva.v = gva.v & ~(size - 1);
		p.size = size;
		*ret = p;
		return 0;
	}
	return -EPROTO;
}

int pt_walk(const struct pt *t, gva_t gva, struct pt_page *ret)
{
	uint64_t size;

	return walk(t, gva, NULL, ret, &size);
}

int pt_translate(const struct pt *t, gva_t gva, gpa_t *ret)
{
	struct pt_page p;
	int r = pt_walk(t, gva, &p);

	if (r < 0)
		return r;
	ret->v = p.gpa.v + (gva.v - p.gva.v);
	return 0;
}

int pt_take(struct pt *t, gva_t tables, gva_t entry, gpa_t entry_at)
{
	struct pt own = *t;
	gpa_t is, root;

	own.root.v = entry_at.v + (tables.v - entry.v);
	if (own.root.v % PT_PAGE || pt_translate(&own, entry, &is) < 0 || is.v != entry_at.v ||
	    pt_translate(&own, tables, &root) < 0 || root.v != own.root.v)
		return -ENOENT;
	*t = own;
	return 0;
}

int pt_entry(const struct pt *t, gva_t gva, unsigned int level, gpa_t *ret_at, uint64_t *ret)
{
	uint64_t table = t->root.v;

	if (!canonical(t, gva.v))
		return -EFAULT;
	for (unsigned int l = t->levels; l; l--) {
		gpa_t at = { table + ((gva.v >> level_shift(l)) & 511) * 8 };
		uint64_t entry = 0;
		int r = t->read(t->arg, at, &entry);

		if (r < 0)
			return r;
		if (l == level) {
			*ret_at = at;
			*ret = entry;
			return 0;
		}
		if (!(entry & ENTRY_PRESENT) || (entry & ENTRY_LARGE && l <= 3))
			return -EFAULT;
		if (entry & ENTRY_LARGE)
			return -EPROTO;
		table = entry & ENTRY_ADDRESS;
	}
	return -EPROTO;
}

uint64_t pt_make_large(gpa_t gpa, bool write, bool exec)
{
	/* seen and dirty already, so that no processor writes to it */
	return (gpa.v & ENTRY_ADDRESS) | ENTRY_PRESENT | ENTRY_LARGE | ENTRY_SEEN | ENTRY_DIRTY |
	       (write ? ENTRY_WRITE : 0) | (exec ? 0 : ENTRY_NX);
}

int pt_next(const struct pt *t, gva_t from, gva_t end, uint64_t *reads, struct pt_page *ret)
{
	while (from.v < end.v) {
		uint64_t size, next;
		int r;

		r = walk(t, from, reads, ret, &size);
		if (!r)
			return 1;
		if (r == -E2BIG)
			return r;
		next = (from.v & ~(size - 1)) + size;
		if (next < from.v || !canonical(t, from.v)) {
			/* the end of the address space, or the hole in the middle of it */
			next = canonical(t, from.v) ? end.v
						    : -(1ULL << (level_shift(t->levels + 1) - 1));
			if (next <= from.v)
				return 0;
		}
		from.v = next;
	}
	return 0;
}
