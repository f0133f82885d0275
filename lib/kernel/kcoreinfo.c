/* SPDX-License-Identifier: MIT */
#include "kcoreinfo.h"

#include <errno.h>
#include <string.h>

#define NOTE_NAME  "VMCOREINFO"
#define FIRST_LINE "OSRELEASE="

/* An Elf64_Nhdr and the name, which takes 12 bytes. */
struct note_head {
	uint32_t name_size, size, type;
	char name[12];
};

static int copy(const struct gview *v, gva_t at, uint64_t size, char ret[KCOREINFO_MAX],
		size_t *ret_size)
{
	int r;

	if (size < sizeof(FIRST_LINE) || size > KCOREINFO_MAX)
		return -EPROTO;
	r = gview_read(v, at, ret, (size_t)size);
	if (r < 0)
		return r;
	if (memcmp(ret, FIRST_LINE, sizeof(FIRST_LINE) - 1) != 0)
		return -EPROTO;
	*ret_size = (size_t)size;
	return 0;
}

/* As make_note() of the kernel left it. */
static int read_note(const struct gview *v, gva_t pointer, char ret[KCOREINFO_MAX],
		     size_t *ret_size)
{
	struct note_head head = { 0 };
	gva_t at = { 0 };
	int r;

	if (!pointer.v)
		return -ENOENT;
	r = gview_read(v, pointer, &at.v, sizeof(at.v));
	if (r < 0 || !at.v)
		return r < 0 ? r : -ENOENT;
	r = gview_read(v, at, &head, sizeof(head));
	if (r < 0)
		return r;
	if (head.name_size != sizeof(NOTE_NAME) ||
	    memcmp(head.name, NOTE_NAME, sizeof(NOTE_NAME)) != 0)
		return -EPROTO;
	return copy(v, (gva_t){ at.v + sizeof(head) }, head.size, ret, ret_size);
}

static int read_text(const struct gview *v, const struct kcoreinfo_symbols *s,
		     char ret[KCOREINFO_MAX], size_t *ret_size)
{
	uint64_t size = 0;
	gva_t at = { 0 };
	int r;

	if (!s->data.v || !s->size.v)
		return -ENOENT;
	r = gview_read(v, s->data, &at.v, sizeof(at.v));
	if (!r)
		r = gview_read(v, s->size, &size, sizeof(size));
	if (r < 0 || !at.v)
		return r < 0 ? r : -ENOENT;
	return copy(v, at, size, ret, ret_size);
}

int kcoreinfo_read(const struct gview *v, const struct kcoreinfo_symbols *s,
		   char ret[KCOREINFO_MAX], size_t *ret_size)
{
	int note = read_note(v, s->note, ret, ret_size);

	if (!note || !read_text(v, s, ret, ret_size))
		return 0;
	return note;
}
