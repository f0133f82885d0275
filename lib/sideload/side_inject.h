/* SPDX-License-Identifier: MIT */
/*
 * side_inject.h - the library put beside a guest's kernel and started, and all of that undone.
 *
 * Theory of operation
 *
 * side_inject_map() has the hypervisor make a memfd and map it; only that mapping
 * stays, the descriptor is ours. The caller fills it. side_inject_start() then
 * stops the machine once: a memory slot of that mapping where the guest has no
 * physical address in use, entries for it in the page table that the kernel's
 * image is in, an irq_work of the library in the list of a processor, and the
 * interrupt that Linux has for those (KVM_SIGNAL_MSI). No register of the guest
 * is touched, and the library begins where the kernel itself calls it.
 *
 * Doorbells come with both (side_door.h), where they can be had: the guest's writes to the page behind the
 * slot, and an interrupt.
 *
 * side_inject_undo() takes all of it back, in a stop of its own, once the
 * library says that it executes nothing any more. What was made is noted in
 * struct side_made before it is made; that may lie in memory which another
 * process sees that goes on after the death of this one.
 */
#ifndef SIDELOAD_SIDE_INJECT_H
#define SIDELOAD_SIDE_INJECT_H

#include "side_target.h"

struct side_made {
	bool mapped;
	hva_t hva; /* in the hypervisor */
	uint64_t size;

	bool slot;
	int id;
	gpa_t gpa;

	size_t nentry; /* written */
	struct {
		hva_t hva;
		uint64_t value; /* instead of 0 */
	} entry[SIDE_ENTRIES_MAX];
	gva_t at; /* what they map */

	bool has_door;  /* an eventfd */
	bool door_set;  /* KVM may ring it, at door_gpa() */
	bool door_ours; /* it is none of somebody else's for certain, even if KVM does not know it */
	int door;
	int64_t door_id;

	bool queued;
	hva_t list; /* the head of the list that the irq_work is in */
	gva_t node;
};

/* Doorbells, as far as there are any: ours (side_door.h); else -1. */
struct side_bells {
	int door; /* readable once the guest has rung */
	int irq;  /* rings the guest */
};
#define SIDE_BELLS_NONE     \
	(struct side_bells) \
	{                   \
		-1, -1      \
	}

struct side_inject {
	const struct vm *vm;              /* borrowed */
	const struct side_target *target; /* borrowed */
	struct side_made *made;           /* borrowed */
	struct side_state *state; /* the memory, here; its fields are the guest's to change */
	struct side_bells bells;
};

/* Of the memory that @state is in. */
static inline struct side_header *side_header_of(struct side_state *state)
{
	return (struct side_header *)(void *)((uint8_t *)state - SIDE_STATE_AT + SIDE_HEADER_AT);
}

/*
 * @size is a multiple of 2 MiB. Fills @i->bells, with what there is to be had. *@ret_ns: how long one thread of the hypervisor
 * stood. Return: the memfd, with the guard's lock (side_found.h); -errno.
 */
int side_inject_map(struct side_inject *i, uint64_t size, uint64_t *ret_ns, struct err *e)
	_must_check_;

/* Ring the guest, if it listens, and there is what it listens to. */
void side_inject_ring(const struct side_inject *i);

/* What the machine allows, before anything is changed; fills @ret->at of the entries. */
int side_inject_place(const struct side_inject *i, uint64_t size, struct side_entries *ret,
		      struct err *e) _must_check_;

/* Return: 0; -EBUSY it is paused; -errno. After a failure side_inject_undo() is to be called, too. */
int side_inject_start(const struct side_inject *i, const struct side_entries *where,
		      uint64_t *ret_ns, struct err *e) _must_check_;

/*
 * side_inject_lost() - Has the guest's kernel panicked, or is another one there: will it never say that it is over?
 *
 * Then what is in the guest is no longer waited for. For a guest that has been silent: all threads are stopped for it.
 */
bool side_inject_lost(const struct side_inject *i);

/*
 * side_inject_undo() - Take back what @made says.
 *
 * Return: 0, also if the hypervisor has ended; -EAGAIN the guest still executes what is ours; -errno.
 */
int side_inject_undo(const struct side_inject *i, uint64_t *ret_ns, struct err *e) _must_check_;

/*
 * side_inject_find() - Fill in @i->made, whose @hva, @size, @gpa and @at are set, from what is there of it.
 *
 * Its slot by KVM, its doorbell by the id @door (-1: none), entries only where they are as side_inject_start() writes them; nothing is in a list. Return: 0; -errno.
 */
int side_inject_find(const struct side_inject *i, int64_t door, uint64_t *ret_ns, struct err *e)
	_must_check_;

/* Does the guest execute nothing of ours any more, as far as the memory says? */
bool side_inject_over(const struct side_inject *i);

#endif
