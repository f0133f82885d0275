/* SPDX-License-Identifier: MIT */
/* The thread that serves a guest's disk, with a guest's side that takes it away. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "side_disk.h"

/* Of a server: what it finds, and what it leaves, as the guest's side might meanwhile; @last is its last turn. */
struct turns {
	struct side_disk *d;
	int n, last, ret;
	bool claimed, given_up;
};

static int take_turn(void *arg)
{
	struct turns *t = arg;
	uint32_t expected = SIDE_DISK_SERVED;

	t->claimed &= t->d->served == SIDE_DISK_TURN;
	/* the guest's side finds that it has to wait */
	t->claimed &= !__atomic_compare_exchange_n(&t->d->served, &expected, SIDE_DISK_NOT, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	if (++t->n < t->last)
		return 1;
	if (t->given_up)
		__atomic_store_n(&t->d->served, SIDE_DISK_NOT, __ATOMIC_RELEASE);
	return t->ret;
}

/* Guest and host do not answer the same queue: the host claims it for each turn, and ends when it gets it no more. */
static void test_served(void **state)
{
	static const struct {
		int ret;
		bool given_up;
	} ways[] = { { 1, true }, { 0, true }, { -EPROTO, false }, { -EPROTO, true } };
	static struct side_state s;
	const bool has_door = false;
	uint32_t finds = 0;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct turns t = { .d = &s.disk, .last = 3, .claimed = true };
		struct side_disk_host h = { .shared = &s.disk,
					    .server = { take_turn, &t },
					    .inject = { .state = &s, .bells = SIDE_BELLS_NONE },
					    .has_door = &has_door,
					    .door = -1,
					    .finds = &finds };

		t.ret = ways[i].ret;
		t.given_up = ways[i].given_up;
		s.disk = (struct side_disk){ 0 };
		assert_int_equal(side_disk_host_start(&h, &e), 0);
		assert_int_equal(pthread_join(h.thread, NULL), 0);
		assert_int_equal(t.n, t.last);
		assert_true(t.claimed);
		assert_int_equal(s.disk.served, SIDE_DISK_NOT);
		/* also of the last: what it answered the driver is to hear of */
		assert_int_equal(s.disk.done, t.last - (t.ret <= 0));
	}
}

/* The guest is told of memory of its own that the host reaches, if who answers knows of that. */
static void test_far(void **state)
{
	static struct side_state s;
	const bool has_door = false;
	uint32_t finds = 0;
	struct err e = { 0 };

	(void)state;
	for (int far = 0; far < 2; far++) {
		struct turns t = { .d = &s.disk, .last = 1, .ret = -EPROTO };
		struct side_disk_host h = {
			.shared = &s.disk,
			.server = { take_turn, &t, far },
			.far = { .region = { { { SIDE_DISK_FAR + 4096 }, 8192, NULL } }, .n = 1 },
			.inject = { .state = &s, .bells = SIDE_BELLS_NONE },
			.has_door = &has_door,
			.door = -1,
			.finds = &finds
		};

		s.disk = (struct side_disk){ 0 };
		assert_int_equal(side_disk_host_start(&h, &e), 0);
		assert_int_equal(pthread_join(h.thread, NULL), 0);
		assert_int_equal(s.disk.far[0].at, far ? 4096 : 0);
		assert_int_equal(s.disk.far[0].size, far ? 8192 : 0);
		assert_int_equal(s.disk.far[1].size, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_served),
		cmocka_unit_test(test_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
