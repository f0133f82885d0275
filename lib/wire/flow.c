/* SPDX-License-Identifier: MIT */
#include "flow.h"

#include <errno.h>

#define CREDIT_LEAST (WIRE_WINDOW / 4)

void wire_tx_sent(struct wire_tx *tx, uint32_t n)
{
	tx->credit -= n;
}

int wire_tx_credit(struct wire_tx *tx, uint32_t n)
{
	if (n > tx->window - tx->credit)
		return -EPROTO;
	tx->credit += n;
	return 0;
}

int wire_rx_init(struct wire_rx *rx)
{
	*rx = (struct wire_rx){ .end = false };
	return ring_init(&rx->ring, WIRE_WINDOW);
}

void wire_rx_fini(struct wire_rx *rx)
{
	ring_fini(&rx->ring);
}

/* What is delivered and not said is still part of the window. */
int wire_rx_put(struct wire_rx *rx, const void *data, size_t size)
{
	if (rx->end || size > WIRE_WINDOW - rx->owed ||
	    rx->ring.len > WIRE_WINDOW - rx->owed - size)
		return -EPROTO;
	if (!size) {
		rx->end = true;
		return 0;
	}
	return ring_add(&rx->ring, data, size) < 0 ? -EPROTO : 0;
}

ssize_t wire_rx_write(struct wire_rx *rx, int fd, size_t max)
{
	ssize_t n = ring_drain(&rx->ring, fd, max);

	if (n > 0)
		wire_rx_delivered(rx, (uint32_t)n);
	return n;
}

void wire_rx_drop(struct wire_rx *rx)
{
	wire_rx_delivered(rx, (uint32_t)rx->ring.len);
	ring_clear(&rx->ring);
}

void wire_rx_delivered(struct wire_rx *rx, uint32_t n)
{
	rx->owed += n;
}

uint32_t wire_rx_credit(struct wire_rx *rx)
{
	uint32_t n = rx->owed;

	if (n < CREDIT_LEAST)
		return 0;
	rx->owed = 0;
	return n;
}
