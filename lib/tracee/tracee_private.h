/* SPDX-License-Identifier: MIT */
/* tracee_private.h - between the files of this library. */
#ifndef TRACEE_TRACEE_PRIVATE_H
#define TRACEE_TRACEE_PRIVATE_H

#include "tracee.h"

#define TRACEE_SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

/* Wait for a stop of @tid until @deadline_ns. Return: 1 stopped, 0 it is gone, -ETIMEDOUT. */
int tracee_wait(pid_t tid, uint64_t deadline_ns, int *ret_status) _must_check_;
/* The signal that a thread with @status was about to take, for it to take it; 0: none. */
int tracee_signal(int status);
/* As tracee_signal(), of the thread that makes calls: while our code is in the process a SIGTRAP is kept from it. */
int tracee_pass_on(struct tracee *t, int status);
/* Let go of all threads but the first @keep. */
void tracee_detach(struct tracee *t, size_t keep);

/* What calls need to know of the process, before it is stopped: reading its mappings takes long. */
void tracee_find(struct tracee *t);
/* The first thread, which makes calls, before the first of them; with scratch memory. */
int tracee_prepare(struct tracee *t, struct err *e) _must_check_;
/* By tracee_call(). */
int tracee_ioctl_alone(struct tracee *t, struct tracee_ioctl *c, struct err *e) _must_check_;
/* The page of code is removed, in a call. */
int tracee_batch_end(struct tracee *t, struct err *e) _must_check_;
/* -errno, and @e says what failed. */
int tracee_failed(const struct tracee *t, const char *what, struct err *e);

#endif
