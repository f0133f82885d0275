/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the records of /proc/lo/trace (libos/host/lo_trace.h) as lines like strace's.
 *
 * Theory of operation
 *
 * A call is printed when it begins, and its result when it ends; what comes in between from other tasks ends
 * the line with "<unfinished ...>", and "<... NAME resumed>" takes it up. Numbers, strings and flags
 * are decoded where it is known what they are (trace_decode.c); a pointer is one, and what
 * is not known is six numbers.
 *
 * The records are the library OS's, which is not trusted: each is checked before it is looked into.
 */
#ifndef BOOT_TRACE_H
#define BOOT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "compiler.h"
#include "err.h"
#include "lo_trace.h"

#define TRACE_CALLS      512
#define TRACE_TASKS      1024 /* in a call at one time; of more the time is not known */
#define TRACE_RECORD_MAX (sizeof(struct lo_trace) + LO_TRACE_TEXTS * LO_TRACE_TEXT_MAX + 8)

struct trace {
	FILE *out;
	bool summary; /* counts alone, for trace_end() */
	pid_t only;   /* a process or thread inside, or 0 */
	bool some;    /* only calls that are @wanted */
	bool wanted[TRACE_CALLS];

	/* private */
	_Alignas(struct lo_trace) uint8_t record[TRACE_RECORD_MAX];
	size_t have;   /* bytes of it */
	uint32_t open; /* whose line has no end yet; 0: nobody's */
	struct {
		uint64_t calls, errors, ns;
	} count[TRACE_CALLS];
	struct {
		uint32_t pid;
		uint64_t since;
	} task[TRACE_TASKS];
};

/* "open,openat": adds them to those wanted. -EINVAL and @e for a name that is none. */
int trace_want(struct trace *t, const char *names, struct err *e) _must_check_;

/* Bytes as they come, cut anywhere. -EPROTO for what is no record. */
int trace_feed(struct trace *t, const void *data, size_t size) _must_check_;

/* The end of an unfinished line, and of a summary. */
void trace_end(struct trace *t);

/* --- trace_decode.c --- */

/* The name of call @nr; NULL for none. */
const char *trace_name(uint32_t nr);
/* How many of a call's arguments are known at its beginning: those before a buffer that it fills, or 6. */
unsigned int trace_known(uint32_t nr);
/* The arguments from @first to before @end, as many as the call has. */
void trace_args(FILE *f, const struct lo_trace *r, unsigned int first, unsigned int end);
/* " = RESULT". */
void trace_result(FILE *f, const struct lo_trace *r);

#endif
