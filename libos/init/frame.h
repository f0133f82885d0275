/* SPDX-License-Identifier: MIT */
/*
 * frame.h - messages between init, the launcher, and those who ask for a further program.
 *
 * Theory of operation
 *
 * One socket leads from the launcher to init (/dev/host/control), and one from each client to the launcher.
 * All keep the borders of messages; each message is one struct frame, cut behind its data.
 * The launcher numbers its clients' sessions, looks at each frame (frame_check()), and passes it on.
 *
 * A session begins with its request: strings "KEY=VALUE" with their NULs, in as many FRAME_REQUESTs
 * as it takes, then FRAME_START. Keys are
 *
 *	arg=WORD	of the command line; env=NAME=VALUE; cwd=PATH
 *	user=USER[:GROUP]
 *	tty=1		its streams are a terminal, whose size was said before the start
 *	show=NAME	instead of a program: what /proc/lo/NAME says, to stdout
 *
 * and ends with FRAME_END, whose value is the exit status, or with FRAME_ERROR and a sentence. Then
 * its number may be used again. A client that goes away is FRAME_END to init.
 *
 * Nothing is sent that the other end has no room for: of each stream at most FRAME_WINDOW
 * FRAME_DATAs are on their way, and FRAME_CREDIT says how many have been delivered. So init and the
 * launcher never wait for a reader of one session while others have something to say, and what they
 * hold is bounded. FRAME_DATA without data is the end of its stream.
 */
#ifndef INIT_FRAME_H
#define INIT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_SIZE        4096 /* what libos/linux/drivers/hostfd.c moves at once */
#define FRAME_HEAD        8
#define FRAME_DATA_MAX    (FRAME_SIZE - FRAME_HEAD)
#define FRAME_WINDOW      8
#define FRAME_SESSIONS    16 /* numbers are 1 to this; 0 is the program that the machine is for */
#define FRAME_REQUEST_MAX (256 << 10)

enum frame_kind {
	FRAME_SIGNAL = 1, /* to init; value: its number; stream 1: to the whole process group */
	FRAME_WINSIZE,    /* to init; value: rows << 16 | columns */
	FRAME_REQUEST,    /* to init */
	FRAME_START, /* to init; from it, of session 0: the boot is over, and signals have a receiver */
	FRAME_DATA,   /* of stdin to init, of the others from it */
	FRAME_CREDIT, /* value: frames */
	FRAME_END,    /* from init: value is the exit status */
	FRAME_ERROR,  /* from init or the launcher: a sentence */
	FRAME_INFO    /* client and launcher only: asks what runs here, and is the answer */
};

enum frame_stream {
	FRAME_STDIN,
	FRAME_STDOUT,
	FRAME_STDERR
};

struct frame {
	uint8_t kind, stream;
	uint16_t session;
	uint32_t value;
	uint8_t data[FRAME_DATA_MAX];
};

/*
 * frame_check() - Is what was received, @size bytes, a frame that init (@to_init), or a client, may get?
 *
 * Return: 0; -EPROTO.
 */
int frame_check(const struct frame *f, size_t size, bool to_init);

/* What has come of one stream and is not delivered. */
struct frame_queue {
	size_t head, n; /* slots in use, from head on */
	size_t off;     /* of the first one's data is delivered */
	bool end;       /* nothing more will come */
	uint16_t size[FRAME_WINDOW];
	uint8_t data[FRAME_WINDOW][FRAME_DATA_MAX];
};

void frame_queue_clear(struct frame_queue *q);
/* Add @size <= FRAME_DATA_MAX bytes; -EPROTO: more than the window, or behind the end. */
int frame_queue_put(struct frame_queue *q, const void *data, size_t size);
/* One write() to @fd of what is there. The number of frames that are done with, 0 or 1; -errno. */
int frame_queue_write(struct frame_queue *q, int fd);

#endif
