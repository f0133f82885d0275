/* SPDX-License-Identifier: MIT */
/*
 * kvm_hold.h - a machine that stands: all threads of its process are stopped, its processors' registers are known.
 *
 * Theory of operation
 *
 * A child in a session of its own stops the threads, asks KVM for the registers,
 * puts the thread that did that back as it was, and waits. It lets go when it is
 * told to, or when the caller is gone, however it ended: it reads the end of a
 * pipe. Should the child itself be killed while it waits, the kernel lets go.
 *
 * What is in the kernel goes on: vhost's threads may write to the guest's memory.
 */
#ifndef KVM_KVM_HOLD_H
#define KVM_KVM_HOLD_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kvm.h"

struct kvm_cpu_state {
	int idx;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t kernel_gs_base;
};

struct kvm_hold {
	const struct kvm_cpu_state *cpu; /* until kvm_hold_fini() */
	size_t ncpu;

	struct kvm_held *held;
	int pipe;
	pid_t child;
};
#define KVM_HOLD_INIT                   \
	{                               \
		.pipe = -1, .child = -1 \
	}

/*
 * kvm_hold() - Stop the machine @vmfd of @p.
 *
 * Return: 0, and it stands until kvm_hold_end(); -errno and @e, and it runs. Either way @ret is the caller's to kvm_hold_fini().
 */
int kvm_hold(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_hold *ret,
	     struct err *e) _must_check_;
/* Let it run. *@ret_ns: how long it stood. -errno, if that is not certain. */
int kvm_hold_end(struct kvm_hold *h, uint64_t *ret_ns, struct err *e) _must_check_;
/* The same, if that was not done yet; and forget the registers. */
void kvm_hold_fini(struct kvm_hold *h);
#define _cleanup_kvm_hold_ _cleanup_(kvm_hold_fini)

#endif
