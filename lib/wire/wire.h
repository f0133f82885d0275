/* SPDX-License-Identifier: MIT */
/*
 * wire.h - messages between vmsh and its program in a guest.
 *
 * Theory of operation
 *
 * A channel carries messages of at most WIRE_MAX bytes, whole and in order, both ways. Each is a head of
 * WIRE_HEAD bytes and data. The host is who attaches, the guest is the program that was brought there;
 * neither believes the other: wire_parse() lets through what may come from that side, and nothing else.
 *
 *	guest			host
 *	HELLO (is there FUSE)
 *				HELLO
 *				REQUEST...	strings (request.h)
 *				START
 *				DATA of the archive, if the tools come as one
 *	READY					the command runs
 *	DATA, CREDIT, FUSE	DATA, CREDIT, FUSE, WINSIZE, SIGNAL, HANGUP
 *	NOTE					a sentence for the user
 *	EXIT or ERROR				all output was sent before
 *				END
 *
 * Of a stream at most WIRE_WINDOW bytes are on their way: who receives gives CREDIT for what it has
 * delivered (flow.h). So both sides take each message that comes at once, whatever a reader does, and
 * what they hold is bounded. DATA without data is the end of its stream. FUSE requests have places in the
 * same way, WIRE_FUSE_WINDOW of them, and CREDIT for those that were taken up. Replies have none. A message of FUSE to the
 * host is one request or several, each as long as its own head says, so that whoever answers is woken once for those that come together.
 *
 * PING comes about once a second, and is answered. A guest that hears nothing for some of these ends
 * the session; PING with stream 1 says that the host will be silent, for it is stopped, until the next PING.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "cursor.h"

#define WIRE_VERSION     1
#define WIRE_MAX         (132U << 10)
#define WIRE_HEAD        8U
#define WIRE_PAYLOAD_MAX (WIRE_MAX - WIRE_HEAD)
#define WIRE_DATA_MAX    (64U << 10) /* of a stream, in one message */
#define WIRE_WINDOW      (256U << 10)
#define WIRE_FUSE_WINDOW 32U          /* requests */
#define WIRE_FUSE_WRITE  (128U << 10) /* the largest write or read of a file */
#define WIRE_FUSE_AHEAD \
	(1024U          \
	 << 10) /* of a file that is read in a row, at once: requests that do not wait for each other */
#define WIRE_SENTENCE_MAX 512U
#define WIRE_BEAT_MS      1000
#define WIRE_BEATS        10 /* missed, and the session is over */

enum wire_kind {
	WIRE_HELLO = 1, /* value: WIRE_VERSION; stream: WIRE_HAS_..., of the guest */
	WIRE_REQUEST,
	WIRE_START,
	WIRE_READY,
	WIRE_DATA,
	WIRE_CREDIT,  /* value: bytes, or requests of FUSE */
	WIRE_WINSIZE, /* four le16: rows, columns, and both in pixels */
	WIRE_SIGNAL,  /* value: its number; stream 1: to the process group */
	WIRE_HANGUP,  /* the terminal is gone */
	WIRE_EXIT,    /* value: exit status */
	WIRE_ERROR,   /* value: exit status for that; a sentence */
	WIRE_NOTE,    /* a sentence, or some */
	WIRE_FUSE,
	WIRE_PING,
	WIRE_PONG,
	WIRE_END,
	WIRE_KINDS
};

#define WIRE_HAS_FUSE 1 /* of HELLO: bits */
#define WIRE_HAS_TYPE \
	2             /* without FUSE: the file system that stage 2 was started with the name of */
#define WIRE_SILENT 1 /* of PING */
#define WIRE_GROUP  1 /* of SIGNAL */

enum wire_stream {
	WIRE_STDIN,
	WIRE_STDOUT,
	WIRE_STDERR,
	WIRE_TERMINAL, /* keys to the guest, and what the terminal shows to the host */
	WIRE_ARCHIVE,
	WIRE_STREAMS,
	WIRE_REQUESTS = WIRE_STREAMS /* CREDIT alone: requests of FUSE to the host */
};

enum wire_side {
	WIRE_TO_GUEST,
	WIRE_TO_HOST
};

struct wire_msg {
	enum wire_kind kind;
	unsigned int stream;
	uint32_t value;
	const uint8_t *data; /* borrowed from the message */
	size_t size;
};

struct wire_size {
	uint16_t rows, cols, xpixel, ypixel;
};

/*
 * wire_parse() - Take a message that came to the side @to apart.
 *
 * Return: 0; -EPROTO, and *@ret is untouched.
 */
int wire_parse(const void *buf, size_t size, enum wire_side to, struct wire_msg *ret) _must_check_;

/*
 * wire_fuse_next() - The next request of a message of FUSE to the host, from *@off on, which begins as 0.
 *
 * Return: 1, and *@ret is its bytes, borrowed; 0 there is none left; -EPROTO.
 */
int wire_fuse_next(const struct wire_msg *m, size_t *off, struct span *ret) _must_check_;

/* Write the head of a message to @buf; its data follow it. */
void wire_head(uint8_t buf[WIRE_HEAD], enum wire_kind kind, unsigned int stream, uint32_t value);

/* Of WIRE_WINSIZE, which is as long as that. */
#define WIRE_WINSIZE_DATA 8U
void wire_put_size(uint8_t buf[WIRE_WINSIZE_DATA], const struct wire_size *size);
struct wire_size wire_get_size(const struct wire_msg *m);

#endif
