/* SPDX-License-Identifier: MIT */
/* attach_private.h - a session on the host's side, between attach.c and attach_term.c. */
#ifndef ATTACH_PRIVATE_H
#define ATTACH_PRIVATE_H

#include <stdbool.h>

#include "attach.h"
#include "attach_files.h"
#include "attach_link.h"
#include "attach_out.h"
#include "attach_tree.h"
#include "flow.h"
#include "loop.h"
#include "request.h"

/* What goes to the guest. */
struct attach_in {
	struct loop_src src;
	struct wire_tx tx;
	unsigned int stream;
	bool tty;  /* only the foreground reads it */
	bool idle; /* not ours now */
};

/* What comes from it. */
struct attach_sink {
	struct loop_src src; /* fd -1: there is none */
	unsigned int stream;
	bool shared; /* its file description is not ours alone */
	bool broken, ended;
	size_t off, len; /* of @buf, which is to be written */
	uint8_t buf[WIRE_DATA_MAX];
};

enum {
	ATTACH_KEYS,
	ATTACH_INPUT,
	ATTACH_INS
};

#define ATTACH_SINKS 3 /* stdout, stderr, terminal */

struct attach_term {
	struct attach_link *link;
	struct attach_out *out;
	struct loop loop;
	struct loop_signals signals;
	struct loop_timer retry; /* is the keyboard ours now? */
	struct attach_in in[ATTACH_INS];
	struct attach_sink sink[ATTACH_SINKS];
	unsigned int slaves; /* bits of 0, 1, 2 that are the terminal in the guest */
	int size_fd;         /* has the size, or -1 */
	bool caught;         /* signals are ours */
	bool started;        /* there is somebody to read what is typed */
	unsigned int asked;  /* how often to end */
	int failed;
};

/* Which of our streams will be a terminal in the guest. Changes nothing. */
void attach_term_choose(struct attach_term *t, enum pty_mode mode);
/* Adds to the request what the terminal is like. */
int attach_term_request(const struct attach_term *t, struct wire_text *text) _must_check_;
int attach_term_init(struct attach_term *t, struct attach_link *l, struct attach_out *out)
	_must_check_;
/* Begin to read, in raw mode. */
int attach_term_start(struct attach_term *t) _must_check_;
/* The inbox may have something for us. @credit: by stream, taken out of it. -EPROTO. */
int attach_term_look(struct attach_term *t, const uint32_t credit[WIRE_STREAMS]) _must_check_;
/* All that came is delivered. */
bool attach_term_done(const struct attach_term *t);
/* The terminal, and signals, are as they were; the loop is gone. */
void attach_term_fini(struct attach_term *t);

#endif
