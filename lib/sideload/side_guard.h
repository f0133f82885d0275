/* SPDX-License-Identifier: MIT */
/* side_guard.h - the process that touches the hypervisor, and what it shares with its parent. */
#ifndef SIDELOAD_SIDE_GUARD_H
#define SIDELOAD_SIDE_GUARD_H

#include "side.h"
#include "side_inject.h"

#define SIDE_START_MS 5000 /* unless the options say else */
#define SIDE_UNDO_MS  5000 /* then once more, as long as it takes */

/* In memory that both see. The guard writes. */
struct side_shared {
	struct side_made made;
	struct side_report report;
	struct err err;
	int r;          /* of the start */
	uint32_t ended; /* the program has, or the hypervisor; what was made is being undone */
	uint32_t undone;
};

struct side_guard {
	const struct side_opts *opts;
	const struct side_target *target;
	struct side_shared *shared;
	int sock; /* to the parent: the memfd goes there, and nothing is read but its end */
	int bell; /* an eventfd */
};

/* Once the program runs the parent gets a byte with what there is of bells (struct side_bells), and their descriptors in this order. */
#define SIDE_HAS_DOOR 1
#define SIDE_HAS_IRQ  2

/* In the child, which it ends. SIGTERM of anybody ends the session. */
void side_guard_run(const struct side_guard *g) __attribute__((noreturn));

/* Undo within @timeout_ms, once the guest was told to stop. Return: 0; -EBUSY the guest does not let go; -errno. Also for the parent of a guard that has died. */
int side_guard_undo(const struct side_inject *i, struct side_shared *shared,
		    unsigned int timeout_ms, struct err *e) _must_check_;

#endif
