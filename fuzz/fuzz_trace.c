/* SPDX-License-Identifier: MIT */
/* What a library OS says that it counts, and the records of its system calls, in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(const uint8_t *data, size_t size, size_t piece, bool summary)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return;
	t->out = fopen("/dev/null", "we");
	t->summary = summary;
	while (t->out && size) {
		size_t n = size < piece ? size : piece;

		if (trace_feed(t, data, n) < 0)
			break;
		if (t->have >= sizeof(t->record))
			abort();
		data += n;
		size -= n;
	}
	if (t->out) {
		trace_end(t);
		(void)fclose(t->out);
	}
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct counters c;

	if (counters_parse((const char *)data, size, &c) == 0 && c.n > COUNTERS_MAX)
		abort();
	feed(data, size, 4088, false);
	feed(data, size, 13, false);
	feed(data, size, 4088, true);
	return 0;
}
