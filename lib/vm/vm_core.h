/* SPDX-License-Identifier: MIT */
/*
 * vm_core.h - the physical memory of a machine and its processors' registers, as an ELF core.
 *
 * Theory of operation
 *
 * vm_core_write() stops the machine for its registers, lets it run (or does not,
 * if a consistent image is wanted), and copies each memory slot to its place in
 * the file. Pages of zeros are left out, so that they are holes; pages that the
 * guest never touched are not even read (kvm_pages.h). Two things make the file
 * readable to debuggers: what the kernel says of itself (VMCOREINFO), and where
 * its image and its map of all memory are.
 */
#ifndef VM_VM_CORE_H
#define VM_VM_CORE_H

#include "progress.h"
#include "vm.h"

struct vm_core_opts {
	bool pause;       /* it stands until all is copied */
	const char *path; /* for messages */
	const struct progress *progress;
};

struct vm_core_result {
	size_t ncpu;
	uint64_t memory, written; /* bytes: of the machine; of them, what is in the file */
	uint64_t lost;            /* pages that can't be read: zeros in the file */
	uint64_t paused_ns;       /* all in all, from vm_open() on */
	unsigned int missing;     /* memory slots that are not in it: ROMs, most of them */
	uint64_t beyond;  /* bytes of its kernel's memory that are above all that is in it */
	bool has_symbols; /* without them there is no VMCOREINFO either */
	bool has_info;    /* VMCOREINFO */
};

/*
 * vm_core_write() - Write the core of @v, which was opened (vm_open(), vm_open_kernel() if that works), to the empty file @fd.
 *
 * Return: 0; -ESRCH it ended meanwhile; another -errno, and @e. The machine runs again in any case.
 */
int vm_core_write(struct vm *v, int fd, const struct vm_core_opts *opts, struct vm_core_result *ret,
		  struct err *e) _must_check_;

#endif
