/* SPDX-License-Identifier: MIT */
/* needs.h - what making images needs of this machine; each is tried. */
#ifndef DISK_NEEDS_H
#define DISK_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

#define NEEDS_MAX 8

/* Texts are static. */
struct need {
	const char *name;    /* what it is for */
	const char *needs;   /* what it takes */
	const char *without; /* what does not work then */
	bool works, fatal;   /* @fatal: nothing works without it */
};

/* Fill in @v and return how many there are. */
size_t needs_all(struct need v[NEEDS_MAX]);

#endif
