/* SPDX-License-Identifier: MIT */
/* What engines and daemons write, taken apart: tables of what is right and what must fail. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cri.h"
#include "ctr_fixture.h"
#include "docker.h"
#include "http.h"
#include "oci.h"
#include "podman.h"

static struct json_object *json(const char *text)
{
	struct json_object *o = NULL;
	struct err e = { 0 };

	if (json_parse(text, strlen(text), &o, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return o;
}

static const struct {
	const char *text;
	bool eof;
	int r, status;
	const char *body;
	bool close;
} answers[] = {
	/* whole */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false, 1, 200, "{}", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 1, 200, "", false },
	{ "HTTP/1.1 200\nCONTENT-LENGTH:2\n\n{}", false, 1, 200, "{}", false },
	{ "HTTP/1.1 200 OK\r\n\r\nto the end", true, 1, 200, "to the end", true },
	{ "HTTP/1.0 404 No\r\nContent-Length: 1\r\n\r\nx", false, 1, 404, "x", true },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false, 1, 200, "x",
	  true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", false, 1, 200, "x", true },
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, 1, 204, "", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 1, 200, "",
	  false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\nA;x=y\r\n0123456789\r\n"
	  "0\r\nTrailer: t\r\n\r\n",
	  false, 1, 200, "{\"0123456789", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "1\r\nx\r\n0\r\n\r\n",
	  false, 1, 200, "x", false },
	/* more is needed */
	{ "", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Le", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\n\r\n{}", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2", false, 0, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", false, 0, 0, NULL,
	  false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", false, 0, 0, NULL, false },
	/* cut off */
	{ "", true, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", true, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", true, -EPROTO, 0,
	  NULL, false },
	/* no answer of a daemon */
	{ "SSH-2.0-OpenSSH_9.2\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/2 200 OK\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 20 OK\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 2000\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 101 Switching\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 999 What\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", false, -EPROTO, 0,
	  NULL, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", false, -EPROTO, 0,
	  NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, -EPROTO, 0, NULL,
	  false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", false, -EPROTO, 0, NULL,
	  false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", false,
	  -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", false, -EPROTO, 0,
	  NULL, false },
};

static void test_http(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct http_response resp = { 0 };
		int r = http_parse(answers[i].text, strlen(answers[i].text), answers[i].eof, &resp);

		if (r != answers[i].r)
			fail_msg("answer %zu gave %d: %s", i, r, answers[i].text);
		if (r != 1)
			continue;
		assert_int_equal(resp.status, answers[i].status);
		assert_string_equal(resp.body, answers[i].body);
		assert_int_equal(resp.len, strlen(answers[i].body));
		assert_int_equal(resp.close, answers[i].close);
		http_response_fini(&resp);
	}
}

/* Each beginning of a good answer is "more", and lines and headers have an end. */
static void test_http_bounds(void **state)
{
	static const char good[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "2\r\n{}\r\n0\r\n\r\n";
	struct http_response resp = { 0 };
	static char big[HTTP_LINE_MAX + 100];
	size_t len = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_int_equal(http_parse(good, n, false, &resp), 0);
	assert_int_equal(http_parse(good, sizeof(good) - 1, false, &resp), 1);
	http_response_fini(&resp);
	memset(big, 'x', sizeof(big));
	assert_int_equal(http_parse(big, HTTP_LINE_MAX, false, &resp), 0);
	assert_int_equal(http_parse(big, HTTP_LINE_MAX + 1, false, &resp), -EPROTO);
	len = (size_t)sprintf(big, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		len += (size_t)sprintf(big + len, "a: b\r\n");
	(void)sprintf(big + len, "\r\n");
	assert_int_equal(http_parse(big, strlen(big), true, &resp), -EPROTO);
}

static const struct {
	const char *text;
	int r;
	pid_t pid;
	uint64_t start;
	const char *bundle;
} states[] = {
	{ "{\"id\":\"a\",\"init_process_pid\":7,\"init_process_start\":9,"
	  "\"config\":{\"labels\":[\"bundle=/b\"]}}",
	  0, 7, 9, "/b" },
	{ "{\"init_process_pid\":7,\"init_process_start\":\"9\",\"config\":{\"labels\":[3,null]}}",
	  0, 7, 9, NULL },
	{ "{\"init_process_pid\":0,\"config\":{\"labels\":[\"bundle=relative\"]}}", 0, 0, 0, NULL },
	{ "{\"pid\":7,\"process-start-time\":9,\"bundle\":\"/b\"}", 0, 7, 9, "/b" },
	{ "{\"ociVersion\":\"1.0.2\",\"id\":\"a\",\"status\":\"stopped\",\"bundle\":\"/b\"}", 0, 0,
	  0, "/b" },
	{ "{\"ociVersion\":\"1.0.2\",\"status\":\"running\",\"pid\":7}", 0, 7, 0, NULL },
	/* must fail */
	{ "{}", -EPROTO, 0, 0, NULL },
	{ "[]", -EPROTO, 0, 0, NULL },
	{ "\"text\"", -EPROTO, 0, 0, NULL },
	{ "{\"pid\":7}", -EPROTO, 0, 0, NULL },
	{ "{\"ociVersion\":\"1\",\"status\":3,\"pid\":7}", -EPROTO, 0, 0, NULL },
	{ "{\"init_process_pid\":4194305}", -EPROTO, 0, 0, NULL },
	{ "{\"init_process_pid\":9223372036854775807}", -EPROTO, 0, 0, NULL },
	/* numbers that are none are no process */
	{ "{\"init_process_pid\":-1}", 0, 0, 0, NULL },
	{ "{\"init_process_pid\":\"7x\"}", 0, 0, 0, NULL },
	{ "{\"init_process_pid\":{}}", 0, 0, 0, NULL },
};

static void test_oci_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		_cleanup_json_ struct json_object *o = json(states[i].text);
		struct oci_state s = { 0 };
		int r = oci_state_parse(o, &s);

		if (r != states[i].r || s.pid != states[i].pid || s.start != states[i].start)
			fail_msg("%s: %d, pid %d", states[i].text, r, s.pid);
		if (states[i].bundle)
			assert_string_equal(s.bundle, states[i].bundle);
		else
			assert_null(s.bundle);
		oci_state_fini(&s);
	}
}

/* -EPROTO for all: by docker's API, docker's file and podman's list alike. */
static void test_entries_must_fail(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"\"x\"",
		"{\"Id\":3,\"ID\":3,\"id\":3,\"Name\":\"/a\"}",
		"{\"Id\":\"\",\"ID\":\"\",\"id\":\"\",\"Name\":\"/a\"}",
		"{\"Id\":\"../../etc\",\"ID\":\"../../etc\",\"id\":\"../../etc\",\"Name\":\"/a\"}",
	};
	struct ctr c = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ struct json_object *o = json(bad[i]);

		assert_int_equal(docker_parse_inspect(o, &c), -EPROTO);
		assert_int_equal(docker_parse_config(o, &c), -EPROTO);
		assert_int_equal(podman_parse_entry(o, &c), -EPROTO);
	}
}

static void test_docker_entries(void **state)
{
	static const struct {
		const char *text;
		int r;
		pid_t pid;
		enum ctr_state state;
	} t[] = {
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":true,\"Pid\":7}}", 0, 7,
		  CTR_RUNNING },
		{ "{\"Id\":\"a\",\"Name\":\"w\",\"State\":{\"Running\":true,\"Paused\":true,\"Pid\":7}}",
		  0, 7, CTR_PAUSED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":false,\"Pid\":7}}", 0, 0,
		  CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":true,\"Pid\":0}}", 0, 0,
		  CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":true,\"Pid\":-7}}", 0, 0,
		  CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":true,\"Pid\":4294967297}}",
		  0, 0, CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":\"running\"}", 0, 0, CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/w\",\"State\":{\"Running\":\"true\",\"Pid\":7}}", 0, 0,
		  CTR_STOPPED },
		{ "{\"Id\":\"a\",\"Name\":\"/\"}", -EPROTO, 0, CTR_STOPPED },
		{ "{\"Id\":\"a\"}", -EPROTO, 0, CTR_STOPPED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_json_ struct json_object *o = json(t[i].text);
		struct ctr c = { .state = CTR_STOPPED };

		assert_int_equal(docker_parse_inspect(o, &c), t[i].r);
		assert_int_equal(c.pid, t[i].pid);
		assert_int_equal(c.state, t[i].state);
		if (!t[i].r)
			assert_string_equal(c.name, "w");
		ctr_fini(&c);
	}
}

static void test_podman_entries(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *name;
	} t[] = {
		{ "{\"id\":\"ab\",\"names\":[\"w\",\"v\"],\"metadata\":\"{}\"}", 1, "w" },
		{ "{\"id\":\"ab\",\"names\":[]}", 1, "ab" },
		{ "{\"id\":\"ab\",\"names\":[7],\"metadata\":\"{\\\"name\\\":\\\"n\\\"}\"}", 1,
		  "n" },
		{ "{\"id\":\"ab\",\"names\":[\"\"],\"metadata\":\"not json\"}", 1, "ab" },
		{ "{\"id\":\"ab\",\"metadata\":\"{\\\"pod-id\\\":\\\"x\\\"}\"}", 0, NULL },
		{ "{\"id\":\"ab\",\"metadata\":\"{\\\"pod-name\\\":\\\"x\\\"}\"}", 0, NULL },
		{ "{\"id\":\".\",\"names\":[\"w\"]}", -EPROTO, NULL },
		{ "{\"id\":\"a/b\",\"names\":[\"w\"]}", -EPROTO, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_json_ struct json_object *o = json(t[i].text);
		struct ctr c = { 0 };

		assert_int_equal(podman_parse_entry(o, &c), t[i].r);
		if (t[i].name)
			assert_string_equal(c.name, t[i].name);
		ctr_fini(&c);
	}
}

#define CD "\"io.kubernetes.cri.container-type\":\"container\""
#define CO "\"io.kubernetes.cri-o.ContainerType\":\"container\""

static void test_cri(void **state)
{
	static const struct {
		const char *annotations;
		int r;
		bool is;
	} t[] = {
		{ CD ",\"io.kubernetes.cri.sandbox-name\":\"p\","
		     "\"io.kubernetes.cri.container-name\":\"c\"",
		  1, true },
		{ CO ",\"io.kubernetes.pod.name\":\"p\",\"io.kubernetes.container.name\":\"c\"", 1,
		  true },
		{ "\"io.kubernetes.cri.container-type\":\"sandbox\"", 0, true },
		{ "\"io.kubernetes.cri.container-type\":\"other\"", 0, true },
		{ "\"io.kubernetes.cri.container-type\":7", 0, false },
		{ "\"a\":\"b\"", 0, false },
		{ CO ",\"io.container.manager\":\"libpod\",\"io.kubernetes.pod.name\":\"p\"", 0,
		  true },
		{ CD, -EPROTO, true },
		{ CD ",\"io.kubernetes.cri.sandbox-name\":\"p\"", -EPROTO, true },
		{ CD ",\"io.kubernetes.cri.sandbox-name\":\"\","
		     "\"io.kubernetes.cri.container-name\":\"c\"",
		  -EPROTO, true },
		{ CO ",\"io.kubernetes.cri-o.Labels\":\"[1,2]\"", -EPROTO, true },
		{ CO ",\"io.kubernetes.cri-o.Labels\":\"{\"", -EPROTO, true },
	};
	static const char *const log_dirs[] = { "", "a_b_c", "/x/", "/x/a", "/x/a_b", "/x/a_b_" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct ctr c = { 0 };
		char text[512];

		(void)snprintf(text, sizeof(text), "{\"annotations\":{%s}}", t[i].annotations);
		_cleanup_json_ struct json_object *o = json(text);
		if (cri_parse(o, NULL, &c) != t[i].r || cri_is(o) != t[i].is)
			fail_msg("%s", text);
		if (t[i].r == 1)
			assert_string_equal(c.name, "p/c");
		ctr_fini(&c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(log_dirs); i++) {
		_cleanup_json_ struct json_object *o = json(
			"{\"annotations\":{" CD ",\"io.kubernetes.cri.container-name\":\"c\"}}");
		struct ctr c = { 0 };
		char text[512];

		(void)snprintf(
			text, sizeof(text),
			"{\"annotations\":{\"io.kubernetes.cri.sandbox-log-directory\":\"%s\"}}",
			log_dirs[i]);
		_cleanup_json_ struct json_object *sandbox = json(text);
		assert_int_equal(cri_parse(o, sandbox, &c), -EPROTO);
		ctr_fini(&c);
	}
}

static void put_task(struct fixture *f, pid_t pid, const char *stat, const char *cgroup)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fixture_put(f, path, stat);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fixture_put(f, path, cgroup);
}

#define STAT_TAIL " 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 555 0 0\n"

static void test_task_stat(void **state)
{
	static const char *const bad[] = { "",
					   "77",
					   "77 (x",
					   "77 )x(",
					   "77 (x)",
					   "77 (x) S",
					   "77 (x) S 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0",
					   "77 (x) Z" STAT_TAIL,
					   "77 (x) X" STAT_TAIL };
	struct fixture f;
	struct proc_stat t;

	(void)state;
	fixture_init(&f, NULL);
	put_task(&f, 77, "77 (a) b (c\n) S" STAT_TAIL, "");
	assert_int_equal(task_stat(&f.env, 77, &t), 0);
	assert_string_equal(t.comm, "a) b (c\n");
	assert_int_equal(t.state, 'S');
	assert_int_equal(t.ppid, 1);
	assert_int_equal(t.start, 555);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put_task(&f, 77, bad[i], "");
		assert_int_equal(task_stat(&f.env, 77, &t), -ESRCH);
	}
	assert_int_equal(task_stat(&f.env, 78, &t), -ESRCH);
	assert_int_equal(task_stat(&f.env, 0, &t), -ESRCH);
	assert_int_equal(task_stat(&f.env, -1, &t), -ESRCH);
	fixture_fini(&f);
}

/* The proofs in their order: start time, cgroup, age. */
static void test_task_check(void **state)
{
	static const struct {
		const char *cgroup;
		bool named;
	} t[] = {
		{ "0::/docker/abc\n", true },
		{ "5:memory:/x/abc/y\n", true },
		{ "0::/system.slice/docker-abc.scope\n", true },
		{ "0::/kubepods.slice:cri-containerd:abc\n", true },
		{ "0::/user.slice/libpod-abc.scope/container\n", true },
		{ "0::/docker/xabc\n", false },
		{ "0::/docker/abcd\n", false },
		{ "0::/\n", false },
		{ "garbage\n", false },
		{ "", false },
	};
	struct fixture f;

	(void)state;
	fixture_init(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		/* The file is older than any process. */
		struct task_claim c = {
			.pid = 77, .id = "abc", .written_ns = 1, .owner = TASK_ANY_OWNER
		};

		put_task(&f, 77, "77 (x) S" STAT_TAIL, t[i].cgroup);
		assert_int_equal(task_check(&f.env, &c), t[i].named ? 0 : -ESRCH);
		c.start = 556;
		assert_int_equal(task_check(&f.env, &c), -ESRCH);
		c.start = 555;
		assert_int_equal(task_check(&f.env, &c), 0);
		c.start = 0;
		c.written_ns = UINT64_MAX / 2;
		assert_int_equal(task_check(&f.env, &c), 0);
		c.written_ns = 0; /* nothing is known: alive is all that can be asked */
		assert_int_equal(task_check(&f.env, &c), 0);
		c.pid = 78;
		assert_int_equal(task_check(&f.env, &c), -ESRCH);
	}
	fixture_fini(&f);
}

static void test_task_frozen(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, NULL);
	put_task(&f, 77, "77 (x) S" STAT_TAIL, "7:freezer:/a\n0::/b\n");
	assert_false(task_frozen(&f.env, 77));
	fixture_put(&f, "/sys/fs/cgroup/freezer/a/freezer.state", "THAWED\n");
	fixture_put(&f, "/sys/fs/cgroup/unified/b/cgroup.events", "populated 1\nfrozen 0\n");
	assert_false(task_frozen(&f.env, 77));
	fixture_put(&f, "/sys/fs/cgroup/freezer/a/freezer.state", "FROZEN\n");
	assert_true(task_frozen(&f.env, 77));
	fixture_put(&f, "/sys/fs/cgroup/freezer/a/freezer.state", "THAWED\n");
	fixture_put(&f, "/sys/fs/cgroup/unified/b/cgroup.events", "populated 1\nfrozen 1\n");
	assert_true(task_frozen(&f.env, 77));
	put_task(&f, 77, "77 (x) S" STAT_TAIL, "0::/c\n");
	assert_false(task_frozen(&f.env, 77));
	fixture_put(&f, "/sys/fs/cgroup/c/cgroup.events", "populated 1\nfrozen 1\n");
	assert_true(task_frozen(&f.env, 77));
	assert_false(task_frozen(&f.env, 78));
	fixture_fini(&f);
}

static void test_small_parsers(void **state)
{
	static const char *const no_pids[] = {
		"", " ", "0", "-1", "+1", "1 2", "x", "0x10", "4194305", "99999999999999999999"
	};
	static const char cmd[] = "conmon\0-c\0id\0--name=a b\0-p\0";
	pid_t pid;

	(void)state;
	assert_int_equal(task_pid_parse("4194304\n", &pid), 0);
	assert_int_equal(pid, 4194304);
	for (size_t i = 0; i < ARRAY_SIZE(no_pids); i++)
		assert_int_equal(task_pid_parse(no_pids[i], &pid), -EINVAL);

	assert_string_equal(task_arg(cmd, sizeof(cmd) - 1, "-c"), "id");
	assert_string_equal(task_arg(cmd, sizeof(cmd) - 1, "--name"), "a b");
	assert_null(task_arg(cmd, sizeof(cmd) - 1, "-p"));
	assert_null(task_arg(cmd, sizeof(cmd) - 1, "-n"));
	assert_null(task_arg("", 0, "-n"));

	assert_true(ctr_id_like("abc"));
	assert_false(ctr_id_like("ab"));
	assert_false(ctr_id_like("xyz"));
	assert_false(ctr_id_like("ABC"));
}

static void test_host_files(void **state)
{
	char path[PATH_MAX], *value = NULL;
	struct fixture f;

	(void)state;
	fixture_init(&f, NULL);
	fixture_put(&f, "/conf",
		    "# a = \"no\"\n[s]\n a  =  'x y' # c\nb=\"\"\nc = \"open\nd = 7\n"
		    "e=\nf\naa = \"z\"\ng = \"q\\\"\"");
	assert_int_equal(host_path(&f.env, path, "/conf"), 0);
	assert_int_equal(host_conf_value(path, "a", &value), 0);
	assert_string_equal(value, "x y");
	free(value);
	assert_int_equal(host_conf_value(path, "b", &value), 0);
	assert_string_equal(value, "");
	free(value);
	for (const char *key = "cdefh"; *key; key++) {
		char name[2] = { *key, '\0' };

		assert_int_equal(host_conf_value(path, name, &value), -ENOENT);
	}
	/* Neither a FIFO nor a device is read, nor a directory, nor what is too large. */
	(void)snprintf(path, sizeof(path), "%s/fifo", f.root);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(host_read(path, &value, NULL, NULL), -EINVAL);
	assert_int_equal(host_read("/dev/zero", &value, NULL, NULL), -EINVAL);
	assert_int_equal(host_read(f.root, &value, NULL, NULL), -EINVAL);
	(void)snprintf(path, sizeof(path), "%s/big", f.root);
	fixture_put(&f, "/big", "x");
	assert_int_equal(truncate(path, ENGINE_FILE_MAX + 1), 0);
	assert_int_equal(host_read(path, &value, NULL, NULL), -EFBIG);
	assert_int_equal(host_path(&f.env, path, "/%05000d", 1), -ENAMETOOLONG);
	fixture_fini(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_http_bounds),
		cmocka_unit_test(test_oci_state),
		cmocka_unit_test(test_entries_must_fail),
		cmocka_unit_test(test_docker_entries),
		cmocka_unit_test(test_podman_entries),
		cmocka_unit_test(test_cri),
		cmocka_unit_test(test_task_stat),
		cmocka_unit_test(test_task_check),
		cmocka_unit_test(test_task_frozen),
		cmocka_unit_test(test_small_parsers),
		cmocka_unit_test(test_host_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
