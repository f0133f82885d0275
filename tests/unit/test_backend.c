/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "cleanup.h"
#include "io.h"
#include "vu_again.h"

/* --- what is said again --- */

static void pair(int type, int ret[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret), 0);
	assert_int_equal(fcntl(ret[0], F_SETFL, O_NONBLOCK), 0);
}

static void test_script(void **state)
{
	int says[2], stream[2], pipefd[2], got[SCRIPT_FDS];
	struct script s = { .n = 0 };
	size_t nfds;
	char buf[64];

	(void)state;
	pair(SOCK_SEQPACKET, says);
	pair(SOCK_STREAM, stream);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	assert_int_equal(script_hear(&s, says[0]), 0);
	assert_false(s.whole);
	assert_int_equal(io_send_fds(says[1], "one", 3, NULL, 0), 0);
	assert_int_equal(io_send_fds(says[1], "two", 3, pipefd, 2), 0);
	assert_int_equal(script_hear(&s, says[0]), 0);
	assert_false(s.whole);
	assert_int_equal(io_send_fds(says[1], "three", 5, &pipefd[1], 1), 0);
	(void)close(says[1]);
	assert_int_equal(script_hear(&s, says[0]), 0);
	assert_true(s.whole);
	(void)close(pipefd[1]);

	for (int round = 0; round < 2; round++) {
		assert_int_equal(script_say(&s, stream[1]), 0);
		/* A message with descriptors ends what one call receives. */
		assert_int_equal(io_recv_fds(stream[0], buf, sizeof(buf), got, 8, &nfds), 6);
		assert_memory_equal(buf, "onetwo", 6);
		assert_int_equal(nfds, 2);
		(void)close(got[0]);
		(void)close(got[1]);
		assert_int_equal(io_recv_fds(stream[0], buf, sizeof(buf), got, 8, &nfds), 5);
		assert_memory_equal(buf, "three", 5);
		assert_int_equal(nfds, 1);
		assert_int_equal(write(got[0], "x", 1), 1);
		(void)close(got[0]);
		assert_int_equal(read(pipefd[0], buf, 1), 1);
	}
	script_fini(&s);
	/* Nobody holds the pipe any more. */
	assert_int_equal(read(pipefd[0], buf, 1), 0);
	(void)close(pipefd[0]);
	(void)close(says[0]);
	(void)close(stream[0]);
	(void)close(stream[1]);
}

/* A machine that says more than it should: packets, bytes, descriptors. */
static void test_script_limits(void **state)
{
	static const struct {
		unsigned int packets;
		size_t len;
		unsigned int nfds;
		int want;
	} cases[] = {
		{ SCRIPT_PACKETS, 1, 0, 0 },   { SCRIPT_PACKETS + 1, 1, 0, -E2BIG },
		{ 2, SCRIPT_BYTES / 2, 0, 0 }, { 3, SCRIPT_BYTES / 2, 0, -E2BIG },
		{ SCRIPT_FDS, 1, 1, 0 },       { SCRIPT_FDS + 1, 1, 1, -E2BIG },
		{ 1, 1, SCRIPT_FDS, 0 },       { 2, 1, SCRIPT_FDS - 1, -E2BIG },
	};
	static const char zeros[SCRIPT_BYTES];
	int fds[SCRIPT_FDS];

	(void)state;
	for (size_t i = 0; i < SCRIPT_FDS; i++)
		fds[i] = STDERR_FILENO;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct script s = { .n = 0 };
		int says[2];
		int r = 0;

		pair(SOCK_SEQPACKET, says);
		for (unsigned int n = 0; !r && n < cases[i].packets; n++) {
			assert_int_equal(
				io_send_fds(says[1], zeros, cases[i].len, fds, cases[i].nfds), 0);
			r = script_hear(&s, says[0]);
		}
		/* A full one is heard to its end before it is too much. */
		if (r == -E2BIG && !cases[i].want)
			assert_true(s.n == SCRIPT_PACKETS || s.len == SCRIPT_BYTES);
		else
			assert_int_equal(r, cases[i].want);
		script_fini(&s);
		(void)close(says[0]);
		(void)close(says[1]);
	}
}

/* --- whether it replies the same --- */

static void test_replies(void **state)
{
	struct vu_again a = { .heard = 0 };
	static const uint8_t big[VU_WORDS_MAX];

	(void)state;
	assert_int_equal(vu_words_add(&a.told, "features", 8), 0);
	assert_int_equal(vu_words_add(&a.told_last, "ok", 2), 0);
	assert_int_equal(vu_again_wants(&a), 8);
	assert_int_equal(vu_again_hear(&a, "feat", 4), 0);
	assert_false(vu_again_turn(&a));
	assert_int_equal(vu_again_wants(&a), 4);
	assert_int_equal(vu_again_hear(&a, "uresok", 6), -EPROTO);
	assert_int_equal(vu_again_hear(&a, "urez", 4), -EPROTO);
	assert_int_equal(vu_again_hear(&a, "ures", 4), 0);
	assert_true(vu_again_turn(&a));
	assert_false(vu_again_done(&a));
	assert_int_equal(vu_again_wants(&a), 2);
	assert_int_equal(vu_again_hear(&a, "ok", 2), 0);
	assert_true(vu_again_done(&a));
	assert_int_equal(vu_again_wants(&a), 0);
	assert_int_equal(vu_again_hear(&a, "k", 1), -EPROTO);

	assert_int_equal(vu_words_add(&a.told, big, VU_WORDS_MAX - 7), -ENOSPC);
	assert_int_equal(vu_words_add(&a.told, big, VU_WORDS_MAX - 8), 0);
	assert_int_equal(vu_words_add(&a.told, big, 1), -ENOSPC);
}

/* --- a back end that comes again --- */

enum {
	KILLED,
	ENDS,
	SERVES
};

struct bed {
	struct backend b;
	struct loop loop;
	int machine[2]; /* a pipe in place of a pidfd: its end is that of the machine */
	const int *fates;
	unsigned int started, again;
	int heard; /* what back ends found at their sockets */
	int hear;
	int kept[1 + BACKEND_SPARES]; /* the library OS's sockets */
};

static void serve(const struct bed *bed, int sock, bool again, int fate)
{
	char word[16];
	int fd;
	size_t nfds;

	if (again) {
		ssize_t n = io_recv_fds(sock, word, sizeof(word), &fd, 1, &nfds);

		if (n != 5 || nfds != 1 || write(bed->heard, word, (size_t)n) != n)
			_exit(9);
	}
	if (fate == KILLED)
		(void)raise(SIGKILL);
	if (fate == ENDS)
		_exit(1);
	/* Until the front end is gone. */
	while (read(sock, word, sizeof(word)) > 0)
		;
	_exit(0);
}

static pid_t start(void *arg, int sock, int alive, bool again, struct err *e)
{
	struct bed *bed = arg;
	int fate = bed->fates[bed->started++];
	pid_t pid = fork();

	(void)alive;
	(void)e;
	bed->again += again;
	if (!pid) {
		/* As exec would. */
		(void)close(bed->b.sock[1]);
		for (unsigned int i = 0; i < 1 + BACKEND_SPARES; i++)
			closep(&bed->kept[i]);
		for (unsigned int i = 0; i < BACKEND_SPARES; i++)
			closep(&bed->b.spare[i][1]);
		serve(bed, sock, again, fate);
	}
	return pid;
}

static void bed_init(struct bed *bed, const int *fates, bool stubborn)
{
	struct err e = { 0 };
	int heard[2];

	*bed = (struct bed){ .b = BACKEND_INIT, .fates = fates, .kept = { -1, -1, -1, -1 } };
	bed->b.name = "toy";
	bed->b.start = start;
	bed->b.arg = bed;
	bed->b.stubborn = stubborn;
	assert_int_equal(pipe2(heard, O_CLOEXEC), 0);
	assert_int_equal(pipe2(bed->machine, O_CLOEXEC), 0);
	bed->hear = heard[0];
	bed->heard = heard[1];
	assert_int_equal(loop_init(&bed->loop), 0);
	assert_int_equal(backend_open(&bed->b, &e), 0);
	assert_int_equal(backend_start(&bed->b, &e), 0);
	assert_int_equal(backend_watch(&bed->b, &bed->loop, bed->machine[0]), 0);
}

/* The library OS has said all, and kept what it keeps. */
static void say(struct bed *bed)
{
	bed->kept[0] = dup(bed->b.sock[1]);
	for (unsigned int i = 0; i < BACKEND_SPARES; i++)
		bed->kept[1 + i] = dup(bed->b.spare[i][1]);
	assert_int_equal(io_send_fds(bed->b.says[1], "hello", 5, &bed->hear, 1), 0);
	backend_started(&bed->b);
}

static void bed_fini(struct bed *bed)
{
	for (unsigned int i = 0; i < 1 + BACKEND_SPARES; i++)
		(void)close(bed->kept[i]);
	if (bed->b.pid > 0)
		(void)waitpid(bed->b.pid, NULL, 0);
	backend_fini(&bed->b);
	loop_fini(&bed->loop);
	(void)close(bed->hear);
	(void)close(bed->heard);
	(void)close(bed->machine[0]);
	closep(&bed->machine[1]);
}

static bool left(const struct bed *bed)
{
	bool shut = !bed->b.pid && !bed->b.over;

	for (unsigned int i = 0; i < BACKEND_SPARES; i++)
		shut = shut && bed->b.spare[i][0] < 0 && bed->b.spare[i][1] < 0;
	return shut;
}

/* @started processes in all; at the end there is one that serves, or none comes any more. */
static void try_fates(const int *fates, bool stubborn, unsigned int started, bool serves)
{
	struct bed bed;
	char word[64];

	bed_init(&bed, fates, stubborn);
	say(&bed);
	while (serves ? bed.started < started : !left(&bed))
		assert_true(loop_once(&bed.loop) >= 0);
	assert_int_equal(bed.started, started);
	assert_int_equal(bed.again, started - 1);
	for (unsigned int i = 1; i < started; i++)
		assert_int_equal(read(bed.hear, word, 5), 5);
	assert_int_equal(left(&bed), !serves);
	bed_fini(&bed);
}

static void test_killed(void **state)
{
	(void)state;
	try_fates((const int[]){ KILLED, SERVES }, false, 2, true);
	try_fates((const int[]){ KILLED, KILLED, KILLED, SERVES }, false, 4, true);
	try_fates((const int[]){ KILLED, KILLED, KILLED, KILLED }, false, 4, false);
}

static void test_ends(void **state)
{
	(void)state;
	try_fates((const int[]){ ENDS }, false, 1, false);
	try_fates((const int[]){ ENDS }, true, 1, false);
	try_fates((const int[]){ KILLED, ENDS }, false, 2, false);
	try_fates((const int[]){ KILLED, ENDS, SERVES }, true, 3, true);
}

/* A back end that dies as its machine does is not started again. */
static void test_machine_ended(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, (const int[]){ KILLED }, false);
	say(&bed);
	(void)close(bed.machine[1]);
	bed.machine[1] = -1;
	while (bed.b.pid)
		assert_true(loop_once(&bed.loop) >= 0);
	assert_int_equal(bed.started, 1);
	bed_fini(&bed);
}

/* One that is killed before all is said comes again when it is. */
static void test_killed_early(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, (const int[]){ KILLED, SERVES }, false);
	while (!bed.b.over)
		assert_true(loop_once(&bed.loop) >= 0);
	assert_int_equal(bed.started, 1);
	say(&bed);
	while (bed.started < 2)
		assert_true(loop_once(&bed.loop) >= 0);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script),       cmocka_unit_test(test_script_limits),
		cmocka_unit_test(test_replies),      cmocka_unit_test(test_killed),
		cmocka_unit_test(test_ends),         cmocka_unit_test(test_machine_ended),
		cmocka_unit_test(test_killed_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
