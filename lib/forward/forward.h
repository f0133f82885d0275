/* SPDX-License-Identifier: MIT */
/*
 * forward.h - connections that are accepted here and carried on to somewhere else.
 *
 * Theory of operation
 *
 * A listener knows how to reach what its connections are for (dial()). forward_run() accepts, dials, and
 * moves bytes both ways until both ends have closed. Listening sockets may be of another network
 * namespace than the one that forward_run() connects in: that is what it is for. Who doesn't read, isn't
 * read from: what one end has not taken yet lies in memory, at most one buffer for each direction. The
 * end of one direction is passed on as that, an error ends the connection.
 *
 * Of unix sockets streams are carried, and sequences of packets with their borders. Descriptors that
 * are sent along are refused: the connection ends, and a line says so. That is why bytes are received
 * and sent, not spliced: splice(2) drops descriptors without a word.
 *
 * Sockets are watched edge-triggered: read until there is nothing, with a bound, behind which the
 * watch is renewed. Neither end is trusted: a connection costs two descriptors and, while its receiver
 * is slow, a buffer; one user has at most half of all connections. One thread.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

#define FORWARD_PORTS_MAX  64
#define FORWARD_CONNS_MAX  4096
#define FORWARD_PACKET_MAX 262144 /* of SOCK_SEQPACKET; senders have less room by default */

struct forward_listener {
	int fd; /* listening, non-blocking; owned */
	/*
	 * Begin to connect for @client. Return: a non-blocking socket; -EAGAIN, nobody has time to
	 * accept: try again later; another -errno, which @client sees as the end.
	 */
	int (*dial)(struct forward_listener *l, int client);
	/* It listens no more and is not used any longer: free what is behind it. May be NULL. */
	void (*end)(struct forward_listener *l);
	bool packets;          /* SOCK_SEQPACKET */
	struct sockaddr_in to; /* of forward_listen() */
};

struct forward {
	struct forward_listener *listener[FORWARD_PORTS_MAX]; /* from before it runs; owned */
	unsigned int n;
	/* Somebody who may add listeners while it runs; -1: nobody. Not 0 from @on_control ends the run. */
	int control;
	int (*on_control)(struct forward *f);
	/* Called each @tick_ms, which it and on_control() may change; 0: not. */
	void (*on_tick)(struct forward *f);
	int tick_ms;
	struct forward_loop *loop; /* while it runs */
};
#define FORWARD_INIT          \
	{                     \
		.control = -1 \
	}

/* "[ADDR:]PORT:PROGRAMPORT": ADDR is IPv4 or [IPv6], without it all of this host. -EINVAL and a sentence. */
struct forward_port {
	struct sockaddr_storage at;
	uint16_t to;
};
int forward_parse(const char *text, struct forward_port *ret, struct err *e) _must_check_;

/* Listen, for connections to go to @guest. */
int forward_listen(struct forward *f, const struct forward_port *port, struct in_addr guest,
		   struct err *e) _must_check_;
/* Take one more listener, on the heap, and its @fd; its end() frees it. */
int forward_take(struct forward *f, struct forward_listener *l, struct err *e) _must_check_;
void forward_fini(struct forward *f);

/*
 * A child that does forward_run(), without @not_for_it and under forward_sandbox() if @restricted. It ends
 * with us. @f is given up.
 */
int forward_start(struct forward *f, const int *not_for_it, size_t n, bool restricted,
		  struct err *e) _must_check_;

/* Only what forward_run() needs for TCP. For good. */
int forward_sandbox(struct err *e) _must_check_;

/* Ends by an error, or with what on_control() returned. */
int forward_run(struct forward *f, struct err *e) _must_check_;

/* While it runs: take a listener of the caller's. A listener that was shut down (shutdown(2)) ends by itself. */
int forward_add(struct forward *f, struct forward_listener *l) _must_check_;

#endif
