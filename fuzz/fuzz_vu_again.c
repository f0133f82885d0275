/* SPDX-License-Identifier: MIT */
/* Two lengths, what a first back end replied, and what a second one replies, in pieces of the length that the first byte says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vu_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_again a = { .heard = 0 };
	size_t piece, told, last, at = 0;
	bool same;

	if (size < 3)
		return 0;
	piece = data[0];
	told = data[1];
	last = data[2];
	data += 3;
	size -= 3;
	if (told + last > size)
		return 0;
	if (vu_words_add(&a.told, data, told) < 0 ||
	    vu_words_add(&a.told_last, data + told, last) < 0)
		abort();
	data += told + last;
	size -= told + last;
	while (at < size && !vu_again_done(&a)) {
		size_t n = size - at < piece ? size - at : piece;

		n = n < vu_again_wants(&a) ? n : vu_again_wants(&a);
		if (!n || vu_again_hear(&a, data + at, n) < 0)
			break;
		at += n;
	}
	same = at <= told + last && !memcmp(data, data - told - last, at);
	if (!same || a.heard != at || (vu_again_done(&a) && at != told + last))
		abort();
	/* More than there is to be said is never right. */
	if (vu_again_hear(&a, data, vu_again_wants(&a) + 1) == 0)
		abort();
	return 0;
}
