/* SPDX-License-Identifier: MIT */
/* What vmsh and its program in a guest say to each other: what is let through keeps the promises of wire.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpio.h"
#include "flow.h"
#include "request.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sink {
	uint32_t left; /* of the entry's data */
	bool in;
};

static int entry(void *arg, const struct cpio_entry *en)
{
	struct sink *s = arg;

	if (s->in || en->name[0] == '/' || strlen(en->name) >= PATH_MAX)
		abort();
	for (const char *p = en->name; (p = strstr(p, "..")); p++)
		if ((p == en->name || p[-1] == '/') && (!p[2] || p[2] == '/'))
			abort();
	*s = (struct sink){ en->size, true };
	return 0;
}

static int content(void *arg, const void *data, size_t size)
{
	struct sink *s = arg;

	if (!data || !s->in || size > s->left)
		abort();
	s->left -= (uint32_t)size;
	return 0;
}

static int done(void *arg)
{
	struct sink *s = arg;

	if (!s->in || s->left)
		abort();
	s->in = false;
	return 0;
}

static void archive(const uint8_t *data, size_t size)
{
	static const struct cpio_sink sink = { entry, content, done };
	struct sink s = { 0 };
	static struct cpio c;

	cpio_init(&c, &sink, &s);
	while (size > 1) {
		size_t n = data[0] < size - 1 ? data[0] : size - 1;

		if (cpio_feed(&c, data + 1, n) < 0)
			return;
		data += n + 1;
		size -= n + 1;
	}
}

static void request(const uint8_t *data, size_t size)
{
	struct wire_text t = { 0 };
	struct wire_request r = { 0 };

	if (wire_text_add(&t, data, size) == 0 && wire_request_parse(&t, &r) == 0 &&
	    (!r.argc || !r.argv[0] || r.argv[r.argc] || r.env[r.nenv] || r.pid < 1 || r.tty > 7))
		abort();
	wire_request_fini(&r);
	wire_text_fini(&t);
}

static void requests_of_fuse(const struct wire_msg *m)
{
	size_t off = 0, sum = 0;
	struct span one;
	int r;

	while ((r = wire_fuse_next(m, &off, &one)) > 0) {
		if (one.p != (const char *)m->data + sum || !one.len || one.len > m->size - sum)
			abort();
		sum += one.len;
	}
	if (!r && sum != m->size)
		abort();
}

static void take(const struct wire_msg *m, enum wire_side to, struct wire_rx *rx,
		 struct wire_tx *tx)
{
	uint32_t before = tx->credit;

	if (m->kind == WIRE_DATA && (m->stream >= WIRE_STREAMS || m->size > WIRE_DATA_MAX ||
				     (to == WIRE_TO_HOST && !m->stream)))
		abort();
	if (m->kind == WIRE_DATA)
		(void)!wire_rx_put(rx, m->data, m->size);
	if (m->kind == WIRE_CREDIT && wire_tx_credit(tx, m->value) == 0 && tx->credit < before)
		abort();
	if (tx->credit > tx->window || rx->ring.len + rx->owed > WIRE_WINDOW)
		abort();
	if (m->kind == WIRE_WINSIZE)
		(void)wire_get_size(m);
	if (m->kind == WIRE_FUSE)
		requests_of_fuse(m);
	if (m->kind == WIRE_PING && rx->ring.len)
		wire_rx_drop(rx);
	wire_tx_sent(tx, tx->credit / 2);
	(void)wire_rx_credit(rx);
}

/* A byte for the side, two for the length, and a message. */
static void messages(const uint8_t *data, size_t size)
{
	struct wire_tx tx = wire_tx_of(WIRE_WINDOW);
	struct wire_rx rx;

	if (wire_rx_init(&rx) < 0)
		return;
	while (size > 3) {
		enum wire_side to = data[0] & 1 ? WIRE_TO_HOST : WIRE_TO_GUEST;
		size_t n = (size_t)data[1] | (size_t)data[2] << 8;
		struct wire_msg m;

		data += 3;
		size -= 3;
		n = n < size ? n : size;
		if (wire_parse(data, n, to, &m) == 0)
			take(&m, to, &rx, &tx);
		data += n;
		size -= n;
	}
	wire_rx_fini(&rx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 'r':
		request(data + 1, size - 1);
		break;
	case 'a':
		archive(data + 1, size - 1);
		break;
	default:
		messages(data + 1, size - 1);
	}
	return 0;
}
