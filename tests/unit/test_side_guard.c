/* SPDX-License-Identifier: MIT */
/*
 * How long the guard waits for a guest, and how often it stops one, by a clock that only its own waiting moves: the machine is
 * not there, and what is done to it is counted.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "side_guard.h"
#include "tracee.h"

#define MS          1000000ULL
#define PAUSE_MS    500 /* between two stops of a machine that stays paused, at most */
#define STOPS_FIRST 10 /* while the pauses get that long, each twice the one before, from 1 ms on */

/* Seen by the guard in a process of its own, too. */
static struct bed {
	uint64_t now_ns;
	unsigned int stops; /* of the machine, to undo */
	unsigned int again; /* so many of them come too early */
	uint64_t longest_ns;
} * bed;

static void pass(uint64_t ns)
{
	bed->now_ns += ns;
	bed->longest_ns = ns > bed->longest_ns ? ns : bed->longest_ns;
}

uint64_t __wrap_tracee_now_ns(void);
int __wrap_usleep(useconds_t us);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_side_inject_place(const struct side_inject *i, uint64_t size, struct side_entries *ret,
			     struct err *e);
int __wrap_side_inject_map(struct side_inject *i, uint64_t size, uint64_t *ret_ns, struct err *e);
int __wrap_side_inject_start(const struct side_inject *i, const struct side_entries *where,
			     uint64_t *ret_ns, struct err *e);
int __wrap_side_inject_undo(const struct side_inject *i, uint64_t *ret_ns, struct err *e);
bool __wrap_side_inject_lost(const struct side_inject *i);

uint64_t __wrap_tracee_now_ns(void)
{
	return bed->now_ns;
}

int __wrap_usleep(useconds_t us)
{
	pass(us * 1000ULL);
	return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	for (nfds_t k = 0; k < n; k++)
		fds[k].revents = 0;
	pass((uint64_t)ms * MS);
	return 0;
}

int __wrap_side_inject_place(const struct side_inject *i, uint64_t size, struct side_entries *ret,
			     struct err *e)
{
	(void)i, (void)size, (void)e;
	*ret = (struct side_entries){ .n = 0 };
	return 0;
}

int __wrap_side_inject_map(struct side_inject *i, uint64_t size, uint64_t *ret_ns, struct err *e)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)i, (void)ret_ns, (void)e;
	return fd < 0 || ftruncate(fd, (off_t)size) < 0 ? -errno : fd;
}

int __wrap_side_inject_start(const struct side_inject *i, const struct side_entries *where,
			     uint64_t *ret_ns, struct err *e)
{
	(void)i, (void)where, (void)ret_ns, (void)e;
	return 0;
}

int __wrap_side_inject_undo(const struct side_inject *i, uint64_t *ret_ns, struct err *e)
{
	(void)i, (void)ret_ns, (void)e;
	return bed->stops++ < bed->again ? -EAGAIN : 0;
}

bool __wrap_side_inject_lost(const struct side_inject *i)
{
	(void)i;
	return false;
}

static struct vm vm = VM_INIT;
static struct side_target target;
static struct side_shared *shared;

static int make(void **state)
{
	(void)state;
	if (!bed) {
		bed = mmap(NULL, sizeof(*bed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(bed, MAP_FAILED);
		assert_ptr_not_equal(shared, MAP_FAILED);
		vm.info.pid = getpid();
		assert_int_equal(pid_open(getpid(), &vm.ref, NULL), 0);
	}
	*bed = (struct bed){ .now_ns = 1000 * MS };
	*shared = (struct side_shared){ .r = 0 };
	return 0;
}

static int undo(unsigned int ms, uint64_t *ret_waited_ns, struct err *e)
{
	const struct side_inject i = { &vm, &target, &shared->made, NULL, SIDE_BELLS_NONE };
	uint64_t began = bed->now_ns;
	int r = side_guard_undo(&i, shared, ms, e);

	*ret_waited_ns = bed->now_ns - began;
	return r;
}

/* A paused guest is waited for to the end, and is not stopped a thousand times a second meanwhile. */
static void test_paused(void **state)
{
	struct err e = { 0 };
	uint64_t waited;

	(void)state;
	bed->again = UINT32_MAX;
	assert_int_equal(undo(60000, &waited, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "as a machine that is paused does"));
	assert_true(waited >= 60000 * MS && waited <= (60000 + PAUSE_MS) * MS);
	assert_true(bed->stops > 60000 / PAUSE_MS);
	assert_true(bed->stops <= 60000 / PAUSE_MS + STOPS_FIRST);
	assert_int_equal(bed->longest_ns, PAUSE_MS * MS);
	assert_false(shared->undone);
}

/* One that goes on soon is not waited for longer than it was paused, about. */
static void test_goes_on(void **state)
{
	struct err e = { 0 };
	uint64_t waited;

	(void)state;
	for (unsigned int again = 0; again < 3; again++) {
		(void)make(NULL);
		bed->again = again;
		assert_int_equal(undo(60000, &waited, &e), 0);
		assert_int_equal(bed->stops, again + 1);
		assert_int_equal(waited, ((1U << again) - 1) * MS);
		assert_true(shared->undone);
	}
}

/* While the guest's side says that it is not over, the machine is not stopped at all. */
static void test_not_over(void **state)
{
	static struct side_state s = { .stage = SIDE_RUNS };
	const struct side_inject i = { &vm, &target, &shared->made, &s, SIDE_BELLS_NONE };
	struct err e = { 0 };
	uint64_t began = bed->now_ns;

	(void)state;
	shared->made.queued = true;
	bed->again = UINT32_MAX;
	assert_int_equal(side_guard_undo(&i, shared, 5000, &e), -EBUSY);
	assert_true(bed->now_ns - began >= 5000 * MS && bed->now_ns - began <= 5002 * MS);
	assert_int_equal(bed->stops, 1);
	assert_int_equal(s.stop, 1);
}

/* What the options say is waited for a program to start, and said at the end; else what is usual. */
static void test_timeout(void **state)
{
	static const unsigned int ms[] = { 1000, 7000, 3600000, 0 };
	static const char *const argv[] = { "program", NULL };
	uint64_t began;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(ms); k++) {
		const struct side_opts o = {
			.vm = &vm, .program = "x", .size = 1, .argv = argv, .timeout_ms = ms[k]
		};
		static const char *const said[] = { "1", "7", "3600", "5" };
		const unsigned int want = ms[k] ? ms[k] : SIDE_START_MS;
		struct side_guard g = { &o, &target, shared, -1, eventfd(0, EFD_CLOEXEC) };
		int sock[2], status = -1;
		char text[192];
		pid_t pid;

		(void)make(NULL);
		began = bed->now_ns;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
		g.sock = sock[1];
		pid = fork();
		if (!pid)
			side_guard_run(&g);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(shared->r, -ETIMEDOUT);
		(void)snprintf(
			text, sizeof(text),
			"the guest did not start vmsh's program within %s s, the --timeout: its processor has not taken up the work that it was given",
			said[k]);
		assert_string_equal(shared->err.msg, text);
		assert_true(bed->now_ns - began > want * MS);
		assert_true(bed->now_ns - began <= (want + 2) * MS);
		/* it was undone, too */
		assert_int_equal(bed->stops, 1);
		close(sock[0]);
		close(sock[1]);
		close(g.bell);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_paused, make),
		cmocka_unit_test_setup(test_goes_on, make),
		cmocka_unit_test_setup(test_not_over, make),
		cmocka_unit_test_setup(test_timeout, make),
	};

	return cmocka_run_group_tests_name("side_guard", tests, NULL, NULL);
}
