/* SPDX-License-Identifier: MIT */
/*
 * side_target.h - what the library needs of a guest's kernel: functions by its symbols, members by its types.
 *
 * Nothing in the guest is changed: all that a kernel lacks is known before the first change.
 */
#ifndef SIDELOAD_SIDE_TARGET_H
#define SIDELOAD_SIDE_TARGET_H

#include "side_abi.h"
#include "side_place.h"
#include "vm.h"

#define SIDE_CPUS_MAX 64 /* of the guest, looked at for the one that is interrupted */

struct side_target {
	struct side_functions call;
	struct side_fields at;
	uint64_t workqueue, current_at, other_fops;
	uint64_t register_gsi, unregister_gsi; /* 0: this kernel has no ACPI */
	gva_t raised_list;                     /* of irq_work, from a processor's own memory */
	gva_t panic_cpu;                       /* 0: this kernel does not say */
	uint64_t per_cpu
		[SIDE_CPUS_MAX]; /* where the own memory of a processor is; by the guest's numbers */
	size_t ncpu;
	struct side_taken taken[SIDE_TAKEN_MAX]; /* of physical addresses, as the guest sees it */
	size_t ntaken;
};

/* Return: 0; -ENOTSUP this kernel has not what it takes, and @e says what; -EFAULT, -EPROTO its memory makes no sense. */
int side_target_find(const struct vm *v, struct side_target *ret, struct err *e) _must_check_;

/* The part of it that knows no machine. */
int side_target_fields(const struct btf *b, struct side_fields *ret, struct err *e) _must_check_;

#endif
