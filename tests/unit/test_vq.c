/* SPDX-License-Identifier: MIT */
/* test_vq.c - both sides of one queue in one process: what the driver offers, the device sees. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vq_dev.h"
#include "vq_drv.h"

#define QSIZE     8
#define BASE      0x100000
#define AVAIL     256
#define USED      512
#define TABLE     1024 /* QSIZE tables of PER_TABLE */
#define PER_TABLE 4
#define DATA      4096

struct rig {
	_Alignas(16) uint8_t ram[2][8192]; /* two regions, adjacent in guest-physical space */
	struct gmem_region region[2];
	struct gmem mem;
	struct vq_slot slot[QSIZE];
	struct vq_drv drv;
	struct vq_dev dev;
	struct iovec iov[QSIZE];
	struct vq_chain chain;
};

static void start(struct rig *r, bool event_idx, bool indirect)
{
	uint8_t *m = r->ram[0];
	struct vq_drv_conf drv = { .desc = (void *)m,
				   .avail = m + AVAIL,
				   .used = m + USED,
				   .slot = r->slot,
				   .size = QSIZE,
				   .event_idx = event_idx };
	struct vq_conf dev = { .desc = { BASE },
			       .avail = { BASE + AVAIL },
			       .used = { BASE + USED },
			       .size = QSIZE,
			       .event_idx = event_idx,
			       .indirect = indirect };

	memset(r->ram, 0, sizeof(r->ram));
	r->region[0] = (struct gmem_region){ { BASE }, 8192, r->ram[0] };
	r->region[1] = (struct gmem_region){ { BASE + 8192 }, 8192, r->ram[1] };
	r->mem = (struct gmem){ r->region, 2 };
	r->chain = (struct vq_chain){ .iov = r->iov, .max = QSIZE };
	if (indirect) {
		drv.table = (void *)(m + TABLE);
		drv.table_addr = BASE + TABLE;
		drv.indirect = PER_TABLE;
	}
	assert_int_equal(vq_drv_init(&r->drv, &drv), 0);
	assert_int_equal(vq_dev_init(&r->dev, &r->mem, &dev), 0);
}

static int setup(void **state)
{
	*state = aligned_alloc(16, (sizeof(struct rig) + 15) / 16 * 16);
	start(*state, false, false);
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* Often enough that the 16-bit indices wrap. */
static void round_trips(struct rig *r)
{
	struct vq_buf b[3] = { { BASE + DATA, 16 },
			       { BASE + DATA + 64, 32 },
			       { BASE + DATA + 128, 1 } };
	uint32_t written;
	void *cookie;

	for (int i = 0; i < 70000; i++) {
		assert_int_equal(vq_drv_push(&r->drv, b, 1, 2, b), 0);
		assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 0);
		assert_true(vq_drv_publish(&r->drv));
		assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
		assert_int_equal(r->chain.nout, 1);
		assert_int_equal(r->chain.nin, 2);
		assert_ptr_equal(r->iov[1].iov_base, r->ram[0] + DATA + 64);
		assert_false(vq_dev_kicks_on(&r->dev));
		vq_dev_push(&r->dev, r->chain.head, 33);
		assert_int_equal(vq_drv_pop(&r->drv, &cookie, &written), 0);
		assert_true(vq_dev_publish(&r->dev));
		assert_int_equal(vq_drv_pop(&r->drv, &cookie, &written), 1);
		assert_ptr_equal(cookie, b);
		assert_int_equal(written, 33);
		assert_int_equal(r->drv.nfree, QSIZE);
		assert_false(vq_drv_calls_on(&r->drv));
	}
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 0);
	assert_int_equal(vq_drv_pop(&r->drv, &cookie, &written), 0);
}

static void test_round_trip(void **state)
{
	for (int i = 0; i < 4; i++) {
		start(*state, i & 1, i & 2);
		round_trips(*state);
	}
}

/* With tables a ring of 8 takes 8 chains of 3; without, 2. */
static void test_room(void **state)
{
	struct vq_buf b[3] = { { BASE + DATA, 1 }, { BASE + DATA, 1 }, { BASE + DATA, 1 } };
	struct rig *r = *state;

	for (int indirect = 0; indirect < 2; indirect++) {
		int n = 0;

		start(r, false, indirect);
		while (vq_drv_push(&r->drv, b, 2, 1, r) == 0)
			n++;
		assert_int_equal(n, indirect ? 8 : 2);
		(void)!vq_drv_publish(&r->drv);
		for (int i = 0; i < n; i++) {
			assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
			assert_int_equal(r->chain.nout, 2);
		}
		assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 0);
	}
}

/* Who polls is not told; who asked for it is, once for a batch. */
static void test_notifications(void **state)
{
	struct vq_buf b = { BASE + DATA, 1 };
	struct rig *r = *state;
	uint32_t written;
	void *cookie;

	for (int event_idx = 0; event_idx < 2; event_idx++) {
		start(r, event_idx, false);
		assert_false(vq_dev_kicks_on(&r->dev));
		assert_false(vq_drv_calls_on(&r->drv));
		assert_int_equal(vq_drv_push(&r->drv, &b, 0, 1, r), 0);
		assert_true(vq_drv_publish(&r->drv));
		assert_true(vq_dev_kicks_on(&r->dev)); /* one came before we asked */
		vq_dev_kicks_off(&r->dev);
		assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
		assert_int_equal(vq_drv_push(&r->drv, &b, 0, 1, r), 0);
		/* With EVENT_IDX the last wish was for the first chain, and it has been told. */
		assert_false(vq_drv_publish(&r->drv));
		vq_dev_push(&r->dev, r->chain.head, 0);
		assert_true(vq_dev_publish(&r->dev));
		assert_false(vq_dev_publish(&r->dev)); /* nothing new */
		assert_true(vq_drv_calls_on(&r->drv));
		vq_drv_calls_off(&r->drv);
		assert_int_equal(vq_drv_pop(&r->drv, &cookie, &written), 1);
		assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
		vq_dev_push(&r->dev, r->chain.head, 0);
		assert_false(vq_dev_publish(&r->dev));
	}
}

static void test_buffer_spans_regions(void **state)
{
	struct rig *r = *state;
	struct vq_buf b = { BASE + 8192 - 10, 30 };
	uint8_t bytes[30];

	for (int i = 0; i < 30; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(gmem_write(&r->mem, (gpa_t){ b.addr }, bytes, 30), 0);
	assert_int_equal(vq_drv_push(&r->drv, &b, 1, 0, r), 0);
	(void)!vq_drv_publish(&r->drv);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
	assert_int_equal(r->chain.nout, 2);
	assert_int_equal(r->iov[0].iov_len, 10);
	assert_ptr_equal(r->iov[1].iov_base, r->ram[1]);
	/* A header that is not where the buffers end. */
	assert_int_equal(vq_chain_take(&r->chain, bytes, 16), 0);
	assert_int_equal(bytes[15], 15);
	assert_int_equal(vq_chain_out_size(&r->chain), 14);
	assert_int_equal(vq_chain_take(&r->chain, bytes, 15), -EPROTO);
	assert_int_equal(vq_chain_take(&r->chain, bytes, 14), 0);
	assert_int_equal(bytes[0], 16);
	assert_int_equal(vq_chain_nout(&r->chain), 0);
	assert_null(vq_chain_take_last(&r->chain));
}

static void test_writable_part(void **state)
{
	struct rig *r = *state;
	struct vq_buf b[2] = { { BASE + DATA, 3 }, { BASE + DATA + 8, 1 } };

	assert_int_equal(vq_drv_push(&r->drv, b, 0, 2, r), 0);
	(void)!vq_drv_publish(&r->drv);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), 1);
	assert_ptr_equal(vq_chain_take_last(&r->chain), r->ram[0] + DATA + 8);
	assert_int_equal(r->chain.nin, 1);
	assert_int_equal(vq_chain_put(&r->chain, "abcd", 4), -EPROTO);
	assert_int_equal(vq_chain_put(&r->chain, "abc", 3), 0);
	assert_memory_equal(r->ram[0] + DATA, "abc", 4);
	assert_ptr_equal(vq_chain_take_last(&r->chain), r->ram[0] + DATA + 2);
	assert_int_equal(vq_chain_in_size(&r->chain), 2);
}

/* First byte, last byte, one past, wrap. */
static void test_gmem(void **state)
{
	static const struct {
		uint64_t gpa;
		size_t len, want;
	} row[] = {
		{ BASE, 1, 1 },
		{ BASE - 1, 1, 0 },
		{ BASE, 0, 1 },
		{ BASE + 8191, 2, 1 },
		{ BASE + 16383, 1, 1 },
		{ BASE + 16384, 1, 0 },
		{ BASE + 16383, 2, 1 },
		{ 0, 1, 0 },
		{ UINT64_MAX, 1, 0 },
		{ BASE, SIZE_MAX, 8192 },
		{ BASE + 8192, 9000, 8192 },
	};
	struct rig *r = *state;
	uint8_t byte[16385];
	void *p;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (gmem_at(&r->mem, (gpa_t){ row[i].gpa }, row[i].len, &p) != row[i].want &&
		    row[i].len)
			fail_msg("row %zu", i);
	assert_int_equal(gmem_read(&r->mem, (gpa_t){ BASE }, byte, 16384), 0);
	assert_int_equal(gmem_read(&r->mem, (gpa_t){ BASE }, byte, 16385), -EFAULT);
	assert_int_equal(gmem_write(&r->mem, (gpa_t){ UINT64_MAX }, byte, 2), -EFAULT);
}

/* Each row corrupts one thing that the driver controls. */
static void test_bad_driver(void **state)
{
	static const struct {
		const char *what;
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
		int want;
	} row[] = {
		{ "buffer below memory", 0, 1, 0, 0, -EPROTO },
		{ "buffer above memory", BASE + 16384, 1, 0, 0, -EPROTO },
		{ "buffer runs off the end", BASE + 16383, 2, 0, 0, -EPROTO },
		{ "address wraps", UINT64_MAX, 2, 0, 0, -EPROTO },
		{ "next out of table", BASE, 1, VRING_DESC_F_NEXT, QSIZE, -EPROTO },
		{ "loop", BASE, 0, VRING_DESC_F_NEXT, 0, -EPROTO },
		{ "a loop with data", BASE, 1, VRING_DESC_F_NEXT, 0, -EPROTO },
		{ "indirect length odd", BASE, 17, VRING_DESC_F_INDIRECT, 0, -EPROTO },
		{ "indirect empty", BASE, 0, VRING_DESC_F_INDIRECT, 0, -EPROTO },
		{ "indirect too long", BASE, (VQ_SIZE_MAX + 1) * 16, VRING_DESC_F_INDIRECT, 0,
		  -EPROTO },
		{ "indirect and next", BASE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 0,
		  -EPROTO },
		{ "indirect in indirect", BASE, 16, VRING_DESC_F_INDIRECT, 0, -EPROTO },
		{ "indirect table out of memory", BASE + 16384 - 8, 16, VRING_DESC_F_INDIRECT, 0,
		  -EPROTO },
		{ "zero length is fine", BASE, 0, 0, 0, 1 },
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vq_buf b = { BASE, 1 };

		start(r, false, true);
		assert_int_equal(vq_drv_push(&r->drv, &b, 1, 0, r), 0);
		r->drv.conf.desc[0] = (struct vq_desc){
			.addr = le64_of(row[i].addr),
			.len = le32_of(row[i].len),
			.flags = le16_of(row[i].flags),
			.next = le16_of(row[i].next),
		};
		(void)!vq_drv_publish(&r->drv);
		if (vq_dev_pop(&r->dev, &r->chain) != row[i].want)
			fail_msg("%s", row[i].what);
	}
}

static void test_bad_order(void **state)
{
	struct rig *r = *state;
	struct vq_buf b[2] = { { BASE + DATA, 1 }, { BASE + DATA, 1 } };

	/* Readable behind writable. */
	assert_int_equal(vq_drv_push(&r->drv, b, 1, 1, r), 0);
	r->drv.conf.desc[0].flags = le16_of(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	r->drv.conf.desc[1].flags = le16_of(0);
	(void)!vq_drv_publish(&r->drv);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), -EPROTO);
	/* More than the ring holds, and a head that is none. */
	start(r, false, false);
	vq_store(r->ram[0] + AVAIL + VQ_IDX_OFF, QSIZE + 1);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), -EPROTO);
	start(r, false, false);
	vq_store(r->ram[0] + AVAIL + VQ_RING_OFF, QSIZE);
	vq_store(r->ram[0] + AVAIL + VQ_IDX_OFF, 1);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), -EPROTO);
	/* A table that was not negotiated. */
	start(r, false, false);
	assert_int_equal(vq_drv_push(&r->drv, b, 1, 0, r), 0);
	r->drv.conf.desc[0] = (struct vq_desc){ .addr = le64_of(BASE + TABLE),
						.len = le32_of(16),
						.flags = le16_of(VRING_DESC_F_INDIRECT) };
	(void)!vq_drv_publish(&r->drv);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), -EPROTO);
	/* More buffers than the caller has room for. */
	start(r, false, false);
	r->chain.max = 1;
	assert_int_equal(vq_drv_push(&r->drv, b, 1, 1, r), 0);
	(void)!vq_drv_publish(&r->drv);
	assert_int_equal(vq_dev_pop(&r->dev, &r->chain), -ENOBUFS);
}

static void test_bad_rings(void **state)
{
	static const struct {
		const char *what;
		struct vq_conf c;
		int want;
	} row[] = {
		{ "good", { { BASE }, { BASE + 256 }, { BASE + 512 }, 8 }, 0 },
		{ "last that fits", { { BASE }, { BASE + 256 }, { BASE + 8192 - 72 }, 8 }, 0 },
		{ "no entries", { { BASE }, { BASE + 256 }, { BASE + 512 }, 0 }, -EINVAL },
		{ "odd entries", { { BASE }, { BASE + 256 }, { BASE + 512 }, 6 }, -EINVAL },
		{ "many entries", { { BASE }, { BASE + 256 }, { BASE + 512 }, 2048 }, -EINVAL },
		{ "table misaligned",
		  { { BASE + 8 }, { BASE + 256 }, { BASE + 512 }, 8 },
		  -EFAULT },
		{ "avail misaligned", { { BASE }, { BASE + 257 }, { BASE + 512 }, 8 }, -EFAULT },
		{ "used misaligned", { { BASE }, { BASE + 256 }, { BASE + 514 }, 8 }, -EFAULT },
		{ "used in two regions",
		  { { BASE }, { BASE + 256 }, { BASE + 8192 - 68 }, 8 },
		  -EFAULT },
		{ "table outside", { { 0 }, { BASE + 256 }, { BASE + 512 }, 8 }, -EFAULT },
		{ "avail wraps", { { BASE }, { UINT64_MAX - 1 }, { BASE + 512 }, 8 }, -EFAULT },
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (vq_dev_init(&r->dev, &r->mem, &row[i].c) != row[i].want)
			fail_msg("%s", row[i].what);
}

static void test_bad_device(void **state)
{
	struct rig *r = *state;
	struct vq_buf b = { BASE + DATA, 16 };
	static const struct {
		uint32_t id, len;
		uint16_t idx;
		int want;
	} row[] = {
		{ 0, 16, 1, 1 },
		{ 0, 17, 1, -EPROTO },
		{ 5, 0, 1, -EPROTO },
		{ QSIZE, 0, 1, -EPROTO },
		{ UINT32_MAX, 0, 1, -EPROTO },
		{ 0, 16, QSIZE + 1, -EPROTO },
		{ 0, 16, 0, 0 },
	};
	uint32_t written;
	void *cookie;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vq_used_elem e = { le32_of(row[i].id), le32_of(row[i].len) };

		start(r, false, false);
		assert_int_equal(vq_drv_push(&r->drv, &b, 0, 1, r), 0);
		memcpy(r->ram[0] + USED + VQ_RING_OFF, &e, sizeof(e));
		memcpy(r->ram[0] + USED + VQ_RING_OFF + sizeof(e), &e, sizeof(e));
		vq_store(r->ram[0] + USED + VQ_IDX_OFF, row[i].idx);
		if (vq_drv_pop(&r->drv, &cookie, &written) != row[i].want)
			fail_msg("row %zu", i);
		if (row[i].want != 1)
			continue;
		/* The same once more is in flight no longer. */
		vq_store(r->ram[0] + USED + VQ_IDX_OFF, 2);
		assert_int_equal(vq_drv_pop(&r->drv, &cookie, &written), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notifications, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buffer_spans_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writable_part, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gmem, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_device, setup, teardown),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
