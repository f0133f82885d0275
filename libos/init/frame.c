/* SPDX-License-Identifier: MIT */
/* frame.c - the messages' form, and what waits for a slow reader. */
#include "frame.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct frame) == FRAME_SIZE, "a frame is a message");

static bool fits(const struct frame *f, size_t data, bool to_init)
{
	switch (f->kind) {
	case FRAME_SIGNAL:
		return to_init && !data && f->value && f->value < NSIG && f->stream <= 1;
	case FRAME_WINSIZE:
		return to_init && !data;
	case FRAME_START:
		return (to_init || !f->session) && !data;
	case FRAME_REQUEST:
		return to_init && data;
	case FRAME_DATA:
		return to_init == (f->stream == FRAME_STDIN) && f->stream <= FRAME_STDERR;
	case FRAME_CREDIT:
		return to_init == (f->stream != FRAME_STDIN) && f->stream <= FRAME_STDERR &&
		       !data && f->value && f->value <= FRAME_WINDOW;
	case FRAME_END:
		return !data && f->value <= 255;
	case FRAME_ERROR:
		return !to_init;
	default:
		return false; /* FRAME_INFO is between others */
	}
}

int frame_check(const struct frame *f, size_t size, bool to_init)
{
	if (size < FRAME_HEAD || size > FRAME_SIZE || f->session > FRAME_SESSIONS)
		return -EPROTO;
	return fits(f, size - FRAME_HEAD, to_init) ? 0 : -EPROTO;
}

void frame_queue_clear(struct frame_queue *q)
{
	q->head = q->n = q->off = 0;
	q->end = false;
}

int frame_queue_put(struct frame_queue *q, const void *data, size_t size)
{
	size_t slot;

	if (q->n >= FRAME_WINDOW || q->end || size > FRAME_DATA_MAX)
		return -EPROTO;
	if (!size) {
		q->end = true;
		return 0;
	}
	slot = (q->head + q->n++) % FRAME_WINDOW;
	q->size[slot] = (uint16_t)size;
	memcpy(q->data[slot], data, size);
	return 0;
}

int frame_queue_write(struct frame_queue *q, int fd)
{
	ssize_t n;

	if (!q->n)
		return 0;
	n = write(fd, q->data[q->head] + q->off, q->size[q->head] - q->off);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	q->off += (size_t)n;
	if (q->off < q->size[q->head])
		return 0;
	q->head = (q->head + 1) % FRAME_WINDOW;
	q->off = 0;
	q->n--;
	return 1;
}
