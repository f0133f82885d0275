/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_THREAD_INFO_H
#define LO_ASM_THREAD_INFO_H

#include <asm/page.h>

#define THREAD_SIZE_ORDER 2
#define THREAD_SIZE       (PAGE_SIZE << THREAD_SIZE_ORDER)

#ifndef __ASSEMBLY__
#include <asm/types.h>

struct thread_info {
	unsigned long flags;
	unsigned long syscall_work;
	int preempt_count;
	u32 cpu;
};

#define INIT_THREAD_INFO(tsk)                                   \
	{                                                       \
		.flags = 0, .preempt_count = INIT_PREEMPT_COUNT \
	}
#endif

#define TIF_NOTIFY_RESUME   1
#define TIF_SIGPENDING      2
#define TIF_NEED_RESCHED    3
#define TIF_NOTIFY_SIGNAL   5
#define TIF_RESTORE_SIGMASK 9
#define TIF_POLLING_NRFLAG  16
#define TIF_MEMDIE          17
#define TIF_SINGLESTEP      18
#define TIF_FORCED_TF       19 /* the trap flag is the debugger's, not the program's */

#define _TIF_NOTIFY_RESUME  (1 << TIF_NOTIFY_RESUME)
#define _TIF_SIGPENDING     (1 << TIF_SIGPENDING)
#define _TIF_NEED_RESCHED   (1 << TIF_NEED_RESCHED)
#define _TIF_NOTIFY_SIGNAL  (1 << TIF_NOTIFY_SIGNAL)
#define _TIF_POLLING_NRFLAG (1 << TIF_POLLING_NRFLAG)

#endif
