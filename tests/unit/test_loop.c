/* SPDX-License-Identifier: MIT */
/* test_loop.c - the event loop and the ring buffer. */
#include <errno.h>
#include <fcntl.h>
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

#include "loop.h"
#include "ring.h"

#define MS 1000000u

struct seen {
	struct loop *loop;
	struct loop_src *victim; /* deleted by the first event of any */
	unsigned int count;
	uint32_t events;
};

static void on_event(struct loop_src *s, uint32_t events)
{
	struct seen *seen = s->arg;

	seen->count++;
	seen->events = events;
	if (seen->victim && seen->victim != s)
		loop_del(seen->loop, seen->victim);
}

static void on_timer(struct loop_timer *t)
{
	++*(unsigned int *)t->arg;
}

/* A timer that keeps loop_once() from waiting for ever. */
static void soon(struct loop *l, struct loop_timer *t, unsigned int *count)
{
	*t = (struct loop_timer){ .fn = on_timer, .arg = count };
	loop_timer_set(l, t, loop_now_ns() + 20 * MS);
}

static void test_want(void **state)
{
	struct loop_src src = { .fn = on_event };
	struct seen seen = { 0 };
	struct loop_timer timer;
	unsigned int fired = 0;
	struct loop l;
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(loop_init(&l), 0);
	src.fd = fd[0];
	src.arg = &seen;
	assert_int_equal(loop_add(&l, &src, 0), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	(void)close(fd[1]);
	soon(&l, &timer, &fired);
	while (!fired) /* neither data nor hang-up of what wants nothing */
		assert_int_equal(loop_once(&l), 0);
	assert_int_equal(seen.count, 0);
	loop_want(&src, EPOLLIN);
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(seen.count, 1);
	assert_true(seen.events & EPOLLIN);
	loop_want(&src, 0);
	soon(&l, &timer, &fired);
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(fired, 2);
	loop_del(&l, &src);
	loop_del(&l, &src);
	loop_fini(&l);
	(void)close(fd[0]);
}

/* Two are ready in one round; whoever comes first deletes the other. */
static void test_delete_in_round(void **state)
{
	struct seen seen[2] = { { 0 }, { 0 } };
	struct loop_src src[2];
	struct loop l;
	int fd[2][2];

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe2(fd[i], O_CLOEXEC), 0);
		assert_int_equal(write(fd[i][1], "x", 1), 1);
		seen[i] = (struct seen){ .loop = &l, .victim = &src[!i] };
		src[i] = (struct loop_src){ .fd = fd[i][0], .fn = on_event, .arg = &seen[i] };
		assert_int_equal(loop_add(&l, &src[i], EPOLLIN), 0);
	}
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(seen[0].count + seen[1].count, 1);
	loop_fini(&l);
	for (int i = 0; i < 4; i++)
		(void)close(fd[i / 2][i % 2]);
}

static void test_regular_file(void **state)
{
	struct loop_src src = { .fn = on_event };
	struct seen seen = { 0 };
	struct loop l;

	(void)state;
	src.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	src.arg = &seen;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(loop_add(&l, &src, EPOLLIN), 0);
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(seen.count, 2);
	loop_del(&l, &src);
	loop_fini(&l);
	(void)close(src.fd);
}

static void test_full(void **state)
{
	static struct loop_src src[LOOP_SRC_MAX + 1];
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < LOOP_SRC_MAX; i++)
		assert_int_equal(loop_add(&l, &src[i], 0), 0);
	assert_int_equal(loop_add(&l, &src[LOOP_SRC_MAX], 0), -ENOSPC);
	loop_del(&l, &src[7]);
	assert_int_equal(loop_add(&l, &src[LOOP_SRC_MAX], 0), 0);
	/* A descriptor that is none is an error of the caller's, and said. */
	src[0].fd = -1;
	loop_want(&src[0], EPOLLIN);
	assert_int_equal(loop_once(&l), -EBADF);
	loop_fini(&l);
}

static void test_timers(void **state)
{
	unsigned int count[3] = { 0, 0, 0 };
	struct loop_timer t[3];
	struct loop l;
	uint64_t start = loop_now_ns();

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	for (unsigned int i = 0; i < 3; i++) {
		t[i] = (struct loop_timer){ .fn = on_timer, .arg = &count[i] };
		loop_timer_set(&l, &t[i], start + (3 - i) * 10 * MS);
	}
	loop_timer_clear(&l, &t[1]);
	loop_timer_clear(&l, &t[1]);
	loop_timer_set(&l, &t[0], start + 40 * MS); /* moved */
	while (!count[0])
		assert_int_equal(loop_once(&l), 0);
	assert_true(loop_now_ns() - start >= 40 * MS);
	assert_int_equal(count[0], 1);
	assert_int_equal(count[1], 0);
	assert_int_equal(count[2], 1);
	loop_fini(&l);
}

static void on_signal(struct loop_signals *s, const struct signalfd_siginfo *si)
{
	*(int *)s->arg = (int)si->ssi_signo;
}

static void test_signals(void **state)
{
	int got = 0;
	struct loop_signals s = { .fn = on_signal, .arg = &got };
	sigset_t mask, now;
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	assert_int_equal(loop_signals_add(&l, &s, &mask), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_once(&l), 0);
	assert_int_equal(got, SIGUSR1);
	loop_signals_del(&l, &s);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	assert_false(sigismember(&now, SIGUSR1));
	loop_fini(&l);
}

/* Bytes in all positions of the ring, in pieces of all sizes, come out in order. */
static void test_ring(void **state)
{
	uint8_t next_in = 0, next_out = 0, buf[32];
	struct ring r;
	int in[2], out[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
	assert_int_equal(ring_init(&r, 13), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		size_t add = i % 7 + 1, take = i * 5 % 11 + 1;
		ssize_t n;

		for (size_t k = 0; k < add; k++)
			buf[k] = next_in++;
		if (!ring_room(&r)) {
			next_in = (uint8_t)(next_in - add);
		} else {
			assert_int_equal(write(in[1], buf, add), add);
			n = ring_fill(&r, in[0], add);
			assert_true(n > 0);
			next_in = (uint8_t)(next_in - (add - (size_t)n));
			if ((size_t)n < add) /* did not fit: forget the rest */
				assert_int_equal(read(in[0], buf, sizeof(buf)), add - (size_t)n);
		}
		if (!r.len)
			continue;
		n = ring_drain(&r, out[1], take);
		assert_true(n > 0 && (size_t)n <= take);
		assert_int_equal(read(out[0], buf, sizeof(buf)), n);
		for (ssize_t k = 0; k < n; k++)
			assert_int_equal(buf[k], next_out++);
	}
	ring_clear(&r);
	for (int i = 0; i < 13; i++)
		assert_int_equal(ring_put(&r, (uint8_t)i), 0);
	assert_int_equal(ring_put(&r, 0), -ENOSPC);
	assert_int_equal(ring_room(&r), 0);
	ring_fini(&r);
	for (int i = 0; i < 2; i++) {
		(void)close(in[i]);
		(void)close(out[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_want),   cmocka_unit_test(test_delete_in_round),
		cmocka_unit_test(test_full),   cmocka_unit_test(test_regular_file),
		cmocka_unit_test(test_timers), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_ring),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
