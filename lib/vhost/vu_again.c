/* SPDX-License-Identifier: MIT */
#include "vu_again.h"

#include <errno.h>
#include <string.h>

int vu_words_add(struct vu_words *w, const void *data, size_t len)
{
	if (len > sizeof(w->data) - w->len)
		return -ENOSPC;
	memcpy(w->data + w->len, data, len);
	w->len += (uint32_t)len;
	return 0;
}

/* What comes next of what was told. */
static const uint8_t *expected(const struct vu_again *a, size_t *ret_len)
{
	const struct vu_words *w = a->heard < a->told.len ? &a->told : &a->told_last;
	uint32_t at = w == &a->told ? a->heard : a->heard - a->told.len;

	*ret_len = w->len - at;
	return w->data + at;
}

size_t vu_again_wants(const struct vu_again *a)
{
	size_t left;

	(void)expected(a, &left);
	return left;
}

int vu_again_hear(struct vu_again *a, const void *data, size_t len)
{
	size_t left;
	const uint8_t *want = expected(a, &left);

	if (len > left || memcmp(data, want, len) != 0)
		return -EPROTO;
	a->heard += (uint32_t)len;
	return 0;
}
