/* SPDX-License-Identifier: MIT */
/* side_chan.h - the channel of a session, over the memory that lib/sideload shares with a guest. */
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
};

void side_chan_init(struct side_chan *c, struct side *side);
void side_chan_fini(struct side_chan *c);

#endif
