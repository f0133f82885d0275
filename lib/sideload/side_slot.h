/* SPDX-License-Identifier: MIT */
/* side_slot.h - memory slots of KVM, and calls in the hypervisor that has them: for a process whose threads stand. */
#ifndef SIDELOAD_SIDE_SLOT_H
#define SIDELOAD_SIDE_SLOT_H

#include "side_inject.h"
#include "tracee.h"

/* What a call gave, or -errno and @e if it could not be made. */
long side_call(struct tracee *t, long nr, const uint64_t arg[6], struct err *e) _must_check_;
/* An ioctl that has to succeed. */
int side_ask(struct tracee *t, int fd, unsigned long request, void *arg, size_t size, struct err *e)
	_must_check_;

/*
 * side_slot_make() - A slot for the mapping in @i->made, where the guest has nothing; notes it there.
 *
 * @cpu is a processor's descriptor. *@ret_room: the SIDE_PAGE behind it is free as well, as far as guest and slots
 * tell; else side_slot_shift() makes it so.
 */
int side_slot_make(const struct side_inject *i, struct tracee *t, int cpu, bool *ret_room,
		   struct err *e) _must_check_;
/*
 * side_slot_shift() - The slot that was just made, a SIDE_PAGE further down.
 *
 * So KVM has said of all of it and of that page that no other slot is there; but for that it forgets what it has of
 * the guest's memory. Return: 0; 1 it stays where it is; -errno.
 */
int side_slot_shift(const struct side_inject *i, struct tracee *t, struct err *e) _must_check_;
/* The number of the slot that such a mapping has. Return: it; -ENOENT; -errno. */
int side_slot_find(const struct side_inject *i, struct tracee *t, struct err *e) _must_check_;
/* KVM flushes the translations of all processors with it. */
int side_slot_delete(const struct side_inject *i, struct tracee *t, struct err *e) _must_check_;

#endif
