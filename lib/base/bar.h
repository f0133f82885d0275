/* SPDX-License-Identifier: MIT */
/* bar.h - one line on the terminal that says how far it is. Nothing where standard error is no terminal. */
#ifndef BASE_BAR_H
#define BASE_BAR_H

#include <stdbool.h>
#include <stdint.h>

#include "progress.h"

struct bar {
	bool on, shown;
	uint64_t last_ns; /* when it was drawn */
	char step[64];    /* what it showed then */
};

/* Is @fd a terminal that moves its cursor? TERM says so. */
bool bar_works(int fd);

/* @b is used until bar_end(), which takes the line away. */
struct progress bar_start(struct bar *b, bool quiet);
void bar_end(struct bar *b);

#endif
