/* SPDX-License-Identifier: MIT */
/* test_net.c - a network device with a socket of messages in place of its tap, and drivers of all kinds. */
#include <errno.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net.h"
#include "vq_drv.h"

#define QSIZE  64
#define AVAIL  0x1000
#define USED   0x2000
#define RX     0x0
#define TX     0x3000
#define DATA   0x10000
#define BUFFER 2048
#define RAM    (DATA + QSIZE * BUFFER * 2)
#define MERGE  (UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF)
#define HEADER 12

struct rig {
	uint8_t *ram;
	struct gmem_region region;
	struct gmem mem;
	struct vq_slot slot[2][QSIZE];
	struct vq_drv drv[2];
	struct vq_dev dev[2];
	struct net net;
	int host; /* the tap's other side */
};

static void start_queue(struct rig *r, unsigned int i, uint32_t at)
{
	struct vq_drv_conf drv = { .desc = (void *)(r->ram + at),
				   .avail = r->ram + at + AVAIL,
				   .used = r->ram + at + USED,
				   .slot = r->slot[i],
				   .size = QSIZE };
	struct vq_conf dev = {
		.desc = { at }, .avail = { at + AVAIL }, .used = { at + USED }, .size = QSIZE
	};

	assert_int_equal(vq_drv_init(&r->drv[i], &drv), 0);
	assert_int_equal(vq_dev_init(&r->dev[i], &r->mem, &dev), 0);
}

static int setup(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct rig *r = calloc(1, sizeof(*r));
	int pair[2], size = 1 << 20;

	if (!r)
		return -1;
	r->ram = aligned_alloc(4096, RAM);
	if (!r->ram)
		return -1;
	memset(r->ram, 0, RAM);
	r->region = (struct gmem_region){ { 0 }, RAM, r->ram };
	r->mem = (struct gmem){ &r->region, 1 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r->host = pair[1];
	assert_int_equal(net_init(&r->net, pair[0], mac), 0);
	start_queue(r, NET_RX, RX);
	start_queue(r, NET_TX, TX);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	(void)close(r->net.tap);
	(void)close(r->host);
	net_fini(&r->net);
	free(r->ram);
	free(r);
	return 0;
}

/* Offer @n buffers of @size to receive into; the cookie is the buffer. */
static void offer(struct rig *r, unsigned int n, uint32_t size)
{
	for (unsigned int i = 0; i < n; i++) {
		struct vq_buf b = { DATA + (uint64_t)i * BUFFER, size };

		assert_int_equal(vq_drv_push(&r->drv[NET_RX], &b, 0, 1, r->ram + b.addr), 0);
	}
	(void)!vq_drv_publish(&r->drv[NET_RX]);
}

static unsigned int num_buffers(const uint8_t *buffer)
{
	return buffer[10] | (unsigned int)buffer[11] << 8;
}

static void send_packet(struct rig *r, size_t len)
{
	static uint8_t packet[HEADER + 70000];

	for (size_t i = 0; i < len; i++)
		packet[HEADER + i] = (uint8_t)(i * 7);
	assert_int_equal(send(r->host, packet, HEADER + len, 0), HEADER + len);
}

static void test_receive_merged(void **state)
{
	struct rig *r = *state;
	uint32_t written, seen = 0;
	size_t len = 9000;
	void *cookie;

	net_set_features(&r->net, MERGE);
	assert_false(net_has_room(&r->net));
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 0);
	offer(r, QSIZE, BUFFER);
	send_packet(r, len);
	send_packet(r, 60);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 2);
	assert_true(net_has_room(&r->net));
	assert_int_equal(vq_dev_publish(&r->dev[NET_RX]), true);
	for (unsigned int i = 0; i < 5; i++) {
		const uint8_t *p;

		assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 1);
		p = cookie;
		if (!i)
			assert_int_equal(num_buffers(p), 5);
		for (uint32_t k = i ? 0 : HEADER; k < written; k++, seen++)
			assert_int_equal(p[k], (uint8_t)(seen * 7));
	}
	assert_int_equal(seen, len);
	assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 1);
	assert_int_equal(num_buffers(cookie), 1);
	assert_int_equal(written, HEADER + 60);
	assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 0);
}

/* Each packet in one buffer; what is longer is cut off, as a driver that offers so little wants it. */
static void test_receive_single(void **state)
{
	struct rig *r = *state;
	uint32_t written;
	void *cookie;

	net_set_features(&r->net, 0);
	offer(r, 3, BUFFER);
	send_packet(r, 100);
	send_packet(r, 9000);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 2);
	(void)!vq_dev_publish(&r->dev[NET_RX]);
	assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 1);
	assert_int_equal(written, HEADER + 100);
	assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 1);
	assert_int_equal(written, BUFFER);
	assert_int_equal(num_buffers(cookie), 1);
}

/* With too little for the largest packet nothing is read, unless it is all that the driver has. */
static void test_room(void **state)
{
	struct rig *r = *state;

	net_set_features(&r->net, MERGE);
	offer(r, 8, BUFFER);
	send_packet(r, 60);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 0);
	assert_false(net_has_room(&r->net));
	offer(r, QSIZE - 8, 512);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 1);
}

/* Chains that are kept can be taken again. */
static void test_release(void **state)
{
	struct rig *r = *state;
	uint32_t written;
	void *cookie;

	net_set_features(&r->net, MERGE);
	offer(r, QSIZE, BUFFER);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 0);
	assert_int_not_equal(r->dev[NET_RX].last_avail, 0);
	net_release(&r->net);
	assert_int_equal(r->dev[NET_RX].last_avail, 0);
	assert_false(net_has_room(&r->net));
	send_packet(r, 60);
	assert_int_equal(net_receive(&r->net, &r->dev[NET_RX]), 1);
	(void)!vq_dev_publish(&r->dev[NET_RX]);
	assert_int_equal(vq_drv_pop(&r->drv[NET_RX], &cookie, &written), 1);
	assert_ptr_equal(cookie, r->ram + DATA);
}

static void test_send(void **state)
{
	struct rig *r = *state;
	struct vq_buf b[2] = { { DATA, HEADER }, { DATA + BUFFER, 60 } };
	uint8_t got[256];
	uint32_t written;
	void *cookie;

	memset(r->ram + DATA + BUFFER, 0x5a, 60);
	assert_int_equal(vq_drv_push(&r->drv[NET_TX], b, 2, 0, r), 0);
	assert_int_equal(vq_drv_push(&r->drv[NET_TX], b + 1, 1, 0, r), 0);
	(void)!vq_drv_publish(&r->drv[NET_TX]);
	assert_int_equal(net_send(&r->net, &r->dev[NET_TX]), 2);
	(void)!vq_dev_publish(&r->dev[NET_TX]);
	assert_int_equal(recv(r->host, got, sizeof(got), 0), HEADER + 60);
	assert_int_equal(got[HEADER + 59], 0x5a);
	assert_int_equal(vq_drv_pop(&r->drv[NET_TX], &cookie, &written), 1);
	assert_int_equal(written, 0);
	assert_int_equal(r->net.sent, 2);
	assert_int_equal(net_send(&r->net, &r->dev[NET_TX]), 0);
}

/* What the tap refuses is gone, and counted; only a tap that is gone is the end. */
static void test_refused(void **state)
{
	struct rig *r = *state;
	struct vq_buf b = { DATA, 60 };
	int tap = r->net.tap;

	(void)shutdown(tap, SHUT_RDWR);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(vq_drv_push(&r->drv[NET_TX], &b, 1, 0, r), 0);
	(void)!vq_drv_publish(&r->drv[NET_TX]);
	assert_int_equal(net_send(&r->net, &r->dev[NET_TX]), 1);
	assert_int_equal(r->net.dropped, 1);
	assert_int_equal(r->net.error, 0);
	r->net.tap = -1;
	assert_int_equal(vq_drv_push(&r->drv[NET_TX], &b, 1, 0, r), 0);
	(void)!vq_drv_publish(&r->drv[NET_TX]);
	assert_int_equal(net_send(&r->net, &r->dev[NET_TX]), 1);
	assert_int_equal(r->net.error, EBADF);
	r->net.tap = tap;
}

/* Each of these ends its queue, and nothing else. */
static void test_hostile_driver(void **state)
{
	static const struct {
		unsigned int queue;
		uint64_t addr;
		uint32_t len;
		uint16_t flags, avail;
	} row[] = {
		{ NET_RX, RAM - 8, 16, 2, 1 },
		{ NET_RX, DATA, 11, 2, 1 }, /* no room for the header */
		{ NET_RX, DATA, 64, 0, 1 }, /* not to be written to */
		{ NET_RX, DATA, 0, 2, 1 },
		{ NET_RX, DATA, 64, 3, 1 }, /* a loop */
		{ NET_RX, DATA, 64, 2, QSIZE + 1 },
		{ NET_TX, UINT64_MAX, 1, 0, 1 },
		{ NET_TX, DATA, 64, 1, 1 },
		{ NET_TX, DATA, 64, 4, 1 }, /* a table that was not agreed on */
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct rig *r = *state;
		uint32_t at = row[i].queue == NET_RX ? RX : TX;
		struct vq_desc d = { .addr = le64_of(row[i].addr),
				     .len = le32_of(row[i].len),
				     .flags = le16_of(row[i].flags) };
		int n;

		net_set_features(&r->net, MERGE);
		memcpy(r->ram + at, &d, sizeof(d));
		vq_store(r->ram + at + AVAIL + 2, row[i].avail);
		n = row[i].queue == NET_RX ? net_receive(&r->net, &r->dev[NET_RX])
					   : net_send(&r->net, &r->dev[NET_TX]);
		if (n != -EPROTO)
			fail_msg("row %zu: %d", i, n);
		(void)teardown(state);
		(void)setup(state);
	}
}

static void test_config(void **state)
{
	struct rig *r = *state;
	uint8_t c[300];

	net_config(&r->net, 0, c, 8);
	assert_memory_equal(c, r->net.mac, 6);
	memset(c, 9, sizeof(c));
	net_config(&r->net, 200, c, 16);
	assert_int_equal(c[15], 0);
	net_config(&r->net, UINT32_MAX, c, 16);
	assert_int_equal(c[0], 0);
	assert_true(net_features(&r->net) >> VIRTIO_NET_F_MAC & 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_single, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
