/* SPDX-License-Identifier: MIT */
/*
 * err.h - errors that carry a sentence.
 *
 * Theory of operation
 *
 * Two kinds of function can fail:
 *
 *  - leaf and hot-path functions return 0 or a negative errno, and say
 *    nothing;
 *  - control-path functions take a struct err as their last parameter, fill it
 *    in on failure, and return the same negative errno.
 *
 * struct err is plain data of fixed size: setting one never allocates, so it
 * works after fork(), in a PID namespace's init, in freestanding code, and it
 * can be sent down a pipe as it is by a child that failed before exec.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#include "compiler.h"

#define ERR_MSG_MAX 240

struct err {
	int code; /* positive errno, 0 if unset */
	char msg[ERR_MSG_MAX];
};

/* Fill in @e (which may be NULL) and return -@code. */
int err_set(struct err *e, int code, const char *fmt, ...) _printf_(3, 4) _cold_;

/* What errno value @r (negative or positive) means, in words; never NULL, no heap. */
const char *err_str(int r);

/*
 * Put "@fmt: " before the message that is there (@e may be NULL).
 * Return: @r, the failure passed on.
 */
int err_wrap(struct err *e, int r, const char *fmt, ...) _printf_(3, 4) _cold_;

#endif
