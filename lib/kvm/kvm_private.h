/* SPDX-License-Identifier: MIT */
/* kvm_private.h - between the files of this library. */
#ifndef KVM_PRIVATE_H
#define KVM_PRIVATE_H

#include "kvm.h"
#include "tracee.h"

#define EVIDENCE_MAX  8
#define MAPPINGS_MAX  512
#define MAPPING_LEAST (64ULL << 10)

/* What KVM says that an address of the guest's kernel is. */
struct kvm_evidence {
	gva_t gva;
	gpa_t gpa;
	bool may_be_far; /* tables that lead to it may be in memory that no layout has */
};

/* A mapping of the hypervisor that can be guest memory. */
struct kvm_mapping {
	hva_t start;
	uint64_t size;
};

struct kvm_mappings {
	struct kvm_mapping v[MAPPINGS_MAX]; /* the largest first */
	size_t n;
};

/* Ioctls that the descriptors of a machine or processor must know. -errno and @e if KVM fails one. */
int kvm_ask_all(struct tracee *t, struct tracee_ioctl *c, size_t n, struct err *e) _must_check_;

/* Ranges of memory that slots may be parts of: from 0 on, and from 4 GiB on if there is more. */
struct kvm_layout {
	struct kvm_slot range[2];
	size_t n;
};

#define LAYOUTS_MAX 48 /* more than there are places where memory below 4 GiB can end */

/* Those that fit to what KVM says. What is known to be there is at the same place in all. */
struct kvm_layouts {
	struct kvm_layout v[LAYOUTS_MAX];
	size_t n;
};

int kvm_mappings_read(const struct pid_ref *p, struct kvm_mappings *ret, struct err *e)
	_must_check_;

/*
 * kvm_layout_find() - Which mapping is memory, by page tables that translate as @evidence says; the first is of what is known.
 *
 * Sets @vm->slot to what all layouts that fit have in common. @unusual: memory may end anywhere below 4 GiB. Return: 0; -ENOENT none fits, or two that contradict each other.
 */
int kvm_layout_find(struct kvm_vm *vm, const struct kvm_mappings *m,
		    const struct kvm_evidence *evidence, size_t n, bool unusual,
		    struct kvm_layouts *ret) _must_check_;

/* The slots as KVM has them. @vm->slot is what kvm_layout_find() made, and stays so if they can't be found. */
int kvm_slots_probe(struct tracee *t, struct kvm_vm *vm, const struct kvm_mappings *m,
		    const struct kvm_layouts *l, gpa_t known, struct err *e) _must_check_;

#endif
