/* SPDX-License-Identifier: MIT */
/*
 * link.h - the guest's end of the channel (lib/wire/wire.h).
 *
 * A read() of the descriptor is one message of the host, 0 its end; a write() sends one. It can be
 * polled: readable with a message or at the end, writable if there is room for the largest message.
 * Sending waits for room: the host takes what comes at once, and who does not is gone.
 */
#ifndef STAGE2_LINK_H
#define STAGE2_LINK_H

#include <stdbool.h>

#include "abi/fuse.h"
#include "wire.h"

#define LINK_PAGE  4096U
#define LINK_IN_AT (LINK_PAGE - WIRE_HEAD - (unsigned int)sizeof(struct fuse_out_header))

struct link {
	int fd;
	bool silent; /* the host said that it is: it is waited for without end */
	uint8_t out[WIRE_MAX];
	/* the data of a file, behind two heads, begin on a page: the kernel copies each page of them in one piece */
	_Alignas(LINK_PAGE) uint8_t in[LINK_IN_AT + WIRE_MAX];
};

/* Return: 1 and *@ret, valid until the next; 0 the host is gone; -EAGAIN; -EPROTO; another -errno. */
int link_read(struct link *l, struct wire_msg *ret) _must_check_;
/* The same, and waits for it for as long as a host may be silent. -ETIMEDOUT. */
int link_wait(struct link *l, struct wire_msg *ret) _must_check_;

/* Where the data of the next message may be put: WIRE_PAYLOAD_MAX bytes, for link_send_room(). */
static inline uint8_t *link_room(struct link *l)
{
	return l->out + WIRE_HEAD;
}

/* Return: 0; -ETIMEDOUT, nobody reads; another -errno, the host is gone. */
int link_send_room(struct link *l, enum wire_kind kind, unsigned int stream, size_t size)
	_must_check_;
/* A message without data. */
int link_tell(struct link *l, enum wire_kind kind, unsigned int stream, uint32_t value)
	_must_check_;
/* WIRE_NOTE, or WIRE_ERROR with the exit status @value; cut to what a sentence may be. */
int link_say(struct link *l, enum wire_kind kind, uint32_t value, const char *text, size_t len)
	_must_check_;

#endif
