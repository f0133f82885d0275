/* SPDX-License-Identifier: MIT */
/*
 * core.h - a library OS that has panicked, as a file for gdb.
 *
 * Theory of operation
 *
 * The library OS has said what happened and waits (libos/host/lo_panic.h). What is in its kernel's addresses is
 * copied out of the host process that it happened in, by /proc/PID/mem, and RAM from its file, of which
 * only what was ever used takes room. The program "rktio-linux-6.1" has the symbols:
 *
 *	gdb rktio-linux-6.1 CORE
 *
 * All that the machine's programs had in memory is in it, keys and secrets too.
 */
#ifndef BOOT_CORE_H
#define BOOT_CORE_H

#include <sys/types.h>

#include "err.h"
#include "lo_panic.h"

/* Before there is one to write: could it be made at @path? -errno and @e. */
int core_check(const char *path, struct err *e) _must_check_;

/*
 * core_write() - To @path, or a new file in it if it is a directory; for its owner alone.
 *
 * @launched: our child; the process of @report must be that or below it.
 * Return: 0 and *@ret_path, the caller's to free; -errno.
 */
int core_write(const struct lo_panic *report, pid_t launched, const char *path, char **ret_path,
	       struct err *e) _must_check_;

#endif
