/* SPDX-License-Identifier: MIT */
/*
 * forward.h - TCP connections to a port of the host, carried on to a port of another address.
 *
 * Theory of operation
 *
 * forward_listen() binds a port, forward_run() accepts, connects to where the port leads, and moves
 * bytes both ways until both ends have closed. Listening sockets may be of another network
 * namespace than the one that forward_run() connects in: that is what it is for. Each direction
 * has a buffer; who doesn't read, isn't read from. The end of one direction is
 * passed on as that, an error ends the connection.
 *
 * Sockets are watched edge-triggered: read until there is nothing, with a bound, behind which the
 * watch is renewed. Neither end is trusted. One thread.
 */
#ifndef VDEV_FORWARD_H
#define VDEV_FORWARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define FORWARD_PORTS_MAX 64
#define FORWARD_CONNS_MAX 4096

struct forward {
	int listener[FORWARD_PORTS_MAX]; /* owned */
	struct sockaddr_in to[FORWARD_PORTS_MAX];
	unsigned int n;
};

/* "[ADDR:]HOSTPORT:GUESTPORT": ADDR is IPv4 or [IPv6], without it all of this host. -EINVAL and a sentence. */
struct forward_port {
	struct sockaddr_storage at;
	uint16_t to;
};
int forward_parse(const char *text, struct forward_port *ret, struct err *e) _must_check_;

/* Listen, for connections to go to @guest. */
int forward_listen(struct forward *f, const struct forward_port *port, struct in_addr guest,
		   struct err *e) _must_check_;
void forward_fini(struct forward *f);

/*
 * A child that does forward_run(), without @not_for_it and under forward_sandbox() if @restricted. It ends
 * with us. @f is given up.
 */
int forward_start(struct forward *f, const int *not_for_it, size_t n, bool restricted,
		  struct err *e) _must_check_;

/* Only what forward_run() needs. For good. */
int forward_sandbox(struct err *e) _must_check_;

/* Never ends but by an error. */
int forward_run(struct forward *f, struct err *e) _must_check_;

#endif
