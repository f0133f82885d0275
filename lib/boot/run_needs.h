/* SPDX-License-Identifier: MIT */
/* run_needs.h - what running programs needs of this machine; each is tried. */
#ifndef BOOT_RUN_NEEDS_H
#define BOOT_RUN_NEEDS_H

#include "needs.h"

#define RUN_NEEDS_MAX 16

/* Fill in @v and return how many there are. None is fatal: images can be made without. */
size_t run_needs_all(struct need v[RUN_NEEDS_MAX]);

/* What holds on every machine, one sentence. */
extern const char run_needs_note[];

#endif
