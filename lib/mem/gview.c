/* SPDX-License-Identifier: MIT */
#include "gview.h"

#include <errno.h>

static int read_entry(void *arg, gpa_t gpa, uint64_t *ret)
{
	const struct gview *v = arg;

	return v->read(v->arg, gpa, ret, sizeof(*ret));
}

int gview_init(struct gview *v, const struct pt_regs_cr *cr, gphys_read_fn *read, void *arg)
{
	v->read = read;
	v->arg = arg;
	return pt_init(&v->pt, cr, read_entry, v);
}

int gview_init_kernel(struct gview *v, const struct pt_regs_cr *cr, gva_t entry,
		      gphys_read_fn *read, void *arg)
{
	gpa_t is, would_be;
	int r;

	r = gview_init(v, cr, read, arg);
	if (r < 0 || !(cr->cr3 & PT_CR3_ISOLATION) || pt_translate(&v->pt, entry, &is) < 0)
		return r;
	v->pt.root.v &= ~PT_CR3_ISOLATION;
	if (pt_translate(&v->pt, entry, &would_be) < 0 || is.v != would_be.v)
		return gview_init(v, cr, read, arg);
	return 0;
}

/* A piece within one page. Return: its length; -errno. */
static ssize_t read_piece(const struct gview *v, gva_t gva, void *dst, size_t len)
{
	struct pt_page p = { 0 };
	uint64_t off;
	int r = pt_walk(&v->pt, gva, &p);

	if (r < 0)
		return r;
	off = gva.v - p.gva.v;
	if (len > p.size - off)
		len = (size_t)(p.size - off);
	r = v->read(v->arg, (gpa_t){ p.gpa.v + off }, dst, len);
	return r < 0 ? r : (ssize_t)len;
}

int gview_read(const struct gview *v, gva_t gva, void *dst, size_t len)
{
	uint8_t *out = dst;

	while (len) {
		ssize_t n = read_piece(v, gva, out, len);

		if (n < 0)
			return (int)n;
		out += n;
		gva.v += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

size_t gview_read_some(const struct gview *v, gva_t gva, void *dst, size_t len)
{
	uint8_t *out = dst;
	size_t done = 0;

	while (done < len) {
		size_t piece = PT_PAGE - (gva.v + done) % PT_PAGE;
		ssize_t n = read_piece(v, (gva_t){ gva.v + done }, out + done,
				       piece < len - done ? piece : len - done);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	return done;
}
