/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <string.h>

#include "abi/fuse.h"
#include "cursor.h"
#include "le.h"

#define SIGNAL_MAX 64 /* _NSIG of Linux, but not of every C library */
#define STATUS_MAX 255

struct head {
	uint8_t kind, stream;
	le16 zero;
	le32 value;
};
_Static_assert(sizeof(struct head) == WIRE_HEAD, "a head is as long as it is said to be");

/* What a kind may be: who gets it, and how much data it has. */
static const struct rule {
	bool to_guest, to_host;
	unsigned int streams; /* 0 to this are allowed */
	size_t least, most;
	uint32_t value_least, value_most;
} rules[WIRE_KINDS] = {
	[WIRE_HELLO] = { true, true, WIRE_HAS_FUSE | WIRE_HAS_TYPE, 0, 0, 1, UINT32_MAX },
	[WIRE_REQUEST] = { true, false, 0, 1, WIRE_DATA_MAX, 0, 0 },
	[WIRE_START] = { .to_guest = true },
	[WIRE_READY] = { .to_host = true },
	[WIRE_DATA] = { true, true, WIRE_STREAMS - 1, 0, WIRE_DATA_MAX, 0, 0 },
	[WIRE_CREDIT] = { true, true, WIRE_REQUESTS, 0, 0, 1, WIRE_WINDOW },
	[WIRE_WINSIZE] = { true, false, 0, WIRE_WINSIZE_DATA, WIRE_WINSIZE_DATA, 0, 0 },
	[WIRE_SIGNAL] = { true, false, WIRE_GROUP, 0, 0, 1, SIGNAL_MAX },
	[WIRE_HANGUP] = { .to_guest = true, .streams = WIRE_TERMINAL },
	[WIRE_EXIT] = { false, true, 0, 0, 0, 0, STATUS_MAX },
	[WIRE_ERROR] = { false, true, 0, 1, WIRE_SENTENCE_MAX, 1, STATUS_MAX },
	[WIRE_NOTE] = { false, true, 0, 1, WIRE_SENTENCE_MAX, 0, 0 },
	[WIRE_FUSE] = { true, true, 0, 16, WIRE_PAYLOAD_MAX, 0, 0 },
	[WIRE_PING] = { true, false, WIRE_SILENT, 0, 0, 0, UINT32_MAX },
	[WIRE_PONG] = { false, true, 0, 0, 0, 0, UINT32_MAX },
	[WIRE_END] = { .to_guest = true },
};

/* Which way a stream's data go. */
static bool flows(unsigned int stream, enum wire_side to)
{
	switch (stream) {
	case WIRE_STDIN:
	case WIRE_ARCHIVE:
		return to == WIRE_TO_GUEST;
	case WIRE_STDOUT:
	case WIRE_STDERR:
	case WIRE_REQUESTS:
		return to == WIRE_TO_HOST;
	default:
		return stream == WIRE_TERMINAL;
	}
}

static bool is_stream_right(const struct wire_msg *m, enum wire_side to)
{
	enum wire_side other = to == WIRE_TO_HOST ? WIRE_TO_GUEST : WIRE_TO_HOST;

	if (m->kind == WIRE_DATA)
		return flows(m->stream, to);
	if (m->kind == WIRE_CREDIT)
		return flows(m->stream, other) &&
		       (m->stream != WIRE_REQUESTS || m->value <= WIRE_FUSE_WINDOW);
	return m->kind != WIRE_HANGUP || flows(m->stream, other);
}

int wire_parse(const void *buf, size_t size, enum wire_side to, struct wire_msg *ret)
{
	const struct rule *rule;
	struct wire_msg m;
	struct head h;

	if (size < WIRE_HEAD || size > WIRE_MAX)
		return -EPROTO;
	memcpy(&h, buf, sizeof(h));
	m = (struct wire_msg){ h.kind, h.stream, le32_get(h.value),
			       (const uint8_t *)buf + WIRE_HEAD, size - WIRE_HEAD };
	if (!h.kind || h.kind >= WIRE_KINDS || le16_get(h.zero))
		return -EPROTO;
	rule = &rules[h.kind];
	if (!(to == WIRE_TO_GUEST ? rule->to_guest : rule->to_host) || m.stream > rule->streams ||
	    m.size < rule->least || m.size > rule->most || m.value < rule->value_least ||
	    m.value > rule->value_most || !is_stream_right(&m, to))
		return -EPROTO;
	*ret = m;
	return 0;
}

int wire_fuse_next(const struct wire_msg *m, size_t *off, struct span *ret)
{
	const size_t left = m->size - *off;
	struct fuse_in_header h;

	if (!left)
		return 0;
	if (left < sizeof(h))
		return -EPROTO;
	memcpy(&h, m->data + *off, sizeof(h));
	if (h.len < sizeof(h) || h.len > left)
		return -EPROTO;
	*ret = (struct span){ (const char *)m->data + *off, h.len };
	*off += h.len;
	return 1;
}

void wire_head(uint8_t buf[WIRE_HEAD], enum wire_kind kind, unsigned int stream, uint32_t value)
{
	struct head h = { .kind = (uint8_t)kind,
			  .stream = (uint8_t)stream,
			  .value = le32_of(value) };

	memcpy(buf, &h, sizeof(h));
}

void wire_put_size(uint8_t buf[WIRE_WINSIZE_DATA], const struct wire_size *size)
{
	const le16 v[4] = { le16_of(size->rows), le16_of(size->cols), le16_of(size->xpixel),
			    le16_of(size->ypixel) };

	memcpy(buf, v, sizeof(v));
}

struct wire_size wire_get_size(const struct wire_msg *m)
{
	struct cursor c = cur_of(m->data, m->size);
	uint16_t rows = cur_le16(&c), cols = cur_le16(&c), x = cur_le16(&c);

	return (struct wire_size){ rows, cols, x, cur_le16(&c) };
}
