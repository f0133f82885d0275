/* SPDX-License-Identifier: MIT */
/*
 * tracee.h - another process: stopped, made to do system calls, and put back as it was.
 *
 * Theory of operation
 *
 * tracee_stop() seizes the threads and interrupts them (PTRACE_SEIZE, no signal
 * is sent). tracee_call() then has one of them execute a system call at an
 * instruction of the process's own vDSO: all its signals are blocked meanwhile,
 * and seccomp filters are suspended where the caller may do that
 * (CAP_SYS_ADMIN, and no filter of its own); else a thread with a filter is not
 * used, for what the filter does not allow may kill the process.
 * tracee_release() stops that thread once more where the kernel restarts
 * interrupted system calls, puts registers, signal mask and scratch memory
 * back to the bit, and detaches from all.
 *
 * Arguments that the call points to go to scratch memory: a page below the
 * stack pointer, saved before it is used. tracee_ioctls() makes many calls
 * between two stops (tracee_batch.c), for which a page of code is in the process
 * until tracee_restore().
 *
 * While threads are stopped SIGALRM and its timer are used, and the caller is
 * scheduled before others (SCHED_FIFO), if it may be.
 *
 * If the tracer is killed during a call the process goes on with the wrong
 * registers. So this is for a process of its own that nobody kills, and that
 * lives for milliseconds: see kvm_look().
 */
#ifndef TRACEE_TRACEE_H
#define TRACEE_TRACEE_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "addr.h"
#include "err.h"
#include "pidfd.h"

#define TRACEE_THREADS_MAX 4096
#define TRACEE_SCRATCH     4096

struct tracee {
	const struct pid_ref *ref; /* borrowed */
	pid_t *tid;                /* stopped; owned */
	size_t n, room;
	bool filtered;          /* its seccomp filter could not be suspended */
	uint64_t stopped_ns;    /* when the first one was */
	uint64_t stood_ns;      /* until all had been let go on */
	uint64_t call_limit_ns; /* that a call may take */
	struct sigaction old_alarm;
	bool urgent; /* we are scheduled before others */
	int old_policy;
	struct sched_param old_param;

	/* of the thread that calls, tid[0], once it has */
	bool calls, saved_scratch;
	bool runs;    /* it has not come back from a call in time */
	bool no_code; /* no page for tracee_ioctls() */
	bool trapped; /* somebody sent a SIGTRAP, which is kept from it */
	rva_t insn, scratch;
	rva_t code; /* the page for tracee_ioctls(); 0: none */
	struct user_regs_struct regs;
	uint64_t mask;
	uint8_t under[TRACEE_SCRATCH];
};

/*
 * tracee_stop() - Stop all threads of @ref, or only its first, which is @one, if that is not 0.
 *
 * Somebody else who traces it is waited for, for 2 seconds. Return: 0, and *@ret is the caller's to tracee_release(), whatever
 * happens then; -EPERM, -ESRCH, -EBUSY somebody traces it, -ETIMEDOUT; none of its threads is stopped then.
 */
int tracee_stop(const struct pid_ref *ref, pid_t one, struct tracee *ret, struct err *e)
	_must_check_;

/*
 * tracee_release() - Let go on. *@ret_ns (may be NULL): how long it was stopped.
 *
 * After a call that has not ended it waits for that end, however long it takes; all other threads go on first.
 */
int tracee_release(struct tracee *t, uint64_t *ret_ns, struct err *e) _must_check_;

/*
 * tracee_call() - A system call in the process; @arg are six.
 *
 * Return: 0 and what the call returned, which may be an error of its own; -errno and @e if it could not be made;
 *	   -ETIMEDOUT it does not end, and there can be no other one.
 */
int tracee_call(struct tracee *t, long nr, const uint64_t arg[6], long *ret, struct err *e)
	_must_check_;

/* An argument that points to something: which of the six, and what. */
struct tracee_data {
	unsigned int which;
	const void *data;
	size_t size;
};
/* As tracee_call(); a copy of @data is passed. */
int tracee_call_with(struct tracee *t, long nr, const uint64_t arg[6],
		     const struct tracee_data *data, long *ret, struct err *e) _must_check_;

/* How many of the stopped threads were in the call @nr with @second as its second argument. */
size_t tracee_in_call(const struct tracee *t, long nr, uint64_t second);

/*
 * tracee_fork() - fork(2), whose child stops others: no signal ends it but SIGKILL.
 *
 * It has a session of its own, and takes SIGALRM only.
 */
pid_t tracee_fork(void);

/*
 * tracee_apart() - Call @f with @arg in a child of tracee_fork(), and wait for it.
 *
 * It is done to its end, also if the caller is killed. What @f writes is seen only in memory that is shared.
 * Return: what @f returned, and its @e; -EIO, -errno it broke off.
 */
int tracee_apart(int (*f)(void *arg, struct err *e), void *arg, struct err *e) _must_check_;

struct tracee_ioctl {
	int fd;
	unsigned long request;
	void *arg; /* a copy of it is passed, and comes back if the call succeeds */
	size_t size;
	long ret; /* what the call returned */
};
int tracee_ioctl(struct tracee *t, struct tracee_ioctl *c, struct err *e) _must_check_;

/*
 * tracee_ioctls() - @n of them in order, and not one that fails is the last; with @until_zero the first that returns 0 is.
 *
 * Return: how many were made; -errno and @e if they could not be, after any number of them.
 */
int tracee_ioctls(struct tracee *t, struct tracee_ioctl *c, size_t n, bool until_zero,
		  struct err *e) _must_check_;

/*
 * tracee_restore() - Undo what calls did to the thread that made them; all stay stopped.
 *
 * Should the tracer be killed after that, the process goes on as if nothing had been.
 */
int tracee_restore(struct tracee *t, struct err *e) _must_check_;

uint64_t tracee_now_ns(void); /* CLOCK_MONOTONIC */

/* Memory of a process, stopped or not. Return: 0; -EFAULT if any of it can't be; -errno. */
int tracee_read(pid_t pid, rva_t at, void *dst, size_t len) _must_check_;
int tracee_write(pid_t pid, rva_t at, const void *src, size_t len) _must_check_;

#endif
