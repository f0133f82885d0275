/* SPDX-License-Identifier: MIT */
/*
 * attach_out.h - what the session has to say to the guest, without ever waiting. Private to lib/attach.
 *
 * What finds no room stays in a list, in order. It is as long as windows and the guest's patience allow:
 * who takes nothing for some beats is gone.
 */
#ifndef ATTACH_OUT_H
#define ATTACH_OUT_H

#include <stdbool.h>

#include "attach_link.h"

struct attach_waiting;

struct attach_out {
	struct attach_link *link;
	struct attach_waiting *first, **end;
	size_t bytes; /* that wait */
	size_t sent;  /* messages that waited, so far */
	int failed;   /* -errno: the first failure; nothing is said after it */
};

void attach_out_init(struct attach_out *o, struct attach_link *l);
void attach_out_fini(struct attach_out *o);

void attach_out_say(struct attach_out *o, enum wire_kind kind, unsigned int stream, uint32_t value);
void attach_out_send(struct attach_out *o, enum wire_kind kind, unsigned int stream,
		     const void *data, size_t size);
/* Send what can be. Return: something still waits. */
bool attach_out_flush(struct attach_out *o);

#endif
