/* SPDX-License-Identifier: MIT */
/* start.h - what a program does first. */
#ifndef BASE_START_H
#define BASE_START_H

#include "compiler.h"

/*
 * start_program() - First thing in main().
 *
 * Opens /dev/null for those of 0, 1, 2 that the caller has closed, so that no other descriptor
 * gets to stand there. From then on a limit on the size of files (RLIMIT_FSIZE) is an error, EFBIG,
 * like others; start_command() undoes that in a child that is about to execute a command of the user's.
 */
int start_program(void) _must_check_;
void start_command(void);

#endif
