/* SPDX-License-Identifier: MIT */
/*
 * kvm_pages.h - all pages of a hypervisor's memory, copied without making it larger.
 *
 * Theory of operation
 *
 * A page that the hypervisor has not got yet is not asked for, since that would
 * give it one: /proc/PID/pagemap says which it has, in memory or in swap, and only
 * those are copied out of the process. The others are zeros, but where a file is
 * mapped (memfd, hugetlbfs, a snapshot): there they are what is in the file, which
 * is read itself, and its holes are zeros.
 *
 * Where somebody else brings a page when it is touched (userfaultfd, in a machine
 * that is migrated or restored), it is asked for, since nothing else says what is in it.
 *
 * Without a pagemap, or if a file can't be opened, all pages are copied out of the process.
 */
#ifndef KVM_KVM_PAGES_H
#define KVM_KVM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"
#include "pidfd.h"

#define KVM_PAGES_CHUNK 256 /* pages of one kvm_pages_read() */

struct kvm_pages {
	const struct pid_ref *ref;   /* borrowed */
	struct kvm_pages_mapping *v; /* by address; owned */
	size_t n, room;
	int pagemap;   /* -1: there is none */
	uint64_t lost; /* pages */
};
#define KVM_PAGES_INIT        \
	{                     \
		.pagemap = -1 \
	}

int kvm_pages_open(const struct pid_ref *p, struct kvm_pages *ret, struct err *e) _must_check_;
void kvm_pages_close(struct kvm_pages *k);
#define _cleanup_kvm_pages_ _cleanup_(kvm_pages_close)

/* Are pages of [@at, @at + @size) brought by somebody else when they are touched? */
bool kvm_pages_on_demand(const struct kvm_pages *k, hva_t at, uint64_t size);

/*
 * kvm_pages_read() - Copy @n pages, at most KVM_PAGES_CHUNK, from @at on.
 *
 * What is not there is zeros; so is what is there and can't be read (EFAULT, EIO), and @k->lost counts that.
 *
 * Return: 0; -ESRCH the process is gone; another -errno.
 */
int kvm_pages_read(struct kvm_pages *k, hva_t at, size_t n, uint8_t *dst) _must_check_;

#endif
