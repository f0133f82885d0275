/* SPDX-License-Identifier: MIT */
/* side_disk.h - the thread that serves a guest's disk. Private to lib/sideload; side.h says how it is used. */
#ifndef SIDELOAD_SIDE_DISK_H
#define SIDELOAD_SIDE_DISK_H

#include <pthread.h>

#include "side.h"
#include "side_abi.h"
#include "side_ear.h"
#include "side_far.h"
#include "side_inject.h"

struct side_disk_host {
	struct side_disk *shared; /* the guest's to change */
	struct side_server server;
	struct side_far far;
	struct side_inject inject; /* the guest is rung by it */
	const bool *has_door;      /* the guest has rung: it need not be looked at all the time */
	int door;                  /* what it rings; -1: nothing */
	uint32_t *finds;           /* of all who hear the door (side_ear.h) */
	struct side_ear ear;
	pthread_t thread;
	bool runs;
	uint32_t stop;
};

/* All but @shared, @server, @far, @inject, @has_door and @door is zero. */
int side_disk_host_start(struct side_disk_host *h, struct err *e) _must_check_;
/* Once nothing in the guest asks any more; also if it was not started. */
void side_disk_host_stop(struct side_disk_host *h);

/* As side_disk_ready(). */
int side_disk_state(const struct side_disk *d, struct err *e) _must_check_;

#endif
