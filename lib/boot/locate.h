/* SPDX-License-Identifier: MIT */
/*
 * locate.h - running machines, by the pid of any of their processes.
 *
 * The name of a launcher's socket (server.h) is found in its /proc/PID/net/unix, and who listens there must
 * be that process. In another network namespace the caller joins it, for it has the names.
 */
#ifndef BOOT_LOCATE_H
#define BOOT_LOCATE_H

#include <stddef.h>
#include <sys/types.h>

#include "err.h"

/*
 * locate_connect() - A connection to the launcher of the machine that process @pid is part of.
 *
 * Return: the socket, and the launcher's pid; -ESRCH no such process; -ENOENT it is none of ours; -EACCES
 *	   another user's.
 */
int locate_connect(pid_t pid, pid_t *ret_launcher, struct err *e) _must_check_;

/* The pids of all processes that are called "rktio", in fresh memory; those that are launchers are among them. */
int locate_all(pid_t **ret, size_t *ret_n, struct err *e) _must_check_;

#define LOCATE_INFO_MAX 4096
/* What the launcher at the other end of @sock says about its machine: lines of KEY=VALUE. */
int locate_info(int sock, char ret[LOCATE_INFO_MAX], struct err *e) _must_check_;

#endif
