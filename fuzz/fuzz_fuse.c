/* SPDX-License-Identifier: MIT */
/*
 * The input is a peer: messages, each behind two bytes that say how long it is. The first is a proper
 * FUSE_INIT, unless the input begins with 0; its flags are the input's. Headers' lengths are put right
 * where the input's first byte is odd, for most of what a fuzzer makes would end there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuse_session.h"

#define MESSAGE 4096

static volatile uint8_t sink;

static void touch(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		sink = b[i];
}

/* Reads all that a request has; answers with as much as it wants. */
static int answer(void *fs, struct fuse_call *c)
{
	const struct fuse_req *req = c->req;
	struct fuse_out_name n = { 1, 2, 3, { "name", 4 } };
	struct fuse_entry_out entry = { 0 };

	(void)fs;
	touch(&req->in, sizeof(req->in));
	for (size_t i = 0; i < 2; i++)
		touch(req->name[i], req->name[i] ? strlen(req->name[i]) + 1 : 0);
	touch(req->data.p, req->data.len);
	while (fuse_out_fits(&c->out, &n, req->h.nodeid & 1, req->in.read.size & 0xffff))
		fuse_out_entry(&c->out, &n, req->h.nodeid & 1 ? &entry : NULL);
	return req->h.uid & 1 ? -(int)(req->h.uid & 0xffff) : 0;
}

static void forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	(void)fs;
	(void)nodeid;
	(void)nlookup;
}

static int send_nowhere(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct fuse_out_header h;
	size_t size = 0;

	(void)c;
	for (int i = 0; i < n; i++) {
		touch(iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	memcpy(&h, iov[0].iov_base, sizeof(h));
	/* What the kernel would refuse. */
	if (h.len != size || h.error > 0 || h.error < -511)
		abort();
	return 0;
}

static const struct fuse_transport nowhere = { .send = send_nowhere };

static void handle(struct fuse_session *s, const uint8_t *data, size_t size)
{
	static uint8_t *buf;
	struct fuse_chan chan = { &nowhere };
	/* Of exactly its size, so that a sanitizer sees a step beyond. */
	uint8_t *msg = malloc(size ? size : 1);
	struct fuse_out out = { .room = FUSE_OUT_MIN };

	if (!buf)
		buf = aligned_alloc(4096, FUSE_OUT_MIN);
	if (!buf || !msg)
		abort();
	out.buf = buf;
	if (size)
		memcpy(msg, data, size);
	if (fuse_session_handle(s, &chan, 0, msg, size, &out) < 0)
		abort();
	free(msg);
}

static void start(struct fuse_session *s, const uint8_t *data, size_t size)
{
	struct {
		struct fuse_in_header h;
		struct fuse_init_in in;
	} m = { .h = { .len = sizeof(m), .opcode = FUSE_INIT, .unique = 2 },
		.in = { .major = 7, .minor = FUSE_MINOR } };

	memcpy(&m.in.flags, data, size < 8 ? size : 8);
	handle(s, (const uint8_t *)&m, sizeof(m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuse_session session;
	static struct fuse_fs fs;
	const struct fuse_conf conf = { .flags = ~UINT64_C(0), .max_write = 65536 };
	bool mend = size && data[0] & 1;

	for (size_t i = 0; i < FUSE_OPCODES; i++)
		fs.op[i] = answer;
	fs.forget = forget;
	fuse_session_init(&session, &fs, NULL, &conf);
	if (size && data[0])
		start(&session, data, size);
	for (data++, size -= !!size; size > 2;) {
		size_t len = (data[0] | data[1] << 8) % MESSAGE;
		uint8_t msg[MESSAGE];
		uint32_t fixed;

		data += 2;
		size -= 2;
		len = len && len < size ? len : size < MESSAGE ? size : MESSAGE - 1;
		memcpy(msg, data, len);
		fixed = (uint32_t)len;
		if (mend && len >= sizeof(fixed))
			memcpy(msg, &fixed, sizeof(fixed));
		handle(&session, msg, len);
		data += len;
		size -= len;
	}
	fuse_session_end(&session);
	return 0;
}
