/* SPDX-License-Identifier: MIT */
/* sockproxy_private.h - what binder and carrier share. */
#ifndef FORWARD_SOCKPROXY_PRIVATE_H
#define FORWARD_SOCKPROXY_PRIVATE_H

#include <stddef.h>

#include "sockproxy.h"

/* Of the binder for the carrier; along come a socket of ours, and a path descriptor of where it leads to. */
struct sockproxy_made {
	bool inwards; /* the socket does not listen yet, nor perhaps who is there */
	int type;
};

/* Become one of the two; ends with @parent. */
void sockproxy_become(pid_t parent, const char *title, const int *keep, size_t n);

_Noreturn void sockproxy_carry(int binder, pid_t parent);

#endif
