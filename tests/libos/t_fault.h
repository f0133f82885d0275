/* SPDX-License-Identifier: MIT */
/* t_fault.h - for the test programs: accesses that may be refused. catch_faults() comes first. */
#ifndef TESTS_LIBOS_T_FAULT_H
#define TESTS_LIBOS_T_FAULT_H

#include <setjmp.h>
#include <signal.h>

#include "t.h"

static sigjmp_buf back;
static volatile siginfo_t fault;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	fault = *info;
	siglongjmp(back, 1);
}

static inline void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	CHECK(sigaction(SIGBUS, &action, NULL) == 0);
}

/* 0: the access went through; else the signal's code. */
static inline int try_read(const volatile char *p)
{
	if (sigsetjmp(back, 1))
		return fault.si_code;
	(void)*p;
	return 0;
}

static inline int try_write(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return fault.si_code;
	*p = 1;
	return 0;
}

#endif
