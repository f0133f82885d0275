/* SPDX-License-Identifier: MIT */
/* Strings of others on a terminal: escaped, nothing that acts on it is left; cut, they fit. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t columns = size ? data[0] % 40 : 0;
	_cleanup_free_ char *in = strndup((const char *)data, size), *s = in ? text_safe(in) : NULL;
	_cleanup_free_ char *tail = in ? strdup(in) : NULL;
	size_t len = s ? strlen(s) : 0;

	for (size_t off = 0, n; off < len; off += n) {
		uint32_t c;

		n = text_decode(s + off, len - off, &c);
		assert(n && !text_invisible(c));
	}
	if (!s || !tail)
		return 0;
	text_cut_front(tail, columns);
	assert(text_width(tail) <= columns);
	text_cut(s, columns);
	assert(text_width(s) <= columns && strlen(s) <= len);
	text_cut(in, columns);
	assert(text_width(in) <= columns);
	return 0;
}
