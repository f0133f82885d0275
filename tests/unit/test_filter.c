/* SPDX-License-Identifier: MIT */
/* Filters: read from processes, compiled from configurations, installed, simulated. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf.h"
#include "cleanup.h"
#include "filter.h"
#include "json.h"
#include "status.h"

#define DENY(call)                                                             \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),             \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),          \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter oldest[] = { DENY(SYS_unshare) };
static struct sock_filter newest[] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), DENY(SYS_getcpu) };

#define X32_BIT 0x40000000u

static int install(struct sock_filter *insns, size_t n, unsigned int flags)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = insns };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* A child that calls @prepare, says so, and waits. */
static pid_t start(int (*prepare)(void), struct pid_ref *ret)
{
	int ready[2], never[2];
	struct err e;
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(never, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		c = prepare() == 0 ? 'y' : 'n';
		/* Strict mode allows no more than these two. */
		(void)syscall(SYS_write, ready[1], &c, 1);
		for (;;)
			(void)syscall(SYS_read, never[0], &c, 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(never[i]);
	}
	assert_int_equal(pid_open(pid, ret, &e), 0);
	return pid;
}

static void stop(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static int prepare_none(void)
{
	return 0;
}

static int prepare_two(void)
{
	return install(oldest, ARRAY_SIZE(oldest), 0) ||
	       install(newest, ARRAY_SIZE(newest), SECCOMP_FILTER_FLAG_LOG);
}

static int prepare_many(void)
{
	for (int i = 0; i < NS_SECCOMP_FILTERS_MAX; i++)
		if (install(oldest, ARRAY_SIZE(oldest), 0))
			return -1;
	return 0;
}

static int prepare_too_many(void)
{
	return prepare_many() || install(oldest, ARRAY_SIZE(oldest), 0);
}

static int prepare_strict(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
}

static int prepare_stopped(void)
{
	return install(oldest, ARRAY_SIZE(oldest), 0);
}

static void test_none(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e = { 0 };
	pid_t pid = start(prepare_none, &p);

	(void)state;
	assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.stopped_ns, 0);
	assert_int_equal(ns_seccomp_install(&s), 0);
	stop(pid);
	assert_int_equal(ns_seccomp_read(&p, &s, &e), -ESRCH);
}

static void must_be_free(const struct pid_ref *p)
{
	_cleanup_status_ struct proc_status s = { 0 };
	struct err e;

	assert_int_equal(proc_status_read(p, &s, &e), 0);
	assert_int_equal(s.tracer, 0);
	assert_true(s.state == 'S' || s.state == 'R');
}

static void test_read(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e = { 0 };
	pid_t pid = start(prepare_two, &p);

	(void)state;
	assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
	must_be_free(&p);
	stop(pid);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.v[0].n, ARRAY_SIZE(oldest));
	assert_memory_equal(s.v[0].insns, oldest, sizeof(oldest));
	assert_int_equal(s.v[0].flags, 0);
	assert_int_equal(s.v[1].n, ARRAY_SIZE(newest));
	assert_memory_equal(s.v[1].insns, newest, sizeof(newest));
	assert_int_equal(s.v[1].flags, SECCOMP_FILTER_FLAG_LOG);
	assert_false(s.supervised);
	assert_true(s.stopped_ns > 0);
	print_message("# stopped for %llu us\n", (unsigned long long)s.stopped_ns / 1000);
}

/* As it would be inside: what was read, in force. */
static int calls_denied(const struct ns_seccomp *s, bool nnp)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int denied = 0;

		if (nnp && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setresuid(1, 1, 1)))
			_exit(99);
		if (ns_seccomp_install(s) < 0)
			_exit(98);
		denied += syscall(SYS_unshare, 0) < 0 && errno == EPERM;
		denied += syscall(SYS_getcpu, 0, 0, 0) < 0 && errno == EPERM;
		_exit(denied);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_install(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct ns_seccomp none = { 0 };
	struct err e;
	pid_t pid = start(prepare_two, &p);

	(void)state;
	assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
	stop(pid);
	assert_int_equal(calls_denied(&none, false), 0);
	assert_int_equal(calls_denied(&s, false), 2);
	assert_int_equal(calls_denied(&s, true), 2);
	s.n = 1;
	assert_int_equal(calls_denied(&s, false), 1);
	s.n = 2;
	s.v[1].insns[0].code = 0xffff;
	assert_int_equal(calls_denied(&s, false), 98);
}

/* The first filter forbids seccomp(2); whoever set the second one had to use prctl(2). */
static void test_install_prctl(void **state)
{
	struct sock_filter no_seccomp[] = { DENY(SYS_seccomp) };
	struct ns_seccomp_filter v[] = {
		{ no_seccomp, ARRAY_SIZE(no_seccomp), 0 },
		{ oldest, ARRAY_SIZE(oldest), 0 },
	};
	struct ns_seccomp s = { .v = v, .n = 2 };

	(void)state;
	assert_int_equal(calls_denied(&s, false), 1);
}

static void test_bounds(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT, q = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;
	pid_t pid = start(prepare_many, &p);

	(void)state;
	assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
	assert_int_equal(s.n, NS_SECCOMP_FILTERS_MAX);
	print_message("# %zu filters: stopped for %llu us\n", s.n,
		      (unsigned long long)s.stopped_ns / 1000);
	ns_seccomp_fini(&s);
	stop(pid);
	pid = start(prepare_too_many, &q);
	assert_int_equal(ns_seccomp_read(&q, &s, &e), -E2BIG);
	must_be_free(&q);
	stop(pid);
}

static void test_strict(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;
	pid_t pid = start(prepare_strict, &p);

	(void)state;
	assert_int_equal(ns_seccomp_read(&p, &s, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.msg, "strict mode"));
	stop(pid);
}

static void test_traced(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;
	pid_t pid = start(prepare_two, &p);

	(void)state;
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(ns_seccomp_read(&p, &s, &e), -EPERM);
	assert_non_null(strstr(e.msg, "traced"));
	stop(pid);
}

/* Not root, and under a filter ourselves: both are told before anybody is stopped. */
static void test_not_permitted(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;
	pid_t pid = start(prepare_two, &p);

	(void)state;
	for (int i = 0; i < 2; i++) {
		int status;
		pid_t child = fork();

		if (!child) {
			if (i ? install(oldest, ARRAY_SIZE(oldest), 0) : setresuid(1, 1, 1))
				_exit(99);
			_exit(ns_seccomp_read(&p, &s, &e) == -EPERM && !s.stopped_ns ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	stop(pid);
}

static void test_stopped_target(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	_cleanup_status_ struct proc_status st = { 0 };
	struct err e;
	pid_t pid = start(prepare_stopped, &p);
	int status;

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
	assert_int_equal(s.n, 1);
	usleep(20000);
	assert_int_equal(proc_status_read(&p, &st, &e), 0);
	assert_int_equal(st.state, 'T');
	stop(pid);
}

static volatile sig_atomic_t *seen;

static void on_signal(int sig)
{
	(void)sig;
	++*seen;
}

static int prepare_counting(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	return sigaction(SIGRTMIN, &sa, NULL) || install(oldest, ARRAY_SIZE(oldest), 0);
}

/* Real-time signals are queued: each one counts, whatever the stops. */
static void test_signals(void **state)
{
	enum {
		ROUNDS = 200,
		EACH = 20
	};
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	struct err e;
	pid_t pid, sender;

	(void)state;
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start(prepare_counting, &p);
	sender = fork();
	if (!sender) {
		for (int i = 0; i < ROUNDS * EACH; i++) {
			while (sigqueue(pid, SIGRTMIN, (union sigval){ 0 }) < 0 && errno == EAGAIN)
				usleep(100);
			if (i % EACH == 0)
				usleep(200);
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_seccomp_ struct ns_seccomp s = { 0 };

		assert_int_equal(ns_seccomp_read(&p, &s, &e), 0);
		assert_int_equal(s.n, 1);
	}
	(void)waitpid(sender, NULL, 0);
	for (int i = 0; i < 5000 && *seen < ROUNDS * EACH; i++)
		usleep(20000);
	assert_int_equal(*seen, ROUNDS * EACH);
	stop(pid);
}

static int compile(const char *text, struct ns_seccomp *s, struct err *e)
{
	_cleanup_json_ struct json_object *o = NULL;

	assert_int_equal(json_parse(text, strlen(text), &o, e), 0);
	return ns_seccomp_compile(o, s, e);
}

static uint32_t answer(const struct ns_seccomp *s, uint32_t arch, uint32_t nr, uint64_t arg0,
		       uint64_t arg1)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = arch, .args = { arg0, arg1 } };

	return bpf_run_all(s, &d);
}

#define ARCHES   "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))

static void test_compile(void **state)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":7," ARCHES
		",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
		"{\"names\":[\"read\",\"no_such_call\",\"statx\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7},"
		"{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
		"{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		"{\"index\":0,\"value\":8,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_LOG\",\"args\":["
		"{\"index\":0,\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"},"
		"{\"index\":1,\"value\":5,\"op\":\"SCMP_CMP_GT\"}]}]}";
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(compile(text, &s, &e), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.v[0].flags, SECCOMP_FILTER_FLAG_LOG);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&s, AUDIT_ARCH_I386, 3, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, X32_BIT, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&s, AUDIT_ARCH_AARCH64, 63, 0, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_write, 0, 0), ERRNO(7));
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_openat, 0, 0), SECCOMP_RET_KILL_PROCESS);
	/* Two conditions on one argument are alternatives, on two arguments both must hold. */
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_personality, 8, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_personality, UINT64_MAX, 0),
			 SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_personality, 9, 0), ERRNO(7));
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_clone, 17, 6), SECCOMP_RET_LOG);
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_clone, 17, 5), ERRNO(7));
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_clone, CLONE_NEWUSER, 6), ERRNO(7));
	/* Newer than statx, the newest that is named. */
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_statx + 1, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_statx - 1, 0, 0), ERRNO(7));
	assert_int_equal(answer(&s, AUDIT_ARCH_I386, 384, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, X32_BIT | (SYS_statx + 1), 0, 0),
			 ERRNO(ENOSYS));
}

static void test_compile_odd(void **state)
{
	static const struct {
		const char *text;
		uint32_t read, newer;
		bool supervised;
	} good[] = {
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW,
		  false },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", ERRNO(EPERM), ERRNO(EPERM), false },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\"," ARCHES
		  ",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		  SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW, true },
		{ "{\"defaultAction\":\"SCMP_ACT_TRACE\"," ARCHES
		  ",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		  SECCOMP_RET_ALLOW, SECCOMP_RET_TRACE | EPERM, false },
		{ "{\"defaultAction\":\"SCMP_ACT_KILL\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
		  "\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		  SECCOMP_RET_ALLOW, ERRNO(ENOSYS), false },
		{ "{\"defaultAction\":\"SCMP_ACT_KILL\",\"syscalls\":[{\"names\":[],"
		  "\"action\":\"SCMP_ACT_ALLOW\"}]}",
		  SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_THREAD, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_seccomp_ struct ns_seccomp s = { 0 };
		struct err e = { 0 };

		if (compile(good[i].text, &s, &e) < 0)
			fail_msg("%s: %s", good[i].text, e.msg);
		assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, SYS_read, 0, 0), good[i].read);
		assert_int_equal(answer(&s, AUDIT_ARCH_X86_64, 460, 0, 0), good[i].newer);
		assert_int_equal(s.supervised, good[i].supervised);
		assert_int_equal(s.v[0].flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	}
}

#define RULE(text) "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" text "]}"
#define ARG(text)  RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[" text "]}")

static void test_compile_bad(void **state)
{
	static const char *const bad[] = {
		"[]",
		"7 ",
		"{}",
		"{\"defaultAction\":7}",
		"{\"defaultAction\":\"SCMP_ACT_NONE\"}",
		"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_Z80\"]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"X86_64\"]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[null]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":"
		"[\"SCMP_ARCH_X86_64_AND_A_LONG_TAIL_OF_LETTERS\"]}",
		RULE("7"),
		RULE("{}"),
		RULE("{\"names\":[\"read\"]}"),
		RULE("{\"names\":[\"\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		RULE("{\"names\":[null],\"action\":\"SCMP_ACT_ALLOW\"}"),
		RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":99999}"),
		ARG("7"),
		ARG("{}"),
		ARG("{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":-1,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":0,\"value\":\"1\",\"op\":\"SCMP_CMP_EQ\"}"),
		ARG("{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_ABOUT\"}"),
		ARG("{\"index\":0,\"value\":1}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_seccomp_ struct ns_seccomp s = { 0 };
		struct err e = { 0 };

		if (compile(bad[i], &s, &e) != -EPROTO || s.n || !*e.msg)
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_compile_bounds(void **state)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *rule, *list;
	_cleanup_seccomp_ struct ns_seccomp s = { 0 };
	struct err e;

	(void)state;
	json_add_str(o, "defaultAction", "SCMP_ACT_ERRNO");
	list = json_object_new_array();
	json_object_object_add(o, "syscalls", list);
	rule = json_object_new_object();
	json_add_str(rule, "action", "SCMP_ACT_ALLOW");
	json_object_array_add(list, rule);
	list = json_object_new_array();
	json_object_object_add(rule, "names", list);
	for (int i = 0; i < 1024; i++)
		json_object_array_add(list, json_object_new_string("read"));
	assert_int_equal(ns_seccomp_compile(o, &s, &e), 0);
	ns_seccomp_fini(&s);
	json_object_array_add(list, json_object_new_string("read"));
	assert_int_equal(ns_seccomp_compile(o, &s, &e), -E2BIG);
	assert_int_equal(ns_seccomp_compile(NULL, &s, &e), 0);
	assert_int_equal(s.n, 0);
}

static void test_from_oci(void **state)
{
	static const struct {
		const char *text;
		int r;
		size_t n;
	} files[] = {
		{ "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}", 0, 1 },
		{ "{\"linux\":{}}", 0, 0 },
		{ "{}", 0, 0 },
		{ "{\"linux\":{\"seccomp\":7}}", -EPROTO, 0 },
		{ "{", -EPROTO, 0 },
		{ "", -EPROTO, 0 },
	};
	char path[] = "/tmp/test-filter-XXXXXX";
	int fd = mkstemp(path);
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_seccomp_ struct ns_seccomp s = { 0 };
		size_t len = strlen(files[i].text);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, files[i].text, len, 0), len);
		assert_int_equal(ns_seccomp_from_oci(path, &s, &e), files[i].r);
		assert_int_equal(s.n, files[i].n);
	}
	(void)unlink(path);
	(void)close(fd);
	struct ns_seccomp s;

	assert_int_equal(ns_seccomp_from_oci(path, &s, &e), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),           cmocka_unit_test(test_read),
		cmocka_unit_test(test_install),        cmocka_unit_test(test_install_prctl),
		cmocka_unit_test(test_bounds),         cmocka_unit_test(test_strict),
		cmocka_unit_test(test_traced),         cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_stopped_target), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_compile),        cmocka_unit_test(test_compile_odd),
		cmocka_unit_test(test_compile_bad),    cmocka_unit_test(test_compile_bounds),
		cmocka_unit_test(test_from_oci),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP root: filters are read from other processes\n");
		return 0;
	}
	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
