/* SPDX-License-Identifier: MIT */
/*
 * flow.h - one stream's back-pressure: what may still be sent, and what has come.
 *
 * Theory of operation
 *
 * Both ends begin with a whole window. Who sends takes from its credit; who receives keeps what comes
 * until it is delivered, and gives credit back in quarters of a window, so that little is said. A peer
 * that sends more than it may, or gives more than it has got, has broken the protocol.
 */
#ifndef WIRE_FLOW_H
#define WIRE_FLOW_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"
#include "wire.h"

/* Sending. */
struct wire_tx {
	uint32_t window, credit;
	bool ended; /* nothing more will be sent */
};

static inline struct wire_tx wire_tx_of(uint32_t window)
{
	return (struct wire_tx){ .window = window, .credit = window };
}

/* @n <= tx->credit were sent. */
void wire_tx_sent(struct wire_tx *tx, uint32_t n);
/* -EPROTO: more than was ever sent. */
int wire_tx_credit(struct wire_tx *tx, uint32_t n) _must_check_;

/* Receiving. */
struct wire_rx {
	struct ring ring;
	bool end;      /* nothing more will come */
	uint32_t owed; /* delivered, and not said */
};

int wire_rx_init(struct wire_rx *rx) _must_check_;
void wire_rx_fini(struct wire_rx *rx);

/* What a message brought; no bytes are the end. -EPROTO: more than the window, or behind the end. */
int wire_rx_put(struct wire_rx *rx, const void *data, size_t size) _must_check_;
/* One write of at most @max bytes to @fd. Return: as ring_drain(); what was written counts as delivered. */
ssize_t wire_rx_write(struct wire_rx *rx, int fd, size_t max) _must_check_;
/* Nobody takes it: it counts as delivered. */
void wire_rx_drop(struct wire_rx *rx);
/* @n bytes that were taken out of the ring are delivered. */
void wire_rx_delivered(struct wire_rx *rx, uint32_t n);
/* Credit to be given now, and then given; 0: none yet. */
uint32_t wire_rx_credit(struct wire_rx *rx);

/* All has come and is delivered. */
static inline bool wire_rx_done(const struct wire_rx *rx)
{
	return rx->end && !rx->ring.len;
}

#endif
