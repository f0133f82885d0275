/* SPDX-License-Identifier: MIT */
/*
 * sealed.h - run from a copy of ourselves that nobody can write to.
 *
 * A container's program can be a script whose interpreter is /proc/self/exe.
 * When we execute that inside the container, it is our own binary that starts,
 * under the container's libraries, and can then be opened for writing once it
 * has ended (CVE-2019-5736). The same can do who may trace us. So before programs of a
 * container are executed, and where it could trace us, we run from a sealed memfd: what
 * can be reached that way is a copy in memory.
 */
#ifndef SESSION_SEALED_H
#define SESSION_SEALED_H

#include "err.h"

/*
 * sealed_self() - Return if we run from a sealed copy, else execute one with @argv.
 *
 * Should: be called before anything is changed or said; what is open must be close-on-exec.
 */
int sealed_self(char **argv, struct err *e) _must_check_;

#endif
