/* SPDX-License-Identifier: MIT */
/*
 * lo_trace.h - what is read from /proc/lo/trace: each system call, when it begins and when it ends.
 *
 * A stream of records, each its `size`, a multiple of 8, from the last. Behind the fixed part of one lie up
 * to two pieces of the program's memory, one after the other: strings that were arguments, with their
 * NUL if it was reached, or the first bytes of a buffer.
 */
#ifndef LIBOS_TRACE_H
#define LIBOS_TRACE_H

#include <linux/types.h>

#define LO_TRACE_TEXTS    2
#define LO_TRACE_TEXT_MAX 256

enum lo_trace_kind {
	LO_TRACE_ENTER = 1,
	LO_TRACE_EXIT
};

struct lo_trace {
	__u16 size;
	__u16 kind;
	__u32 nr;
	__u32 pid, tgid;
	__u64 ns;     /* of the library OS's monotonic clock */
	__s64 arg[6]; /* at the end: the result, and nothing */
	struct {
		__u16 size;
		__u16 arg; /* whose it is */
	} text[LO_TRACE_TEXTS];
};

#endif
