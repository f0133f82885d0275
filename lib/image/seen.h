/* SPDX-License-Identifier: MIT */
/*
 * seen.h - the paths that the current layer has made.
 *
 * A whiteout hides what lower layers left, never what its own layer brings,
 * and may come before or after it (OCI image specification, "Whiteouts"). So
 * a layer remembers what it made: 64 bits of a keyed hash for each path, which
 * is all that a set without removal and without listing needs.
 */
#ifndef IMAGE_SEEN_H
#define IMAGE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct seen {
	uint64_t *v;    /* open addressing; 0 is a free place */
	size_t n, room; /* room is a power of two, or 0 */
	uint64_t key[2];
};

/* An empty set under a fresh random key, which a layer's author cannot aim at. */
void seen_init(struct seen *s);
void seen_fini(struct seen *s);

/* 1 it was new; 0 it was in; -ENOMEM. */
int seen_add(struct seen *s, const char *path) _must_check_;
/* @path and the directories above it. */
int seen_add_all(struct seen *s, const char *path) _must_check_;
bool seen_has(const struct seen *s, const char *path);

#endif
