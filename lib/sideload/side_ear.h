/* SPDX-License-Identifier: MIT */
/*
 * side_ear.h - one who waits for the guest's doorbell.
 *
 * Theory of operation
 *
 * Several may hear the same doorbell, an eventfd (side_door.h): each by an epoll of its own that tells of each ring once, and nobody reads
 * it. A guest may ring without end and for nothing: after some rings in vain it is not heard for a while, which gets longer. A timer ends that.
 * A ring is in vain if none of them has found anything since the one before: nobody can tell for whom it is.
 *
 * One thread at a time for each.
 */
#ifndef SIDELOAD_SIDE_EAR_H
#define SIDELOAD_SIDE_EAR_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct side_ear {
	int fd; /* readable: somebody has rung; -1: there is none */
	int door, bell, timer;
	uint32_t *finds; /* borrowed; how often any who hears the door has found something */
	uint32_t known;  /* of these, at the last ring */
	uint32_t vain;   /* rings since something was found */
	uint64_t pause_ns;
};
#define SIDE_EAR_NONE                                         \
	(struct side_ear)                                     \
	{                                                     \
		.fd = -1, .door = -1, .bell = -1, .timer = -1 \
	}

/*
 * @door and @bell, an eventfd of ours, are borrowed; each may be -1. @finds, which all who hear @door share, begins as 0 and is
 * theirs alone. Return: 0; -errno.
 */
int side_ear_open(struct side_ear *ear, int door, int bell, uint32_t *finds, struct err *e)
	_must_check_;
void side_ear_close(struct side_ear *ear);

/* Something was found: whoever rings does not do so for nothing. */
void side_ear_found(struct side_ear *ear);
/* Not readable until somebody rings; what came meanwhile is to be looked for after it. Return: had the guest rung? */
bool side_ear_clear(struct side_ear *ear);

#endif
