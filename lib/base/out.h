/* SPDX-License-Identifier: MIT */
/* out.h - what a program printed: whether it is out, and if not, why. */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stdio.h>

#include "compiler.h"
#include "err.h"

/*
 * out_flush() - Write what is buffered in @f, after all that is to be printed.
 *
 * Return: 0 all that was ever printed there is written; -errno.
 */
int out_flush(FILE *f) _must_check_;

/*
 * out_done() - The same for standard output, with a sentence; @r < 0 is a failure of whatever printed.
 * out_exit() - The exit code of a program that has nothing to do but to print: 0, or 1 after that sentence.
 */
int out_done(int r, struct err *e) _must_check_;
int out_exit(void) _must_check_;

#endif
