/* SPDX-License-Identifier: MIT */
/* forward_unix.h - unix sockets of a file system: who listens there; connections in another's name. */
#ifndef FORWARD_UNIX_H
#define FORWARD_UNIX_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "forward.h"

/*
 * forward_unix_type() - Who listens at the socket that the path descriptor @fd is of?
 *
 * Nobody there notices: a socket that is connected already is what asks, and the kernel looks at
 * whom it found, and of which type, before it refuses that.
 *
 * Return: SOCK_STREAM, SOCK_SEQPACKET; 0 nobody, or datagrams; -errno.
 */
int forward_unix_type(int fd) _must_check_;

/* Is anybody bound to it, listening or not, with a socket of another type than @type? */
bool forward_unix_other(int fd, int type);

/*
 * forward_unix_dial() - Connect to that socket, in the name of who is at the other end of @client.
 *
 * The one who listens sees the client's user and groups, where we have CAP_SETUID and CAP_SETGID, and our
 * process id. For a process with one thread.
 *
 * Return: a non-blocking socket; -EAGAIN, its queue is full; another -errno.
 */
int forward_unix_dial(int fd, int type, int client) _must_check_;

/* The same in our own name. */
int forward_unix_connect(int fd, int type) _must_check_;

/* A listener on the heap whose connections go to the socket of @target (taken); @fd listens, is taken. */
struct forward_listener *forward_unix_new(int fd, int target, int type);

/*
 * forward_unix_bind() - A socket bound to @path, of that user's, who also is whom clients see.
 *
 * Return: a non-blocking socket that listens; -errno.
 */
int forward_unix_bind(const char *path, int type, uid_t uid, gid_t gid) _must_check_;

/* Listen at a socket that is bound, as that user: it is whom clients see. 0; -errno. */
int forward_unix_listen(int sock, uid_t uid, gid_t gid) _must_check_;

#define FORWARD_CAP(cap) (UINT64_C(1) << (cap))
/* What it takes to do the above for others. */
#define FORWARD_UNIX_CAPS                                                                    \
	(FORWARD_CAP(CAP_SETUID) | FORWARD_CAP(CAP_SETGID) | FORWARD_CAP(CAP_DAC_OVERRIDE) | \
	 FORWARD_CAP(CAP_DAC_READ_SEARCH))

/* Of our capabilities keep those of @keep, which a change of user leaves alone; and never get more. */
int forward_drop_caps(uint64_t keep) _must_check_;

#endif
