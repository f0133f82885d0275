/* SPDX-License-Identifier: MIT */
#include "vu_sandbox.h"

#include <errno.h>
#include <seccomp.h>

static const int allowed[] = {
	/* front ends and their messages */
	SCMP_SYS(accept4),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(fcntl),
	SCMP_SYS(close),
	/* the memory that they share, and malloc's */
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(brk),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(restart_syscall),
	/* the image, or the tap, and eventfds */
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev2),
	SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fallocate),
	/* the end */
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit_group),
};

static int load(scmp_filter_ctx ctx, unsigned int request)
{
	if (request && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					SCMP_A1(SCMP_CMP_EQ, request)) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);

		if (r < 0)
			return r;
	}
	return seccomp_load(ctx);
}

int vu_sandbox(unsigned int request, struct err *e)
{
	scmp_filter_ctx ctx =
		seccomp_init(ADDRESS_SANITIZER ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	int r = ctx ? load(ctx, request) : -ENOMEM;

	seccomp_release(ctx);
	return r < 0 ? err_set(e, -r, "cannot restrict our own system calls: %s", err_str(r)) : 0;
}
