/* SPDX-License-Identifier: MIT */
/*
 * side_far.h - the guest's own memory, as a disk reads into it. Private to lib/sideload; side.h says how it is used.
 *
 * Theory of operation
 *
 * The guest's side gives the disk a guest-physical address of what is to be read where it may (side_disk_abi.h), and
 * process_vm_writev(2) copies to where the hypervisor has that: once, where a slot of the shared memory takes two copies. Each address is looked for
 * in a table that is ours and was made when the session began. In there is only memory that can't go as long as the machine lives:
 * the slot that the guest's kernel is in, and those that lie right before or behind it in the hypervisor, as the parts of one block of memory do. Other memory could be unplugged by now, and
 * something of the hypervisor's be in its place.
 *
 * KVM does not log what is written so; a slot whose writes are logged is left out.
 */
#ifndef SIDELOAD_SIDE_FAR_H
#define SIDELOAD_SIDE_FAR_H

#include <sys/uio.h>

#include "gmem.h"
#include "side_disk_abi.h"
#include "vm.h"

struct side_far {
	const struct vm *vm;    /* borrowed */
	const uint32_t *served; /* enum side_disk_served; the guest's to change */
	struct gmem_region
		region[SIDE_DISK_FARS]; /* as the device sees it; one behind the other in @p */
	hva_t theirs[SIDE_DISK_FARS];
	size_t n;
	uint8_t *p; /* addresses of @size bytes that nothing is mapped at; NULL: there are none */
	size_t size;
};

/* What there is to be had of @vm; @ret->n may be 0. */
void side_far_open(struct side_far *ret, const struct vm *vm, const uint32_t *served);
void side_far_close(struct side_far *f);

/*
 * side_far_put() - Copy from @from to @n buffers within @f->p.
 *
 * Return: 0; -ECANCELED the guest's side answers for the disk by now; -ESRCH the hypervisor has ended; -errno.
 */
int side_far_put(const struct side_far *f, const void *from, const struct iovec *to, unsigned int n)
	_must_check_;

#endif
