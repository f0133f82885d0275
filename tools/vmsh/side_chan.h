/* SPDX-License-Identifier: MIT */
/*
 * side_chan.h - the channel of a session, over the memory that lib/sideload shares with a guest.
 *
 * Theory of operation
 *
 * The guest's bell does not say what it rings for, and whoever receives hears it and makes it silent. So who receives also looks
 * whether there is room for those who wait for that, and wakes them.
 */
#ifndef VMSH_SIDE_CHAN_H
#define VMSH_SIDE_CHAN_H

#include <pthread.h>
#include <stdint.h>

#include "attach_chan.h"
#include "side.h"
#include "wire.h"

struct side_chan {
	struct attach_chan chan;
	struct side *side; /* borrowed */
	pthread_mutex_t lock;
	pthread_cond_t room; /* there may be some */
	unsigned int waiting;
};

void side_chan_init(struct side_chan *c, struct side *side);
void side_chan_fini(struct side_chan *c);

#endif
