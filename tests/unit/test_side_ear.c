/* SPDX-License-Identifier: MIT */
/* Those who hear a doorbell: several, each of all rings, and none of one that rings without end. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "side_ear.h"

#define RINGS    1000
#define TIMER_MS 60000 /* of a timer of some milliseconds */

static bool is_readable(const struct side_ear *ear, int ms)
{
	struct pollfd p = { .fd = ear->fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void ring(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

struct ears {
	int door, bell;
	struct side_ear a, b;
	uint32_t finds;
};

static void set_up(struct ears *e)
{
	struct err why = { 0 };

	/* as one that somebody else has rung and not read */
	e->door = eventfd(7, EFD_NONBLOCK);
	e->bell = eventfd(0, EFD_NONBLOCK);
	e->finds = 0;
	assert_int_equal(side_ear_open(&e->a, e->door, e->bell, &e->finds, &why), 0);
	assert_int_equal(side_ear_open(&e->b, e->door, -1, &e->finds, &why), 0);
	(void)side_ear_clear(&e->a);
	(void)side_ear_clear(&e->b);
}

static void tear_down(struct ears *e)
{
	side_ear_close(&e->a);
	side_ear_close(&e->b);
	assert_int_equal(e->a.fd, -1);
	close(e->door);
	close(e->bell);
}

static void test_each_hears(void **state)
{
	struct ears e;

	(void)state;
	set_up(&e);
	for (int k = 0; k < 3; k++) {
		assert_false(is_readable(&e.a, 0) || is_readable(&e.b, 0));
		ring(e.door);
		assert_true(is_readable(&e.a, 0) && is_readable(&e.b, 0));
		assert_true(side_ear_clear(&e.a));
		assert_true(is_readable(&e.b, 0));
		assert_true(side_ear_clear(&e.b));
	}
	ring(e.bell);
	assert_true(is_readable(&e.a, 0) && !is_readable(&e.b, 0));
	assert_false(side_ear_clear(&e.a));
	assert_false(is_readable(&e.a, 0));
	tear_down(&e);
}

/* Rings in vain are soon not heard; then a timer says when there is to be looked, and after it the next ring is heard. */
static void test_in_vain(void **state)
{
	struct ears e;
	int heard = 0;

	(void)state;
	set_up(&e);
	for (int k = 0; k < RINGS && heard == k; k++) {
		ring(e.door);
		heard += is_readable(&e.b, 0) && side_ear_clear(&e.b);
	}
	assert_true(heard > 1 && heard < RINGS);
	for (int k = 0; k < 5; k++) {
		assert_true(is_readable(&e.b, TIMER_MS));
		assert_false(side_ear_clear(&e.b));
		/* what rang meanwhile is not told of again */
		assert_false(is_readable(&e.b, 0));
		ring(e.door);
		assert_true(is_readable(&e.b, 0) && side_ear_clear(&e.b));
		ring(e.door);
	}
	/* whom it tells of something is not deaf */
	assert_true(is_readable(&e.b, TIMER_MS));
	(void)side_ear_clear(&e.b);
	for (int k = 0; k < RINGS; k++) {
		ring(e.door);
		assert_true(is_readable(&e.b, 0));
		side_ear_found(&e.b);
		(void)side_ear_clear(&e.b);
	}
	tear_down(&e);
}

/* Who finds nothing hears what rings for another, who does: it may be for him the next time. */
static void test_for_another(void **state)
{
	struct ears e;

	(void)state;
	set_up(&e);
	for (int k = 0; k < RINGS; k++) {
		ring(e.door);
		assert_true(is_readable(&e.b, 0));
		assert_true(side_ear_clear(&e.b));
		side_ear_found(&e.a);
		assert_true(side_ear_clear(&e.a));
	}
	tear_down(&e);
}

static void test_without_a_door(void **state)
{
	struct side_ear ear;
	struct err why = { 0 };
	uint32_t finds = 0;
	int bell = eventfd(1, EFD_NONBLOCK);

	(void)state;
	assert_int_equal(side_ear_open(&ear, -1, bell, &finds, &why), 0);
	assert_true(is_readable(&ear, 0));
	assert_false(side_ear_clear(&ear) || is_readable(&ear, 0));
	side_ear_close(&ear);
	close(bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_hears),
		cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_for_another),
		cmocka_unit_test(test_without_a_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
