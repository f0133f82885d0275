/* SPDX-License-Identifier: MIT */
/*
 * pidfd.h - a process that cannot turn into another one.
 *
 * A pid names whoever has it now. pid_open() opens the pidfd first, then
 * /proc/PID, then asks the pidfd whether the process still lives: if it does,
 * both descriptors are of the same process, and they stay so. Reads below the
 * /proc descriptor fail with ESRCH once it is gone.
 */
#ifndef BASE_PIDFD_H
#define BASE_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct pid_ref {
	pid_t pid;
	int pidfd;
	int procfd; /* /proc/PID, O_RDONLY|O_DIRECTORY */
};
#define PID_REF_INIT                                \
	{                                           \
		.pid = 0, .pidfd = -1, .procfd = -1 \
	}

/* Return: 0, -ESRCH if there is no such process, another -errno; @e says it. */
int pid_open(pid_t pid, struct pid_ref *ret, struct err *e) _must_check_;
void pid_close(struct pid_ref *p);
#define _cleanup_pid_ _cleanup_(pid_close)

/* Has it not ended? A zombie has. */
bool pid_alive(const struct pid_ref *p);

/* Thin wrappers, for C libraries without them. -errno on failure. */
int pidfd_open_nr(pid_t pid) _must_check_;
int pidfd_signal(int pidfd, int sig);

#endif
