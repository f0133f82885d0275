/* SPDX-License-Identifier: MIT */
#include "bar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "size.h"
#include "text.h"

#define PERIOD_NS   100000000ULL
#define CELLS       30
#define CELLS_LEAST 8
#define COLUMNS     78 /* at most */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* A line that wraps would not be taken back: the last column stays free. The bar is as long as there is room, or not there. */
static void draw(struct bar *b, uint64_t done, uint64_t total)
{
	static const char full[] = "##############################";
	const size_t columns = text_columns(STDERR_FILENO),
		     width = columns && columns <= COLUMNS ? columns - 1 : COLUMNS;
	char line[160], rest[64] = "", have[SIZE_TEXT], all[SIZE_TEXT];
	size_t used;
	int cells = 0, n;

	if (total)
		(void)snprintf(rest, sizeof(rest), " %3u%% %s of %s",
			       (unsigned int)((double)done / (double)total * 100),
			       size_show(done, have), size_show(total, all));
	used = text_width(b->step) + strlen(rest) + strlen(" []");
	if (total && used + CELLS_LEAST <= width)
		cells = width - used < CELLS ? (int)(width - used) : CELLS;
	n = (int)((double)done / (double)(total ? total : 1) * cells);
	if (cells)
		(void)snprintf(line, sizeof(line), "%s [%-*.*s]%s", b->step, cells, n, full, rest);
	else
		(void)snprintf(line, sizeof(line), "%s%s", b->step, rest);
	text_cut(line, width);
	(void)fprintf(stderr, "\r\033[K%s", line);
	b->shown = true;
}

static void tell(void *arg, const char *step, uint64_t done, uint64_t total)
{
	struct bar *b = arg;
	_cleanup_free_ char *safe = text_safe(step);
	uint64_t now = now_ns();
	bool same = safe && !strncmp(b->step, safe, sizeof(b->step) - 1);

	if (!safe || (same && now - b->last_ns < PERIOD_NS && done != total))
		return;
	b->last_ns = now;
	(void)snprintf(b->step, sizeof(b->step), "%s", safe);
	draw(b, done < total ? done : total, total);
}

bool bar_works(int fd)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0 && isatty(fd);
}

struct progress bar_start(struct bar *b, bool quiet)
{
	*b = (struct bar){ .on = !quiet && bar_works(STDERR_FILENO) };
	return (struct progress){ .fn = b->on ? tell : NULL, .arg = b };
}

void bar_end(struct bar *b)
{
	if (b->shown)
		(void)fputs("\r\033[K", stderr);
	b->shown = false;
}
