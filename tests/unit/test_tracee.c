/* SPDX-License-Identifier: MIT */
/* A process that calls were made in goes on as if nothing had been, also where a call did not end in time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slow_clock.h"
#include "tracee.h"

#define LIMIT_NS  100000000ULL
#define ENOUGH_NS (1000 * LIMIT_NS) /* only what hangs takes so long */

struct rig {
	pid_t pid;
	int in[2];    /* what the process waits for */
	int empty[2]; /* nothing ever comes there */
	int some[2];  /* seven bytes are there */
	int ready[2]; /* it says there that it is about to wait */
	bool ignores; /* SIGTRAP */
	bool dies;    /* of it */
	struct pid_ref ref;
};

static int *traps; /* that the process has taken, in memory of both */

static void on_trap(int sig)
{
	(void)sig;
	++*traps;
}

/* Return: the exit status, 0 if all is as it should be. */
static int victim(const struct rig *r)
{
	struct sigaction trap = { .sa_handler = r->ignores ? SIG_IGN
						: r->dies  ? SIG_DFL
							   : on_trap,
				  .sa_flags = SA_RESTART },
			 is;
	sigset_t mask, now;
	char buf[8];

	sigaction(SIGTRAP, &trap, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (write(r->ready[1], "", 1) != 1 || read(r->in[0], buf, sizeof(buf)) != 3 ||
	    memcmp(buf, "abc", 3) != 0)
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &now);
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&now, sig) != (sig == SIGUSR2))
			return 2;
	sigaction(SIGTRAP, NULL, &is);
	return is.sa_handler == trap.sa_handler ? 0 : 3;
}

static void wait_until_it_sleeps(pid_t pid)
{
	char path[64], state = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (unsigned int i = 0; state != 'S'; i++) {
		FILE *f = fopen(path, "r");

		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
		(void)fclose(f);
		assert_true(i < 100000);
		(void)usleep(state == 'S' ? 0 : 1000);
	}
}

static void start(struct rig *r)
{
	char byte;

	assert_int_equal(pipe(r->in), 0);
	assert_int_equal(pipe(r->empty), 0);
	assert_int_equal(pipe(r->some), 0);
	assert_int_equal(pipe(r->ready), 0);
	assert_int_equal(write(r->some[1], "1234567", 7), 7);
	r->pid = fork();
	if (!r->pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(victim(r));
	}
	assert_true(r->pid > 0);
	assert_int_equal(pid_open(r->pid, &r->ref, NULL), 0);
	assert_int_equal(read(r->ready[0], &byte, 1), 1);
	wait_until_it_sleeps(r->pid);
}

static void end(struct rig *r)
{
	int status;

	assert_int_equal(write(r->in[1], "abc", 3), 3);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(r->in[i]);
		close(r->empty[i]);
		close(r->some[i]);
		close(r->ready[i]);
	}
	pid_close(&r->ref);
}

static void test_call(void **state)
{
	char said[TRACEE_SCRATCH + 1] = "";
	struct err e = { 0 };
	struct tracee t;
	struct rig r;
	long ret = 0;

	(void)state;
	start(&r);
	assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
	assert_int_equal(tracee_call(&t, SYS_getpid, (uint64_t[6]){ 0 }, &ret, &e), 0);
	assert_int_equal(ret, r.pid);
	/* an argument that points to something */
	assert_int_equal(tracee_call_with(&t, SYS_write, (uint64_t[6]){ (uint64_t)r.some[1], 0, 3 },
					  &(struct tracee_data){ 1, "89a", 3 }, &ret, &e),
			 0);
	assert_int_equal(ret, 3);
	assert_int_equal(read(r.some[0], said, sizeof(said)), 10);
	assert_memory_equal(said, "123456789a", 10);
	assert_int_equal(tracee_call_with(&t, SYS_write, (uint64_t[6]){ 0 },
					  &(struct tracee_data){ 1, said, sizeof(said) }, &ret,
					  NULL),
			 -EFAULT);
	assert_int_equal(tracee_in_call(&t, SYS_ioctl, 0), 0);
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	end(&r);
}

static void test_call_without_end(void **state)
{
	uint8_t now[TRACEE_SCRATCH];
	struct err e = { 0 };
	int count = 0x5aa5;
	struct tracee t;
	struct rig r;
	long ret = 0;

	(void)state;
	start(&r);
	assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);

	struct tracee_ioctl c = { r.some[0], FIONREAD, &count, sizeof(count), 0 };

	assert_int_equal(tracee_ioctl(&t, &c, &e), 0);
	assert_int_equal(count, 7);

	uint64_t args[6] = { (uint64_t)r.empty[0], t.scratch.v, 8 };

	t.call_limit_ns = LIMIT_NS;
	assert_int_equal(tracee_call(&t, SYS_read, args, &ret, &e), -ETIMEDOUT);
	assert_int_equal(tracee_call(&t, SYS_getpid, args, &ret, &e), -EBUSY);
	t.call_limit_ns = ENOUGH_NS;
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	assert_int_equal(tracee_read(r.pid, t.scratch, now, sizeof(now)), 0);
	assert_memory_equal(now, t.under, sizeof(now));
	end(&r);
}

/* SIGSTOP can't be blocked: one that comes meanwhile stops the process when it goes on. */
static void test_stop_signal(void **state)
{
	struct err e = { 0 };
	struct tracee t;
	struct rig r;
	long ret = 0;
	int status;

	(void)state;
	start(&r);
	assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
	assert_int_equal(kill(r.pid, SIGSTOP), 0);
	assert_int_equal(tracee_call(&t, SYS_getpid, (uint64_t[6]){ 0 }, &ret, &e), 0);
	assert_int_equal(ret, r.pid);
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	assert_int_equal(waitpid(r.pid, &status, WUNTRACED), r.pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(r.pid, SIGCONT), 0);
	end(&r);
}

#define MANY 300 /* more than fit into scratch memory */

static size_t count_code(const struct rig *r)
{
	char path[64], line[512];
	size_t n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", r->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, " r-xp 00000000 00:00 0 \n") != NULL;
	(void)fclose(f);
	return n;
}

/* Many calls: each has its own result and what it gives, in both ways of making them. */
static void check_many(struct rig *r, size_t code)
{
	struct tracee_ioctl c[MANY];
	struct err e = { 0 };
	struct tracee t;
	int count[MANY];

	assert_int_equal(tracee_stop(&r->ref, 0, &t, &e), 0);
	for (size_t i = 0; i < MANY; i++) {
		count[i] = 0x5aa5;
		c[i] = (struct tracee_ioctl){ i % 3 ? r->some[0] : -1, FIONREAD, &count[i],
					      sizeof(count[i]), 1 };
	}
	assert_int_equal(tracee_ioctls(&t, c, MANY, false, &e), MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(c[i].ret, i % 3 ? 0 : -EBADF);
		assert_int_equal(count[i], i % 3 ? 7 : 0x5aa5);
		c[i].fd = i < 200 ? -1 : r->some[0];
		c[i].ret = 1;
	}
	assert_int_equal(count_code(r), code);
	/* the first that succeeds is the last */
	assert_int_equal(tracee_ioctls(&t, c, MANY, true, &e), 201);
	assert_int_equal(c[199].ret, -EBADF);
	assert_int_equal(c[200].ret, 0);
	assert_int_equal(c[201].ret, 1);
	assert_int_equal(tracee_ioctls(&t, c, 0, false, &e), 0);
	assert_int_equal(tracee_restore(&t, &e), 0);
	assert_int_equal(count_code(r), 0);
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
}

static void test_many(void **state)
{
	struct rig r = { 0 };

	(void)state;
	start(&r);
	check_many(&r, 1);
	end(&r);
}

/* A breakpoint would change how it takes SIGTRAP. */
static void test_many_without_trap(void **state)
{
	struct rig r = { .ignores = true };

	(void)state;
	start(&r);
	check_many(&r, 0);
	end(&r);
}

/* A call that does not end, after many: the page goes once it has. */
static void test_many_and_one_without_end(void **state)
{
	struct tracee_ioctl c[2];
	struct rig r = { 0 };
	struct err e = { 0 };
	struct tracee t;
	int count = 0;
	long ret;

	(void)state;
	start(&r);
	for (size_t i = 0; i < 2; i++)
		c[i] = (struct tracee_ioctl){ r.some[0], FIONREAD, &count, sizeof(count), 1 };

	assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
	assert_int_equal(tracee_ioctls(&t, c, 2, false, &e), 2);
	assert_int_equal(count_code(&r), 1);
	t.call_limit_ns = LIMIT_NS;

	uint64_t args[6] = { (uint64_t)r.empty[0], t.scratch.v, 8 };

	assert_int_equal(tracee_call(&t, SYS_read, args, &ret, &e), -ETIMEDOUT);
	t.call_limit_ns = ENOUGH_NS;
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	assert_int_equal(count_code(&r), 0);
	end(&r);
}

/* Whose FIONREAD takes long: it adds up the lengths of many events. */
static int open_slow(void)
{
	char path[] = "/tmp/tracee.XXXXXX";
	int fd = mkstemp(path), slow = inotify_init1(IN_NONBLOCK);

	assert_true(fd >= 0 && slow >= 0);
	assert_true(inotify_add_watch(slow, path, IN_OPEN | IN_CLOSE) >= 0);
	(void)close(fd);
	for (unsigned int i = 0; i < 8000; i++)
		(void)close(open(path, O_RDONLY));
	assert_int_equal(unlink(path), 0);
	return slow;
}

/* Many that take too long, and come to their end before they are asked to stop: the process takes no signal of ours. */
static void test_many_too_late(void **state)
{
	struct tracee_ioctl c[100];
	struct rig r = { .dies = true };
	struct err e = { 0 };
	struct tracee t;
	/* how often a limit is looked at */
	const struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { { 0 } };
	int late = 0, count = 0, slow = open_slow();

	(void)state;
	start(&r);
	/* until it has happened: who looks at the limit may not get a processor in time */
	for (unsigned int i = 0; i < 20 || (!late && i < 2000); i++) {
		for (size_t k = 0; k < 100; k++)
			c[k] = (struct tracee_ioctl){ slow, FIONREAD, &count, sizeof(count), 1 };
		assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
		assert_int_equal(tracee_ioctls(&t, c, 2, false, &e), 2);
		assert_true(count > 8000);
		t.call_limit_ns = 0;
		assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
		if (tracee_ioctls(&t, c, 100, false, &e) == -ETIMEDOUT) {
			late++;
			assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
			assert_int_equal(tracee_ioctls(&t, c, 2, false, &e), -EBUSY);
			(void)poll(NULL, 0, 4 * (int)(i % 20));
		}
		t.call_limit_ns = ENOUGH_NS;
		assert_int_equal(tracee_release(&t, NULL, &e), 0);
		assert_int_equal(count_code(&r), 0);
	}
	print_message("%d were late\n", late);
	assert_true(late > 0);
	(void)close(slow);
	end(&r);
}

/* Somebody else's SIGTRAP comes when all is over. */
static void test_trap_signal(void **state)
{
	int count = 0, end_of_wait = 10000;
	struct rig r = { 0 };
	struct tracee_ioctl c[4];
	struct err e = { 0 };
	struct tracee t;

	(void)state;
	*traps = 0;
	start(&r);
	for (size_t i = 0; i < 4; i++)
		c[i] = (struct tracee_ioctl){ r.some[0], FIONREAD, &count, sizeof(count), 1 };
	assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
	assert_int_equal(kill(r.pid, SIGTRAP), 0);
	assert_int_equal(tracee_ioctls(&t, c, 4, false, &e), 4);
	assert_int_equal(count, 7);
	assert_int_equal(*traps, 0);
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	while (!*(volatile int *)traps && end_of_wait--)
		usleep(10000);
	assert_int_equal(*traps, 1);
	end(&r);
}

#define UNSTOPPABLE 8

/* In memory of both. */
static struct unstoppable {
	volatile uint64_t longest_ns; /* that the thread below stood for */
	volatile unsigned int rounds; /* of it */
	volatile unsigned int vforked;
} * u;

static void *count(void *arg)
{
	uint64_t last = tracee_now_ns();

	for (;;) {
		uint64_t now = tracee_now_ns();

		u->longest_ns = now - last > u->longest_ns ? now - last : u->longest_ns;
		u->rounds++;
		last = now;
		usleep(1000);
	}
	return arg;
}

/* The parent of a vfork() can't be stopped until that ends. */
static void *unstoppable(void *arg)
{
	/* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork): it is what is tested */
	if (!vfork()) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)__atomic_fetch_add(&u->vforked, 1, __ATOMIC_RELAXED);
		(void)sleep(1000);
		_exit(0);
	}
	/* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
	return arg;
}

static void threads(void)
{
	pthread_t t;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < UNSTOPPABLE; i++)
		(void)pthread_create(&t, NULL, unstoppable, NULL);
	while (u->vforked < UNSTOPPABLE)
		usleep(1000);
	(void)pthread_create(&t, NULL, count, NULL);
	for (;;)
		pause();
}

static void wait_for_rounds(unsigned int n)
{
	n += u->rounds;
	for (unsigned int i = 0; u->rounds < n; i++) {
		assert_true(i < 100000);
		usleep(1000);
	}
}

/* Threads that stand do not wait for those that do not: one wait of two seconds, not one for each. */
static void test_unstoppable(void **state)
{
	struct pid_ref ref = PID_REF_INIT;
	pid_t pid, tracer;
	int status;

	(void)state;
	u = mmap(NULL, sizeof(*u), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(u, MAP_FAILED);
	pid = fork();
	if (!pid)
		threads();
	assert_true(pid > 0);
	wait_for_rounds(2);
	assert_int_equal(pid_open(pid, &ref, NULL), 0);
	/* threads that never stopped are let go by the tracer's end */
	tracer = fork();
	if (!tracer) {
		struct tracee t;

		_exit(tracee_stop(&ref, 0, &t, NULL) == -ETIMEDOUT ? 0 : 1);
	}
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
	wait_for_rounds(2);
	print_message("a thread stood for %.1f s\n", (double)u->longest_ns / 1e9);
	assert_true(u->longest_ns > 1500000000 && u->longest_ns < 15000000000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pid_close(&ref);
	(void)munmap(u, sizeof(*u));
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A process that somebody else traces until he hears of @pipe's end. */
static pid_t traced_by_other(pid_t pid, int in)
{
	int ready[2];
	pid_t other;
	char c;

	assert_int_equal(pipe(ready), 0);
	other = fork();
	if (!other) {
		int status;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 ||
		    ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, 0) != pid ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		/* long enough for one that does not wait to have given up */
		while (read(in, &c, 1) < 0)
			;
		usleep(100000);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return other;
}

/* Another vmsh, which has it for a moment, is waited for; a debugger, which keeps it, is not. */
static void test_traced(void **state)
{
	struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	struct tracee t;
	pid_t pid, other;
	int in[2];

	(void)state;
	assert_int_equal(pipe(in), 0);
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(pid_open(pid, &ref, NULL), 0);
	other = traced_by_other(pid, in[0]);
	assert_int_equal(tracee_stop(&ref, 0, &t, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "is traced by process"));
	slowness = VERY_SLOWLY;
	assert_int_equal(write(in[1], "", 1), 1);
	assert_int_equal(tracee_stop(&ref, 0, &t, &e), 0);
	assert_int_equal(tracee_release(&t, NULL, &e), 0);
	slowness = 1;
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pid_close(&ref);
	close(in[0]);
	close(in[1]);
}

/* Two who want the same process all the time: each gets it in turn, and is never told that it is not permitted. */
static void test_in_turn(void **state)
{
	struct pid_ref ref = PID_REF_INIT;
	pid_t pid, tracer[2];
	int status;

	(void)state;
	pid = fork();
	if (!pid) {
		pthread_t t;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 3; i++)
			(void)pthread_create(&t, NULL, wait_for_ever, NULL);
		wait_for_ever(NULL);
	}
	assert_int_equal(pid_open(pid, &ref, NULL), 0);
	for (int i = 0; i < 2; i++) {
		tracer[i] = fork();
		if (tracer[i])
			continue;
		slowness = VERY_SLOWLY;
		for (int n = 0; n < 200; n++) {
			struct err e = { 0 };
			struct tracee t;

			if (tracee_stop(&ref, 0, &t, &e) < 0) {
				fprintf(stderr, "# %d: %s\n", n, e.msg);
				_exit(1);
			}
			if (tracee_release(&t, NULL, &e) < 0)
				_exit(2);
		}
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(tracer[i], &status, 0), tracer[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pid_close(&ref);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_without_end),
		cmocka_unit_test(test_stop_signal),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_many_without_trap),
		cmocka_unit_test(test_many_and_one_without_end),
		cmocka_unit_test(test_many_too_late),
		cmocka_unit_test(test_trap_signal),
		cmocka_unit_test(test_unstoppable),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_in_turn),
	};

	traps = mmap(NULL, sizeof(*traps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return cmocka_run_group_tests_name("tracee", tests, NULL, NULL);
}
