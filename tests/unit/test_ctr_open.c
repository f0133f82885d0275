/* SPDX-License-Identifier: MIT */
/* A container whose pid gets a new owner between the engine's answer and the pidfd. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/sched.h>

#include "cleanup.h"
#include "ctr.h"

#define NEVER (-1)

struct bed {
	char dir[32], host[128];
	int sock;
	pid_t daemon;
	struct ctr_env env;
};

/* A process that waits, with pid @want unless that is 0. -errno. */
static pid_t start_waiting(pid_t want)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = want ? (uintptr_t)&want : 0, /* Linux 5.5 */
				   .set_tid_size = want ? 1 : 0 };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : (pid_t)pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* Wait longer than the clock of start times takes to go on. */
static void get_older(void)
{
	usleep(25000);
}

static void answer(int conn, pid_t pid)
{
	char body[256], head[128], request[4096];
	int len = snprintf(body, sizeof(body),
			   "{\"Id\":\"%064d\",\"Name\":\"/web\",\"Config\":{\"Image\":\"x\"},"
			   "\"State\":{\"Running\":%s,\"Pid\":%d}}",
			   7, pid ? "true" : "false", pid);
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len);

	if (recv(conn, request, sizeof(request), 0) <= 0 || send(conn, head, n, 0) != n ||
	    send(conn, body, len, 0) != len)
		_exit(1);
	close(conn);
}

/*
 * A daemon whose container runs. From its first answer on, @reuses times, the process
 * has gone and another has its pid; after that the daemon says that the container stopped. NEVER: it runs on.
 */
static _Noreturn void serve(int sock, int ready, int reuses)
{
	pid_t pid = start_waiting(0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	get_older();
	if (write(ready, "x", 1) != 1)
		_exit(1);
	for (;;) {
		int conn = accept(sock, NULL, NULL);

		if (reuses > 0) {
			end(pid);
			if (start_waiting(pid) != pid)
				_exit(1);
		}
		answer(conn, reuses ? pid : 0);
		if (reuses > 0)
			reuses--;
	}
}

static void bed_make(struct bed *b, int reuses)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int ready[2];
	char byte;

	*b = (struct bed){ .dir = "/tmp/ctr-open.XXXXXX" };
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", b->dir);
	(void)snprintf(b->host, sizeof(b->host), "unix://%s", addr.sun_path);
	b->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(b->sock, 8), 0);
	assert_int_equal(pipe(ready), 0);
	b->daemon = fork();
	if (!b->daemon)
		serve(b->sock, ready[1], reuses);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	b->env = (struct ctr_env){ .root = "", .docker_host = b->host, .uid = getuid() };
}

static void bed_remove(struct bed *b)
{
	end(b->daemon);
	close(b->sock);
	(void)unlink(b->host + strlen("unix://"));
	(void)rmdir(b->dir);
}

/* Only root of the pid namespace's user namespace may choose a pid. */
static void need_set_tid(void)
{
	pid_t pid = start_waiting(0), again;

	end(pid);
	again = start_waiting(pid);
	if (again > 0)
		end(again);
	else
		skip();
}

static void test_runs(void **state)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	struct bed b;

	(void)state;
	bed_make(&b, NEVER);
	assert_int_equal(ctr_open(&b.env, "docker:web", &c, &ref, &e), 0);
	assert_int_equal(ref.pid, c.pid);
	assert_true(pid_alive(&ref));
	bed_remove(&b);
}

static void test_reused(void **state)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	struct bed b;

	(void)state;
	need_set_tid();
	bed_make(&b, 1);
	assert_int_equal(ctr_open(&b.env, "docker:web", &c, &ref, &e), -EHOSTDOWN);
	assert_string_equal(e.msg, "container 'web' is stopped; start it first");
	assert_int_equal(ref.pidfd, -1);
	assert_null(c.name);
	bed_remove(&b);
}

static void test_reused_again_and_again(void **state)
{
	_cleanup_ctr_ struct ctr c = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	struct bed b;

	(void)state;
	need_set_tid();
	bed_make(&b, 100);
	assert_int_equal(ctr_open(&b.env, "docker:web", &c, &ref, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "now belongs to another process"));
	assert_int_equal(ref.pidfd, -1);
	bed_remove(&b);
}

static void test_just_started(void **state)
{
	const struct ctr_env env = { .root = "", .uid = getuid() };
	char target[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		_cleanup_ctr_ struct ctr c = { 0 };
		_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
		struct err e = { 0 };
		pid_t pid = start_waiting(0);

		(void)snprintf(target, sizeof(target), "%d", pid);
		assert_int_equal(ctr_open(&env, target, &c, &ref, &e), 0);
		assert_int_equal(ref.pid, pid);
		end(pid);
		assert_false(pid_alive(&ref));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_reused),
		cmocka_unit_test(test_reused_again_and_again),
		cmocka_unit_test(test_just_started),
	};

	return cmocka_run_group_tests_name("ctr_open", tests, NULL, NULL);
}
