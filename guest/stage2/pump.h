/* SPDX-License-Identifier: MIT */
/*
 * pump.h - carries between the channel and the session: requests of FUSE, streams, signals.
 *
 * Theory of operation
 *
 * One loop, one thread, which touches no file of the view, for it brings them. A request of FUSE is read
 * from the device and sent while there is a place for it; many are under way. What comes for a program
 * that does not read waits in the stream's window. So a message of the host is always taken at once.
 *
 * The session ends with the command, or when the host ends it, is gone or silent for too long, or breaks
 * the protocol. Then the device is closed, which wakes all who wait for it, the terminal too,
 * which hangs up; and inside_run() ends what is left.
 */
#ifndef STAGE2_PUMP_H
#define STAGE2_PUMP_H

#include "link.h"
#include "request.h"

struct pump_conf {
	struct link *link;
	const struct wire_request *req;
	int fuse;         /* the device, or -1 */
	int sock;         /* to inside_run() */
	int notes;        /* its sentences */
	int in, out, err; /* pipes of the command that are no terminal, or -1; not blocking */
};

/* Until the session is over; all descriptors are closed then. Return: 0; -errno, why before its time. */
int pump_run(const struct pump_conf *conf) _must_check_;

#endif
