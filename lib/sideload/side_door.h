/* SPDX-License-Identifier: MIT */
/*
 * side_door.h - doorbells between a guest and us that KVM itself rings: for a process whose threads stand.
 *
 * Theory of operation
 *
 * Both are eventfds that are made in the hypervisor, for KVM takes only such, and that are open here as well.
 *
 *	to the host	an ioeventfd: what the guest writes at an address without memory rings it, in the kernel. KVM
 *			takes it back only from who shows the same eventfd in the hypervisor, where it stays open therefore.
 *			Its id, of which the kernel gives no other eventfd the same while it lives, is in
 *			the name of our memory (side_found.h): so it is found there after the death of both of our processes.
 *	to the guest	an irqfd: what we write is an interrupt. KVM lets go of it with the last descriptor of its
 *			eventfd, and those are ours alone: nothing of it is left, however we end.
 */
#ifndef SIDELOAD_SIDE_DOOR_H
#define SIDELOAD_SIDE_DOOR_H

#include "addr.h"
#include "tracee.h"

#define SIDE_DOOR_NEW \
	0x76736d68U /* what the counter of a doorbell begins with that nobody has rung or heard */

struct side_eventfd {
	int theirs, ours; /* descriptors; -1: none */
	int64_t id;       /* -1: this kernel does not say (before Linux 5.2) */
};

/* What the kernel says of descriptor @fd of a process. Return: 0; -ENOTSUP it is no eventfd, or has no id; -errno. */
int side_door_id(const struct pid_ref *p, int fd, int64_t *ret_id, uint64_t *ret_count)
	_must_check_;
/* Which of its descriptors is the eventfd @id, whose counter is *@ret_count. Return: it; -ENOENT; -errno. */
int side_door_find(const struct pid_ref *p, int64_t id, uint64_t *ret_count) _must_check_;

/* One that is open there and here, with @count in it. */
int side_door_open(struct tracee *t, uint32_t count, struct side_eventfd *ret, struct err *e)
	_must_check_;
/* The one there. */
int side_door_close(struct tracee *t, int theirs, struct err *e) _must_check_;

/*
 * side_door_set() - What the guest writes at @gpa, however long, rings @theirs; or no longer does.
 *
 * Return: 0; 1 KVM says no: another one is there, or this one is not; -errno and @e.
 */
int side_door_set(struct tracee *t, int vmfd, int theirs, gpa_t gpa, bool on, struct err *e)
	_must_check_;

/* Writes to *@ret are the interrupt @gsi of the guest. It is ours alone. Return: 0; -errno. */
int side_door_irq(struct tracee *t, int vmfd, uint32_t gsi, int *ret, struct err *e) _must_check_;

#endif
