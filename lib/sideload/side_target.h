/* SPDX-License-Identifier: MIT */
/*
 * side_target.h - what the library needs of a guest's kernel: functions by its symbols, members by its types.
 *
 * Nothing in the guest is changed: all that a kernel lacks is known before the first change.
 */
#ifndef SIDELOAD_SIDE_TARGET_H
#define SIDELOAD_SIDE_TARGET_H

#include <stdbool.h>

#include "side_abi.h"
#include "side_place.h"
#include "vm.h"

#define SIDE_CPUS_MAX 64 /* of the guest, looked at for the one that is interrupted */

struct side_target_disk {
	struct side_disk_functions call;
	struct side_disk_fields at;
	uint64_t chip, handler, direct, page_list; /* as in struct side_disk */
};

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
	struct side_target_disk disk;
	struct err no_disk; /* why this kernel can't have one; @code 0: it can */
};

/* Return: 0; -ENOTSUP this kernel has not what it takes, and @e says what; -EFAULT, -EPROTO its memory makes no sense. */
int side_target_find(const struct vm *v, struct side_target *ret, struct err *e) _must_check_;

/* What it takes to undo what somebody has left there, which is less: of @ret panic_cpu alone. */
void side_target_find_undo(const struct vm *v, struct side_target *ret);

/* The part of it that knows no machine. */
int side_target_fields(const struct btf *b, struct side_fields *ret, struct err *e) _must_check_;

/* The library has room for structures of these sizes, with what it touches inside of them. */
bool side_target_fits(const struct side_fields *f);

/* Where struct resource has what is read of it. */
struct side_resource_fields {
	uint32_t start, end, child, sibling;
};

/*
 * side_target_infer() - The same of a kernel that has no description of its types.
 *
 * What depends on how a kernel was configured is proved by its memory (kinfer_files.h); what has been the same in all that were
 * seen comes from a small table, for their releases alone, and for kernels without what would change it. Of the tree of resources,
 * whose root is @resources, each leads back to it.
 *
 * Return: 0; -ENOTSUP, and @e says what can't be told.
 */
int side_target_infer(const struct vm *v, gva_t resources, struct side_fields *ret,
		      struct side_resource_fields *ret_resource, struct err *e) _must_check_;

/* @other is what it is called in other kernels, or NULL; "" it may not be there, and is 0 then. */
struct side_symbol_name {
	const char *name, *other;
	bool code; /* it is called: what is not within the kernel's image is as if it were not there */
};
struct side_field_name {
	const char *structure, *member, *other; /* @member "": the structure's size */
};

#define SIDE_NAMES_MAX 64 /* of symbols at once */

/* The addresses of @n symbols. Return: 0; -ENOENT, and *@ret_lacks is the number of the one that is not there. */
int side_target_symbols(const struct ksyms *k, const struct side_symbol_name *names, size_t n,
			uint64_t *ret, size_t *ret_lacks) _must_check_;
/* The places of @n members. Return: 0; -ENOENT, -EPROTO, and *@ret_lacks is the number of the one that is not there, or can't be so. */
int side_target_members(const struct btf *b, const struct side_field_name *names, size_t n,
			uint32_t *ret, size_t *ret_lacks) _must_check_;
/* Where @member is, by one name or @other (may be NULL); "" for the size of the structure. Return: 0; -ENOENT; -EPROTO. */
int side_target_field(const struct btf *b, const char *structure, const char *member,
		      const char *other, uint32_t *ret) _must_check_;

/* What a disk takes (side_disk_abi.h). Return: 0; -ENOTSUP, and @e says what is missing. */
int side_target_disk(const struct vm *v, struct side_target_disk *ret, struct err *e) _must_check_;
int side_target_disk_fields(const struct btf *b, struct side_disk_fields *ret, struct err *e)
	_must_check_;

#endif
