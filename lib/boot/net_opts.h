/* SPDX-License-Identifier: MIT */
/*
 * net_opts.h - the network of a machine: what the user writes, what its back end and init are told.
 *
 * Theory of operation
 *
 *	none			loopback only
 *	tap:NAME		a tap of this host, which rktio-net serves
 *	vhost-user:SOCKET	whoever listens there; rktio-net carries what is said at the start
 *	(published ports only)	a network of rktio-net's own, which only those ports lead into
 *
 * Addresses are set by init (libos/init/net.c), since the host has no say inside. The
 * interface's own address follows from the first of them, so that who
 * remembers it need not learn another after a restart.
 */
#ifndef BOOT_NET_OPTS_H
#define BOOT_NET_OPTS_H

#include <stdbool.h>

#include "err.h"
#include "initrd.h"

#define NET_ADDRESSES_MAX 4
#define NET_PUBLISH_MAX   64
#define NET_ARGS_MAX      (12 + 2 * NET_PUBLISH_MAX)

#define NET_PRIVATE_HOST  "10.0.2.2"
#define NET_PRIVATE_GUEST "10.0.2.15"

/* What rktio-net writes to its --ready descriptor; anything else is why it can't serve. */
#define NET_READY "ready\n"

struct net_opts {
	enum net_kind {
		NET_NONE,
		NET_TAP,
		NET_VHOST_USER,
		NET_PRIVATE,
	} kind;
	bool given;
	const char *where; /* the tap's name, the socket's path */
	const char *mac;   /* or NULL */
	const char *ip[NET_ADDRESSES_MAX], *gw[NET_ADDRESSES_MAX], *dns[NET_ADDRESSES_MAX];
	const char *publish[NET_PUBLISH_MAX];
	unsigned int nip, ngw, ndns, npublish;
};

/* "tap:NAME,ip=ADDR/LEN,..."; @text is cut into pieces, and must outlive @n. -EINVAL and a sentence. */
int net_opts_parse(struct net_opts *n, char *text, struct err *e) _must_check_;
/* One port; checked, not copied. */
int net_opts_publish(struct net_opts *n, const char *text, struct err *e) _must_check_;
/* When all options are known: do they go together? */
int net_opts_check(struct net_opts *n, struct err *e) _must_check_;

/* What init does with it. */
void net_opts_plan(const struct net_opts *n, struct boot_conf *conf);

/* Options of rktio-net, into @argv from @at on, and a NULL. @scratch keeps what is made up. */
struct net_scratch {
	char guest[64];
};
void net_opts_argv(const struct net_opts *n, struct net_scratch *scratch, char *argv[NET_ARGS_MAX],
		   size_t at);

#endif
