/* SPDX-License-Identifier: MIT */
/* progress.h - how far work is, told to whoever wants to show it. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

/* @fn is called with what is done ("encrypting"), often; @total is 0 if it is not known. */
struct progress {
	void (*fn)(void *arg, const char *step, uint64_t done, uint64_t total);
	void *arg;
};

static inline void progress_tell(const struct progress *p, const char *step, uint64_t done,
				 uint64_t total)
{
	if (p && p->fn)
		p->fn(p->arg, step, done, total);
}

#endif
