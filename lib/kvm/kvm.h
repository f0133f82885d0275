/* SPDX-License-Identifier: MIT */
/*
 * kvm.h - a virtual machine of another process: its descriptors, processors and memory.
 *
 * Theory of operation
 *
 * kvm_fds_find() reads /proc/PID/fd: the descriptors say what they are.
 * They only work from inside of the process, so kvm_look() stops it, injects
 * KVM_GET_SREGS, KVM_GET_REGS, KVM_GET_MSRS and KVM_TRANSLATE, and lets it go.
 * Then, with the machine running, it finds out which mapping is the guest's
 * memory: the one in which page tables translate as KVM said. At last all
 * threads are stopped once more for the bounds of the slots, which KVM tells by
 * KVM_SET_USER_MEMORY_REGION (kvm_slots.c says how without changing any).
 *
 * All that is done by a child in a session of its own, which goes on for its
 * milliseconds when the caller is killed: nobody is left half stopped.
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "err.h"
#include "gview.h"
#include "pidfd.h"

#define KVM_VMS_MAX   16
#define KVM_CPUS_MAX  256
#define KVM_SLOTS_MAX 64

struct kvm_fds {
	int vm[KVM_VMS_MAX]; /* ascending */
	size_t nvm;
	struct kvm_cpu_fd {
		int fd, idx;
		int vm;      /* the descriptor of its machine; a guess where there are several */
	} cpu[KVM_CPUS_MAX]; /* by descriptor */
	size_t ncpu;
	bool more; /* than there is room for */
};

/* Return: 0, also if there is none; -EACCES, and @e says which capability that takes; -ESRCH. */
int kvm_fds_find(const struct pid_ref *p, struct kvm_fds *ret, struct err *e) _must_check_;

struct kvm_cpu {
	int idx;
	uint64_t rip, rsp, rflags, lstar;
	uint64_t gs; /* base of the kernel's own */
	struct pt_regs_cr cr;
	unsigned int cpl;
};

struct kvm_slot {
	int id; /* -1: not asked KVM for it */
	gpa_t gpa;
	bool placed; /* @gpa is known */
	bool readonly;
	bool logged; /* what the guest writes to it is noted: in a migration, for a display */
	uint64_t size;
	hva_t hva;
};

struct kvm_vm {
	pid_t pid;
	int vmfd;
	struct kvm_cpu cpu[KVM_CPUS_MAX];
	size_t ncpu;
	struct kvm_slot slot[KVM_SLOTS_MAX];
	size_t nslot;
	unsigned int unknown_slots; /* in use, but not found */
	unsigned int probes;
	bool exact;          /* bounds are KVM's; else a mapping is taken as a whole */
	bool filtered;       /* its seccomp filters could not be suspended */
	uint64_t stopped_ns; /* all threads, for the registers */
	uint64_t probing_ns; /* all threads once more, for the slots */
};

/*
 * kvm_look() - All of the machine @vmfd of @p.
 *
 * Return: 0; -errno and @e. Without memory that makes sense (firmware, no paging) @ret->nslot is 0, and it is no failure.
 */
int kvm_look(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_vm *ret,
	     struct err *e) _must_check_;

/*
 * Where @gpa is in the hypervisor, and how much of its slot is from there on; false if that is not known, or is not to be
 * written to.
 */
bool kvm_at(const struct kvm_vm *vm, gpa_t gpa, bool write, hva_t *ret, uint64_t *ret_n);

/* Guest memory: a gphys_read_fn, whose argument is the struct kvm_vm. */
int kvm_read(void *vm, gpa_t gpa, void *dst, size_t len) _must_check_;

#endif
