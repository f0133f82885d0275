/* SPDX-License-Identifier: MIT */
/* fuse_place: when a thread that serves is SCHED_IDLE, and that it does not stay so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuse_place.h"

#define PATIENCE_S 100

static bool is_calm(pid_t tid)
{
	return sched_getscheduler(tid) == SCHED_IDLE;
}

/* Requests until it is calm, on a machine that may be busy. */
static bool burst(struct fuse_place *p)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (!is_calm(p->tid) && time(NULL) < end) {
		fuse_place_begin(p);
		fuse_place_turn(p, 0);
	}
	return is_calm(p->tid);
}

static bool wait_for_ordinary(pid_t tid)
{
	for (int i = 0; i < PATIENCE_S * 1000 && is_calm(tid); i++)
		(void)usleep(1000);
	return !is_calm(tid);
}

static void test_stat_field(void **state)
{
	static const struct {
		const char *line;
		unsigned int n;
		int r;
		uint64_t value;
	} lines[] = {
		{ "1 (a) S 7 8 9", 4, 0, 7 },
		{ "1 (a) S 7 8 9", 6, 0, 9 },
		{ "1 (a) b) (c) S 7 8 9", 4, 0, 7 },
		{ "1 (a) S 7 8 9", 7, -EPROTO, 0 },
		{ "1 (a) S x", 4, -EPROTO, 0 },
		{ "1 (a) S 99999999999999999999", 4, -EPROTO, 0 },
		{ "1 (a", 4, -EPROTO, 0 },
		{ "", 4, -EPROTO, 0 },
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int r = fuse_place_stat_field(lines[i].line, lines[i].n, &value);

		assert_int_equal(r, lines[i].r);
		if (r == 0)
			assert_int_equal(value, lines[i].value);
	}
}

static void test_calm_while_it_is_asked(void **state)
{
	struct fuse_places all = { 0 };
	struct fuse_place place;
	time_t end = time(NULL) + PATIENCE_S;
	cpu_set_t before, after;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	fuse_places_start(&all, &place, 1, false);
	if (!all.may)
		skip();
	fuse_place_take(&place, true);
	/* One now and then is no burst. */
	for (int i = 0; i < 20; i++) {
		fuse_place_turn(&place, 0);
		(void)usleep(3000);
		assert_false(is_calm(0));
	}
	assert_true(burst(&place));
	/* It follows itself, unless it has been given back its processors, because it was kept from asking. */
	do {
		assert_true(burst(&place));
		for (int i = 0; i < 20; i++)
			fuse_place_turn(&place, gettid());
		assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	} while (CPU_COUNT(&after) > 1 && time(NULL) < end);
	assert_int_equal(CPU_COUNT(&after), 1);
	/* Nobody asks any more. */
	assert_true(wait_for_ordinary(0));
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	assert_true(burst(&place));
	fuse_place_leave(&place);
	assert_false(is_calm(0));
	fuse_places_end(&all);
}

static void test_asked_to_be_ordinary(void **state)
{
	struct fuse_places all = { 0 };
	struct fuse_place place;

	(void)state;
	fuse_places_start(&all, &place, 1, true);
	fuse_place_take(&place, true);
	for (int i = 0; i < 1000; i++) {
		fuse_place_begin(&place);
		fuse_place_turn(&place, 0);
	}
	assert_false(is_calm(0));
	fuse_place_leave(&place);
	fuse_places_end(&all);
}

/* --- one that does not get the processor --- */

struct starving {
	struct fuse_place *place;
	sem_t calm;
	_Atomic bool over;
	bool was_calm;
};

static void *ask_and_compute(void *arg)
{
	struct starving *s = arg;

	fuse_place_take(s->place, false);
	s->was_calm = burst(s->place);
	fuse_place_begin(s->place);
	(void)sem_post(&s->calm);
	while (!atomic_load(&s->over))
		;
	fuse_place_leave(s->place);
	return NULL;
}

static void test_roused_where_others_run(void **state)
{
	struct fuse_places all = { 0 };
	struct fuse_place place;
	struct starving s = { .place = &place };
	cpu_set_t before, one;
	pthread_t id;

	(void)state;
	fuse_places_start(&all, &place, 1, false);
	if (!all.may)
		skip();
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	assert_int_equal(sem_init(&s.calm, 0, 0), 0);
	/* Both on one processor. */
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pthread_create(&id, NULL, ask_and_compute, &s), 0);
	assert_int_equal(sem_wait(&s.calm), 0);
	assert_true(s.was_calm);
	/* It has a request, is ready to run, and answers nothing. */
	for (uint64_t i = 0; i < 20000000000ULL && is_calm(place.tid); i++)
		;
	assert_false(is_calm(place.tid));
	atomic_store(&s.over, true);
	assert_int_equal(pthread_join(id, NULL), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	fuse_places_end(&all);
	(void)sem_destroy(&s.calm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_field),
		cmocka_unit_test(test_calm_while_it_is_asked),
		cmocka_unit_test(test_asked_to_be_ordinary),
		cmocka_unit_test(test_roused_where_others_run),
	};

	return cmocka_run_group_tests_name("fuse_place", tests, NULL, NULL);
}
