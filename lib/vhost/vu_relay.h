/* SPDX-License-Identifier: MIT */
/*
 * vu_relay.h - carry the messages of a vhost-user front end to a back end that listens somewhere, and its replies back.
 *
 * What it is for: a front end that can make no connections can be given another one, when that back end is gone and
 * comes again. Rings and packets do not pass here; descriptors do.
 */
#ifndef VHOST_VU_RELAY_H
#define VHOST_VU_RELAY_H

#include "err.h"

/* Exit status of a process that does this, when the back end is gone: another may come. */
#define VU_RELAY_BACK_GONE 3

/*
 * vu_relay() - Until one of the connected sockets @front and @back has reached its end.
 *
 * Nothing of what is said is looked at.
 *
 * Return: 0 the front end is gone; 1 the back end is; -errno.
 */
int vu_relay(int front, int back, struct err *e) _must_check_;

#endif
