/* SPDX-License-Identifier: MIT */
/* test_vhost.c - vhost-user: what is refused, at either end, and with which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io.h"
#include "vu_back.h"
#include "vu_front.h"
#include "vu_relay.h"
#include "vu_sock.h"

#define MEMORY 0x10000u
#define GPA    0x1000000u
#define USER   0x7000000u

/* A back end whose device does nothing. */
struct rig {
	int sock, memfd, eventfd; /* the front end's */
	struct vu_device dev;
	struct vu_back back;
};

static int no_config(void *arg, uint32_t off, uint8_t *ret_data, uint32_t len)
{
	(void)arg;
	memset(ret_data, 7, len);
	return off ? -EINVAL : 0;
}

static int no_set(void *arg, uint32_t off, const uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)data;
	return off || len > 4 ? -EPERM : 0;
}

static int no_take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	(void)queue;
	(void)arg;
	return vq_dev_waiting(vq) ? -EPROTO : 0;
}

static unsigned int no_reap(void *arg, bool wait)
{
	(void)arg;
	(void)wait;
	return 0;
}

static void no_features(void *arg, uint64_t features)
{
	(void)arg;
	(void)features;
}

static void start(struct rig *r)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r->dev = (struct vu_device){ .features = 0x40,
				     .nqueues = 2,
				     .config_get = no_config,
				     .config_set = no_set,
				     .take = no_take,
				     .reap = no_reap,
				     .negotiated = no_features,
				     .fd = -1 };
	r->sock = pair[0];
	vu_back_init(&r->back, &r->dev, pair[1]);
}

static void stop(struct rig *r)
{
	vu_back_fini(&r->back);
	(void)close(r->sock);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->memfd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(r->memfd, MEMORY), 0);
	r->eventfd = eventfd(0, EFD_CLOEXEC);
	start(r);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	stop(r);
	(void)close(r->memfd);
	(void)close(r->eventfd);
	free(r);
	return 0;
}

enum which {
	NONE,
	MEM,
	EVENT,
	TWO
};

struct step {
	uint32_t request, flags, size;
	union vu_payload p;
	enum which fd;
};

static int send_step(struct rig *r, const struct step *s, struct err *e)
{
	uint8_t wire[sizeof(struct vu_header) + sizeof(union vu_payload)];
	struct vu_header h = { s->request, s->flags ? s->flags : 1, s->size };
	int fds[2] = { s->fd == EVENT ? r->eventfd : r->memfd, r->memfd };
	size_t size = s->size < sizeof(s->p) ? s->size : sizeof(s->p);

	memcpy(wire, &h, sizeof(h));
	memcpy(wire + sizeof(h), &s->p, size);
	assert_int_equal(io_send_fds(r->sock, wire, sizeof(h) + size, fds,
				     s->fd == NONE  ? 0
				     : s->fd == TWO ? 2
						    : 1),
			 0);
	return vu_back_handle(&r->back, e);
}

#define HEADER(req, fl, sz)                                   \
	{                                                     \
		.request = (req), .flags = (fl), .size = (sz) \
	}
#define NUM(req, v)                                       \
	{                                                 \
		.request = (req), .size = 8, .p.u64 = (v) \
	}
#define STATE(req, i, n)                                            \
	{                                                           \
		.request = (req), .size = 8, .p.state = {(i), (n) } \
	}
#define FD(req, v, which)                                                \
	{                                                                \
		.request = (req), .size = 8, .p.u64 = (v), .fd = (which) \
	}
#define TABLE(g, sz, u, o)                                                                   \
	{                                                                                    \
		.request = VU_SET_MEM_TABLE, .size = 40,                                     \
		.p.mem = { .nregions = 1, .region = { { (g), (sz), (u), (o) } } }, .fd = MEM \
	}
#define ADDR(i, d, u, a, fl)                                          \
	{                                                             \
		.request = VU_SET_VRING_ADDR, .size = 40, .p.addr = { \
			.index = (i),                                 \
			.flags = (fl),                                \
			.desc = (d),                                  \
			.used = (u),                                  \
			.avail = (a)                                  \
		}                                                     \
	}
#define CONFIG(req, o, n, sz)                                                     \
	{                                                                         \
		.request = (req), .size = (sz), .p.config = {(o), (n), 0, { 0 } } \
	}

#define GOOD_TABLE TABLE(GPA, MEMORY, USER, 0)
#define GOOD_ADDR  ADDR(0, USER, USER + 0x2000, USER + 0x1000, 0)

/* The last step of each row is refused, with these words; those before it are not. */
static const struct {
	const char *words;
	struct step step[7];
} hostile_front[] = {
	{ "not of version 1", { HEADER(VU_SET_OWNER, 2, 0) } },
	{ "no such request", { HEADER(99, 1, 0) } },
	{ "no such request", { HEADER(UINT32_MAX, 1, 0) } },
	{ "no such request", { HEADER(6, 1, 16) } },
	{ "does not reply", { HEADER(VU_SET_OWNER, 5, 0) } },
	{ "too long", { HEADER(VU_SET_OWNER, 1, 8) } },
	{ "too short", { HEADER(VU_SET_FEATURES, 1, 4) } },
	{ "too long", { HEADER(VU_SET_MEM_TABLE, 1, UINT32_MAX) } },
	{ "not offered: 0x80", { NUM(VU_SET_FEATURES, 0xc0) } },
	{ "not offered: 0x2", { NUM(VU_SET_PROTOCOL_FEATURES, 3) } },
	{ "too many descriptors", { FD(VU_SET_FEATURES, 0, MEM) } },
	{ "contradict", { { VU_SET_MEM_TABLE, 0, 40, { .mem = { .nregions = 2 } }, MEM } } },
	{ "contradict", { { VU_SET_MEM_TABLE, 0, 8, { .mem = { .nregions = 0 } }, NONE } } },
	{ "contradict",
	  { { VU_SET_MEM_TABLE, 0, 40, { .mem = { .nregions = 0x8000001 } }, MEM } } },
	{ "one descriptor for each",
	  { { VU_SET_MEM_TABLE, 0, 40, { .mem = { .nregions = 1 } }, TWO } } },
	{ "one descriptor for each",
	  { { VU_SET_MEM_TABLE, 0, 40, { .mem = { .nregions = 1 } }, NONE } } },
	{ "empty or wraps", { TABLE(GPA, 0, USER, 0) } },
	{ "empty or wraps", { TABLE(UINT64_MAX, 2, USER, 0) } },
	{ "empty or wraps", { TABLE(GPA, 2, UINT64_MAX, 0) } },
	{ "empty or wraps", { TABLE(GPA, 2, USER, UINT64_MAX) } },
	{ "empty or wraps", { TABLE(GPA, 2, USER, INT64_MAX) } },
	{ "within its file", { TABLE(GPA, MEMORY + 1, USER, 0) } },
	{ "within its file", { TABLE(GPA, MEMORY, USER, 1) } },
	{ "within its file",
	  { { VU_SET_MEM_TABLE,
	      0,
	      40,
	      { .mem = { .nregions = 1, .region = { { GPA, 8, USER, 0 } } } },
	      EVENT } } },
	{ "overlap",
	  { GOOD_TABLE,
	    { VU_ADD_MEM_REG, 0, 40, { .reg.region = { GPA + MEMORY - 1, 1, 0, 0 } }, MEM } } },
	{ "overlap",
	  { GOOD_TABLE, { VU_ADD_MEM_REG, 0, 40, { .reg.region = { 0, 9, USER - 8, 0 } }, MEM } } },
	{ "no descriptor", { { VU_ADD_MEM_REG, 0, 40, { .reg.region = { 0, 9, 0, 0 } }, NONE } } },
	{ "no such memory region",
	  { GOOD_TABLE, { VU_REM_MEM_REG, 0, 40, { .reg.region = { GPA, 9, USER, 0 } }, NONE } } },
	{ "there is no queue 2", { STATE(VU_SET_VRING_NUM, 2, 8) } },
	{ "there is no queue 4294967295", { STATE(VU_GET_VRING_BASE, UINT32_MAX, 8) } },
	{ "there is no queue 255", { FD(VU_SET_VRING_KICK, 255, EVENT) } },
	{ "there is no queue 9", { ADDR(9, 0, 0, 0, 0) } },
	{ "cannot have 0", { STATE(VU_SET_VRING_NUM, 0, 0) } },
	{ "cannot have 7", { STATE(VU_SET_VRING_NUM, 0, 7) } },
	{ "cannot have 65544", { STATE(VU_SET_VRING_NUM, 0, 0x10008) } },
	{ "cannot continue at 65536", { STATE(VU_SET_VRING_BASE, 0, 0x10000) } },
	{ "logged", { ADDR(0, 0, 0, 0, 1) } },
	{ "unknown bits", { FD(VU_SET_VRING_CALL, 0x200, EVENT) } },
	{ "number of descriptors", { FD(VU_SET_VRING_CALL, 0x100, EVENT) } },
	{ "number of descriptors", { FD(VU_SET_VRING_CALL, 0, NONE) } },
	{ "cannot be enabled", { STATE(VU_SET_VRING_ENABLE, 0, 1) } },
	{ "without size or address",
	  { NUM(VU_SET_FEATURES, 0x40), FD(VU_SET_VRING_KICK, 0, EVENT) } },
	{ "without size or address",
	  { NUM(VU_SET_FEATURES, 0x40), GOOD_ADDR, FD(VU_SET_VRING_KICK, 0, EVENT) } },
	{ "not in shared memory",
	  { NUM(VU_SET_FEATURES, 0x40), STATE(VU_SET_VRING_NUM, 0, 8), GOOD_ADDR,
	    FD(VU_SET_VRING_KICK, 0, EVENT) } },
	{ "not in shared memory",
	  { NUM(VU_SET_FEATURES, 0x40), GOOD_TABLE, STATE(VU_SET_VRING_NUM, 0, 8),
	    ADDR(0, USER, USER + MEMORY - 70, USER + 0x1000, 0),
	    FD(VU_SET_VRING_KICK, 0, EVENT) } },
	{ "cannot have 16",
	  { NUM(VU_SET_FEATURES, 0x40), GOOD_TABLE, STATE(VU_SET_VRING_NUM, 0, 8), GOOD_ADDR,
	    FD(VU_SET_VRING_KICK, 0, EVENT), STATE(VU_SET_VRING_NUM, 0, 16) } },
	{ "contradict", { CONFIG(VU_GET_CONFIG, 0, 5, 12 + 4) } },
	{ "past the configuration", { CONFIG(VU_GET_CONFIG, 253, 4, 12 + 4) } },
	{ "past the configuration", { CONFIG(VU_GET_CONFIG, UINT32_MAX, 4, 12 + 4) } },
	{ "not writable", { CONFIG(VU_SET_CONFIG, 4, 4, 12 + 4) } },
};

static void test_hostile_front(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(hostile_front); i++) {
		const struct step *s = hostile_front[i].step;
		struct err e = { 0 };
		int ret;

		while ((ret = send_step(r, s, &e)) == 1 && s < hostile_front[i].step + 5 &&
		       s[1].request)
			s++;
		if (ret != -EPROTO || !strstr(e.msg, hostile_front[i].words) || s[1].request)
			fail_msg("row %zu: %d '%s', not '%s'", i, ret, e.msg,
				 hostile_front[i].words);
		stop(r);
		start(r);
	}
}

/* Memory that leaves under a running queue: the queue is not served from it. */
static void test_memory_leaves(void **state)
{
	static const struct step step[] = {
		NUM(VU_SET_FEATURES, 0x40),      GOOD_TABLE,
		STATE(VU_SET_VRING_NUM, 0, 8),   GOOD_ADDR,
		FD(VU_SET_VRING_KICK, 0, EVENT),
	};
	static const struct step leave = {
		VU_REM_MEM_REG, 0, 40, { .reg.region = { GPA, MEMORY, USER, 0 } }, NONE
	};
	struct rig *r = *state;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(step); i++)
		assert_int_equal(send_step(r, &step[i], &e), 1);
	assert_true(r->back.vring[0].running);
	assert_int_equal(send_step(r, &leave, &e), -EPROTO);
	assert_non_null(
		strstr(e.msg, "REM_MEM_REG: the rings of queue 0 are not in shared memory"));
	assert_false(r->back.vring[0].running);
	assert_int_equal(vu_back_work(&r->back), 0);
}

/* A driver that breaks its queue is told by the err descriptor; the session goes on. */
static void test_broken_queue(void **state)
{
	static const struct step step[] = {
		NUM(VU_SET_FEATURES, 0x40),     GOOD_TABLE,
		STATE(VU_SET_VRING_NUM, 0, 8),  GOOD_ADDR,
		FD(VU_SET_VRING_ERR, 0, EVENT), FD(VU_SET_VRING_KICK, 0, MEM),
	};
	static const struct step base = STATE(VU_GET_VRING_BASE, 0, 0);
	uint8_t avail_idx[2] = { 1, 0 };
	struct rig *r = *state;
	struct err e = { 0 };
	uint64_t count;

	for (size_t i = 0; i < ARRAY_SIZE(step); i++)
		assert_int_equal(send_step(r, &step[i], &e), 1);
	assert_int_equal(vu_back_work(&r->back), 0);
	assert_int_equal(pwrite(r->memfd, avail_idx, 2, 0x1002), 2);
	assert_int_equal(vu_back_work(&r->back), 0);
	assert_int_equal(read(r->eventfd, &count, 8), 8);
	assert_false(r->back.vring[0].running);
	assert_int_equal(send_step(r, &base, &e), 1);
}

static void test_gone(void **state)
{
	static const struct vu_header half = { VU_SET_FEATURES, 1, 8 };
	struct rig *r = *state;
	struct err e = { 0 };

	assert_int_equal(io_write_all(r->sock, &half, sizeof(half)), 0);
	assert_int_equal(shutdown(r->sock, SHUT_WR), 0);
	assert_int_equal(vu_back_handle(&r->back, &e), -ENODATA);
	assert_string_equal(e.msg, "the front end broke off in SET_FEATURES");
	assert_int_equal(vu_back_handle(&r->back, &e), 0);
}

/* What a back end says, byte by byte. */
struct script {
	const uint8_t *data;
	size_t size, off, sent;
};

static int script_send(void *arg, const void *buf, size_t len, const int *fds, size_t nfds)
{
	struct script *s = arg;

	(void)buf;
	(void)fds;
	(void)nfds;
	s->sent += len;
	return 0;
}

static int script_recv(void *arg, void *buf, size_t len)
{
	struct script *s = arg;

	if (len > s->size - s->off)
		return -ECONNRESET;
	memcpy(buf, s->data + s->off, len);
	s->off += len;
	return 0;
}

#define REPLY(req, v)               \
	{                           \
		(req), 5, 8, 0, (v) \
	}

static void test_hostile_back(void **state)
{
	struct reply {
		uint32_t request, flags, size, pad;
		uint64_t v;
	};
	static const struct {
		const char *words;
		struct reply reply[4];
	} row[] = {
		{ "not of version 1", { { VU_GET_FEATURES, 4, 8, 0, 0 } } },
		{ "not marked as a reply", { { VU_GET_FEATURES, 1, 8, 0, 0 } } },
		{ "another request", { REPLY(VU_GET_QUEUE_NUM, 0) } },
		{ "too short", { { VU_GET_FEATURES, 5, 0, 0, 0 } } },
		{ "too long", { { VU_GET_FEATURES, 5, UINT32_MAX, 0, 0 } } },
		{ "it refuses",
		  { REPLY(VU_GET_FEATURES, VU_F_PROTOCOL_FEATURES),
		    REPLY(VU_GET_PROTOCOL_FEATURES, 9), REPLY(VU_SET_FEATURES, 1) } },
		{ "impossible number",
		  { REPLY(VU_GET_FEATURES, VU_F_PROTOCOL_FEATURES),
		    REPLY(VU_GET_PROTOCOL_FEATURES, 1), REPLY(VU_GET_QUEUE_NUM, UINT64_MAX) } },
		{ "impossible number",
		  { REPLY(VU_GET_FEATURES, VU_F_PROTOCOL_FEATURES),
		    REPLY(VU_GET_PROTOCOL_FEATURES, 1), REPLY(VU_GET_QUEUE_NUM, 0) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint8_t wire[4 * 20];
		struct script s = { .data = wire };
		struct vu_io io = { script_send, script_recv, &s };
		struct vu_front f;
		unsigned int n;
		int r;

		for (const struct reply *q = row[i].reply; q < row[i].reply + 4 && q->request;
		     q++) {
			memcpy(wire + s.size, q, 12);
			memcpy(wire + s.size + 12, &q->v, 8);
			s.size += 20;
		}
		r = vu_front_open(&f, &io);
		if (r == 0)
			r = vu_front_set_protocol(&f, UINT64_MAX);
		if (r == 0)
			r = vu_front_set_features(&f, UINT64_MAX);
		if (r == 0)
			r = vu_front_queues(&f, &n);
		if (r != -EPROTO || !strstr(f.why, row[i].words))
			fail_msg("row %zu: %d '%s'", i, r, f.why ? f.why : "");
	}
}

/* A reply that contradicts itself, and silence. */
static void test_hostile_config(void **state)
{
	static const struct {
		uint32_t size, config_size;
		int want;
	} row[] = {
		{ 12 + 8, 8, 0 },
		{ 0, 0, -EPROTO },
		{ 12 + 8, 9, -EPROTO },
		{ 12 + 4, 4, -EPROTO },
		{ 11, 0, -EPROTO },
		{ 12 + 257, 257, -EPROTO },
		{ 12 + 8, UINT32_MAX, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vu_header h = { VU_GET_CONFIG, 5, row[i].size };
		struct vu_config c = { .size = row[i].config_size };
		uint8_t wire[12 + sizeof(c)], out[8];
		struct script s = { .data = wire, .size = sizeof(wire) };
		struct vu_front f = { .io = { script_send, script_recv, &s },
				      .protocol = VU_P_CONFIG };

		memcpy(wire, &h, 12);
		memcpy(wire + 12, &c, sizeof(c));
		if (vu_front_config(&f, 0, out, 8) != row[i].want)
			fail_msg("row %zu", i);
		s.size = s.off = 0;
		assert_int_equal(vu_front_config(&f, 0, out, 8), -ECONNRESET);
		assert_null(f.why);
		assert_int_equal(vu_front_config(&f, 250, out, 8), -EINVAL);
	}
}

/* Ends that the test has, [0], and the relay, [1]. */
struct relay {
	int front[2], back[2];
};

static void relay_open(struct relay *r)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->front), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->back), 0);
}

static void relay_close(const struct relay *r)
{
	for (int end = 0; end < 2; end++) {
		(void)close(r->front[end]);
		(void)close(r->back[end]);
	}
}

/* What is behind each other in a socket is passed on one by one: the second one's descriptor stays with it. */
static void test_relay(void **state)
{
	const struct vu_header owner = { VU_SET_OWNER, 1, 0 }, call = { VU_SET_VRING_CALL, 1, 8 };
	uint8_t wire[sizeof(call) + 8] = { 0 }, in[64];
	struct err e = { 0 };
	struct relay r;
	size_t nfds;
	int fd;

	(void)state;
	relay_open(&r);
	memcpy(wire, &call, sizeof(call));
	assert_int_equal(io_send_fds(r.front[0], &owner, sizeof(owner), NULL, 0), 0);
	assert_int_equal(io_send_fds(r.front[0], wire, sizeof(wire), &r.front[0], 1), 0);
	assert_int_equal(shutdown(r.front[0], SHUT_WR), 0);
	assert_int_equal(vu_relay(r.front[1], r.back[1], &e), 0);
	assert_int_equal(io_recv_fds(r.back[0], in, sizeof(owner), &fd, 1, &nfds), sizeof(owner));
	assert_int_equal(nfds, 0);
	assert_int_equal(io_recv_fds(r.back[0], in, sizeof(in), &fd, 1, &nfds), sizeof(wire));
	assert_int_equal(nfds, 1);
	assert_memory_equal(in, wire, sizeof(wire));
	(void)close(fd);
	relay_close(&r);
}

static void test_relay_ends(void **state)
{
	const struct vu_header reply = { VU_GET_FEATURES, 5, 8 },
			       huge = { VU_GET_CONFIG, 5, 1 << 20 };
	const uint8_t wire[sizeof(reply) + 8] = { VU_GET_FEATURES, 0, 0, 0, 5, 0, 0, 0, 8 };
	struct err e = { 0 };
	struct relay r;

	(void)state;
	relay_open(&r); /* broken off in a message */
	assert_int_equal(io_write_all(r.back[0], &reply, sizeof(reply)), 0);
	assert_int_equal(shutdown(r.back[0], SHUT_WR), 0);
	assert_int_equal(vu_relay(r.front[1], r.back[1], &e), 1);
	relay_close(&r);
	relay_open(&r); /* nobody is there to have it */
	assert_int_equal(io_write_all(r.front[0], wire, sizeof(wire)), 0);
	(void)close(r.back[0]);
	assert_int_equal(vu_relay(r.front[1], r.back[1], &e), 1);
	r.back[0] = -1;
	relay_close(&r);
	relay_open(&r);
	assert_int_equal(io_write_all(r.back[0], &huge, sizeof(huge)), 0);
	assert_int_equal(vu_relay(r.front[1], r.back[1], &e), -EMSGSIZE);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hostile_front, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test(test_hostile_back),
		cmocka_unit_test(test_hostile_config),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_relay_ends),
	};

	return cmocka_run_group_tests_name("vhost-user", tests, NULL, NULL);
}
