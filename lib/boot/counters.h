/* SPDX-License-Identifier: MIT */
/*
 * counters.h - the numbers of a running machine: what the library OS counts, and what the host sees of it.
 *
 * The text comes from the library OS (/proc/lo/stats), which is not trusted: "name value" a line, a name of
 * at most COUNTER_NAME - 1 letters, digits and underscores, at most COUNTERS_MAX lines. All else is no counter.
 */
#ifndef BOOT_COUNTERS_H
#define BOOT_COUNTERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "err.h"

#define COUNTERS_MAX  128
#define COUNTER_NAME  32
#define COUNTERS_TEXT 16384 /* bytes of it that are read */

struct counters {
	size_t n;
	struct counter {
		char name[COUNTER_NAME];
		uint64_t value;
	} v[COUNTERS_MAX];
};

/* -EPROTO if a line is none; what came before it is in @ret. */
int counters_parse(const char *text, size_t len, struct counters *ret) _must_check_;

/* What the machine behind process @pid counts, and its host processes and their mappings. */
int counters_read(pid_t pid, struct counters *ret, struct err *e) _must_check_;

#endif
