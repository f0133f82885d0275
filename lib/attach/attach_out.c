/* SPDX-License-Identifier: MIT */
#include "attach_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct attach_waiting {
	struct attach_waiting *next;
	size_t size;
	uint8_t msg[];
};

void attach_out_init(struct attach_out *o, struct attach_link *l)
{
	*o = (struct attach_out){ .link = l };
	o->end = &o->first;
}

static void drop_first(struct attach_out *o)
{
	struct attach_waiting *w = o->first;

	o->bytes -= w->size;
	o->first = w->next;
	if (!o->first)
		o->end = &o->first;
	free(w);
}

void attach_out_fini(struct attach_out *o)
{
	while (o->first)
		drop_first(o);
}

static void keep(struct attach_out *o, const struct iovec iov[2])
{
	size_t size = iov[0].iov_len + iov[1].iov_len;
	struct attach_waiting *w = malloc(sizeof(*w) + size);

	if (!w) {
		o->failed = -ENOMEM;
		return;
	}
	*w = (struct attach_waiting){ .size = size };
	memcpy(w->msg, iov[0].iov_base, iov[0].iov_len);
	if (iov[1].iov_len)
		memcpy(w->msg + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	*o->end = w;
	o->end = &w->next;
	o->bytes += size;
}

static void put(struct attach_out *o, const struct iovec iov[2])
{
	int r = o->first ? -EAGAIN : attach_link_try(o->link, iov, iov[1].iov_len ? 2 : 1);

	if (o->failed)
		return;
	if (r == -EAGAIN)
		keep(o, iov);
	else if (r < 0)
		o->failed = r;
}

void attach_out_say(struct attach_out *o, enum wire_kind kind, unsigned int stream, uint32_t value)
{
	uint8_t head[WIRE_HEAD];
	const struct iovec iov[2] = { { head, sizeof(head) }, { NULL, 0 } };

	wire_head(head, kind, stream, value);
	put(o, iov);
}

void attach_out_send(struct attach_out *o, enum wire_kind kind, unsigned int stream,
		     const void *data, size_t size)
{
	uint8_t head[WIRE_HEAD];
	const struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)data, size } };

	wire_head(head, kind, stream, 0);
	put(o, iov);
}

bool attach_out_flush(struct attach_out *o)
{
	while (o->first && !o->failed) {
		const struct iovec iov = { o->first->msg, o->first->size };
		int r = attach_link_try(o->link, &iov, 1);

		if (r == -EAGAIN)
			return true;
		if (r < 0)
			o->failed = r;
		o->sent++;
		drop_first(o);
	}
	return false;
}
