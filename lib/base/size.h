/* SPDX-License-Identifier: MIT */
/* size.h - sizes as people write them: 512M, 2G. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define SIZE_TEXT 24

/* A number of bytes, or of K, M, G, T (powers of 1024; "KiB" and "k" too). -EINVAL, -ERANGE. */
int size_parse(const char *text, uint64_t *ret) _must_check_;

/* As size_parse() takes it, in three digits or exactly, and not less than @size: "201M", "1536M", "2G". */
const char *size_show(uint64_t size, char ret[SIZE_TEXT]);

#endif
