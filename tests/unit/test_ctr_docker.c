/* SPDX-License-Identifier: MIT */
/* The docker engine against a daemon that is ours: good answers in all forms, and bad ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "ctr_fixture.h"
#include "engine.h"
#include "slow_clock.h"

enum manner {
	WITH_LENGTH,
	CHUNKED,
	TO_THE_END,
	GARBAGE, /* not HTTP */
	NOT_JSON,
	TRUNCATED, /* promises more than it sends */
	CLOSED,    /* takes the request and leaves */
	SILENT,    /* takes the request and stays */
	DRIBBLE,   /* a byte now and then, for ever */
	ENDLESS,   /* more than anybody needs */
	SEVERAL    /* 500, as for an id's prefix that is not unique */
};

static void say(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0);
		data += n;
		len -= (size_t)n;
	}
}

static void say_head(int fd, int status, const char *fields)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n"
			 "%s\r\n",
			 status, fields);

	say(fd, head, (size_t)n);
}

static void say_chunks(int fd, const char *body)
{
	char size[16];

	for (size_t left = strlen(body), n; left; left -= n, body += n) {
		n = left < 100 ? left : 100;
		say(fd, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
		say(fd, body, n);
		say(fd, "\r\n", 2);
	}
	say(fd, "0\r\n\r\n", 5);
}

static void say_bad(int fd, enum manner how, const char *body)
{
	static char flood[1 << 20];

	switch (how) {
	case GARBAGE:
		say(fd, "220 mail.example ESMTP\r\n", 24);
		break;
	case NOT_JSON:
		say_head(fd, 200, "Content-Length: 9\r\n");
		say(fd, "{\"Id\":\"a\"", 9);
		break;
	case TRUNCATED:
		say_head(fd, 200, "Content-Length: 99999\r\n");
		say(fd, body, strlen(body));
		break;
	case SILENT:
		for (;;)
			pause();
	case DRIBBLE:
		say_head(fd, 200, "Content-Length: 99999\r\n");
		for (;;) {
			usleep(50000);
			say(fd, " ", 1);
		}
	case ENDLESS:
		say_head(fd, 200, "");
		memset(flood, ' ', sizeof(flood));
		for (;;)
			say(fd, flood, sizeof(flood));
	default:
		break;
	}
	_exit(0); /* the connection with it */
}

static void answer(int fd, enum manner how, int status, const char *body)
{
	char length[64];

	if (how == SEVERAL) {
		status = 500;
		body = "{\"message\":\"multiple IDs found with provided prefix: f31\"}";
	}
	switch (how) {
	case WITH_LENGTH:
	case SEVERAL:
		(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
		say_head(fd, status, length);
		say(fd, body, strlen(body));
		break;
	case CHUNKED:
		say_head(fd, status, "Transfer-Encoding: chunked\r\n");
		say_chunks(fd, body);
		break;
	case TO_THE_END:
		say_head(fd, status, "Connection: close\r\n");
		say(fd, body, strlen(body));
		_exit(0);
	default:
		say_bad(fd, how, body);
	}
}

/* The fixture's file for what is asked, with live pids; NULL: there is none. */
static char *lookup(const struct fixture *f, const char *request)
{
	static const struct {
		const char *target, *file;
	} files[] = {
		{ "GET /containers/json?all=1 ", "list" },
		{ "GET /containers/web/json ", "inspect-web" },
		{ "GET /containers/f31f38/json ", "inspect-web" },
		{ "GET /containers/f31/json ", "inspect-web" },
		{ "GET /containers/f31f384749f9", "inspect-web" },
		{ "GET /containers/job/json ", "inspect-job" },
		{ "GET /containers/bb109f8c3258", "inspect-job" },
		{ "GET /containers/old/json ", "inspect-old" },
		{ "GET /containers/gone/json ", "inspect-gone" },
	};
	char path[512], *text, *out;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (strncmp(request, files[i].target, strlen(files[i].target)) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/docker-api/%s.json", FIXTURES,
			       files[i].file);
		if (io_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
			fixture_die(path);
		out = fixture_expand(f, text);
		free(text);
		return out;
	}
	return NULL;
}

static void serve_one(const struct fixture *f, int fd, enum manner how)
{
	char req[4096];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, req + len, sizeof(req) - 1 - len, 0);
		char *body;

		if (n <= 0)
			_exit(0);
		len += (size_t)n;
		req[len] = '\0';
		if (!strstr(req, "\r\n\r\n"))
			continue;
		if (how == CLOSED)
			_exit(0);
		body = lookup(f, req);
		if (how == SEVERAL && strncmp(req, "GET /containers/f31/json ", 25) != 0)
			how = WITH_LENGTH;
		answer(fd, how, body ? 200 : 404,
		       body ? body : "{\"message\":\"No such container\"}");
		free(body);
		len = 0;
	}
}

static pid_t serve(const struct fixture *f, const char *where, enum manner how)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s%s", f->root, where);
	(void)unlink(addr.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		fixture_die(addr.sun_path);
	pid = fork();
	if (pid) {
		close(fd);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		if (!fork()) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve_one(f, conn, how);
		}
		close(conn);
	}
}

static void stop(pid_t server)
{
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
}

static void start_fixture(struct fixture *f)
{
	fixture_init(f, NULL);
	f->env.docker_host = "unix:///docker.sock";
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int resolve(const struct fixture *f, const char *target, struct ctr *c, struct err *e)
{
	*c = (struct ctr){ 0 };
	*e = (struct err){ 0 };
	return ctr_resolve(&f->env, target, c, e);
}

static void test_good(void **state)
{
	static const enum manner manners[] = { WITH_LENGTH, CHUNKED, TO_THE_END };
	struct fixture f;
	struct err e;
	struct ctr c;

	(void)state;
	start_fixture(&f);
	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		struct ctr_list l = { 0 };
		pid_t server = serve(&f, "/docker.sock", manners[i]);

		assert_int_equal(resolve(&f, "web", &c, &e), 0);
		assert_string_equal(c.engine, "docker");
		assert_string_equal(c.name, "web");
		assert_string_equal(c.image, "debian:12");
		assert_int_equal(c.pid, f.live[0]);
		assert_int_equal(c.state, CTR_RUNNING);
		ctr_fini(&c);
		assert_int_equal(resolve(&f, "docker:f31f38", &c, &e), 0);
		assert_int_equal(c.pid, f.live[0]);
		ctr_fini(&c);
		assert_int_equal(resolve(&f, "docker:job", &c, &e), 0);
		assert_int_equal(c.state, CTR_PAUSED);
		ctr_fini(&c);
		assert_int_equal(resolve(&f, "old", &c, &e), -EHOSTDOWN);
		assert_int_equal(resolve(&f, "gone", &c, &e), -EHOSTDOWN); /* a dead pid */
		assert_int_equal(resolve(&f, "wep", &c, &e), -ENOENT);
		assert_non_null(strstr(e.msg, "did you mean 'docker:web'?"));

		assert_int_equal(ctr_list(&f.env, &l, &e), 0);
		assert_int_equal(l.n, 2);
		assert_string_equal(l.v[0].name, "job");
		assert_string_equal(l.v[1].name, "web");
		assert_int_equal(l.nskipped, 0);
		ctr_list_fini(&l);
		assert_int_equal(ctr_list_all(&f.env, &l, &e), 0);
		assert_int_equal(l.n, 3);
		ctr_list_fini(&l);
		stop(server);
	}
	fixture_fini(&f);
}

/* The daemon refuses a prefix that several ids have: the list tells which. */
static void test_prefix(void **state)
{
	struct fixture f;
	struct err e;
	struct ctr c;
	pid_t server;

	(void)state;
	start_fixture(&f);
	server = serve(&f, "/docker.sock", SEVERAL);
	assert_int_equal(resolve(&f, "docker:f31", &c, &e), 0);
	assert_int_equal(c.pid, f.live[0]);
	ctr_fini(&c);
	stop(server);
	fixture_fini(&f);
}

/* After 2 s, and what a busy machine adds. */
#define GIVES_UP_MS 60000

static void test_bad(void **state)
{
	static const struct {
		enum manner how;
		int r;
		const char *words;
	} bad[] = {
		{ GARBAGE, -EPROTO, "does not answer like a docker daemon" },
		{ NOT_JSON, -EPROTO, "does not answer like a docker daemon" },
		{ TRUNCATED, -EPROTO, "does not answer like a docker daemon" },
		{ CLOSED, -EPROTO, "does not answer like a docker daemon" },
		{ SILENT, -ETIMEDOUT, "does not answer" },
		{ DRIBBLE, -ETIMEDOUT, "does not answer" },
		{ ENDLESS, -EFBIG, "docker: asking the daemon" },
	};
	struct fixture f;
	struct err e;
	struct ctr c;

	(void)state;
	start_fixture(&f);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pid_t server = serve(&f, "/docker.sock", bad[i].how);
		uint64_t began;
		int r;

		slowness = bad[i].r == -ETIMEDOUT ? 1 : SLOWLY;
		began = now_ms();
		r = resolve(&f, "docker:web", &c, &e);

		/* A busy machine does not get as far as the limit of size in the time that there is. */
		bool late = bad[i].how == ENDLESS && r == -ETIMEDOUT && now_ms() - began >= 2000;

		if (!late && (r != bad[i].r || !strstr(e.msg, bad[i].words)))
			fail_msg("manner %d gave %d: %s", bad[i].how, r, e.msg);
		assert_true(now_ms() - began < GIVES_UP_MS);
		began = now_ms(); /* by a bare name it is waited for once, too */
		if (bad[i].how == SILENT)
			assert_int_equal(resolve(&f, "web", &c, &e), -ENOENT);
		assert_true(now_ms() - began < GIVES_UP_MS);
		stop(server);
	}
	slowness = SLOWLY;
	fixture_fini(&f);
}

/* What cannot be asked: each one sentence that names it. */
static void test_unreachable(void **state)
{
	static const struct {
		const char *host;
		int r;
		const char *words;
	} t[] = {
		{ "tcp://127.0.0.1:2375", -EOPNOTSUPP, "DOCKER_HOST is 'tcp://127.0.0.1:2375'" },
		{ "ssh://me@there", -EOPNOTSUPP, "only containers of this machine" },
		{ "unix://relative", -EOPNOTSUPP, "DOCKER_HOST" },
		{ "/docker.sock", -EOPNOTSUPP, "DOCKER_HOST" },
		{ "unix:///nothing.sock", -ECONNREFUSED, "no daemon listens on '/nothing.sock'" },
		{ "unix:///file.sock", -ECONNREFUSED, "no daemon listens on '/file.sock'" },
	};
	struct ctr_list l = { 0 };
	struct fixture f;
	struct err e;
	struct ctr c;

	(void)state;
	start_fixture(&f);
	fixture_put(&f, "/file.sock", "");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int r;

		f.env.docker_host = t[i].host;
		r = resolve(&f, "docker:web", &c, &e);
		if (r != t[i].r || !strstr(e.msg, t[i].words))
			fail_msg("%s gave %d: %s", t[i].host, r, e.msg);
		assert_int_equal(resolve(&f, "web", &c, &e), -ENOENT); /* the others were asked */
		assert_non_null(strstr(e.msg, "docker: "));
	}
	f.env.docker_host = NULL; /* docker is not installed: nothing to say */
	assert_int_equal(resolve(&f, "docker:web", &c, &e), -ENOENT);
	assert_int_equal(ctr_list(&f.env, &l, &e), 0);
	assert_int_equal(l.nskipped, 0);
	ctr_list_fini(&l);
	fixture_fini(&f);
}

/* A name that cannot be docker's is never sent. */
static void test_no_injection(void **state)
{
	static const char *const names[] = { "a/json?x=",    "../images",     "a b",    "a%2fb",
					     "a\r\nHost: b", "pod/container", ".hidden" };
	struct fixture f;
	struct err e;
	struct ctr c;
	pid_t server;

	(void)state;
	start_fixture(&f);
	/* It would be silent: whoever asks it waits. The list that follows an unknown name does. */
	server = serve(&f, "/docker.sock", SILENT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct ctr_list l = { 0 };

		e = (struct err){ 0 };
		assert_int_equal(engine_docker.find(&f.env, names[i], &l, &e), 0);
		assert_int_equal(l.n, 0);
	}
	(void)c;
	stop(server);
	fixture_fini(&f);
}

static void test_denied(void **state)
{
	struct fixture f;
	struct err e;
	struct ctr c;
	pid_t server;
	char path[128];

	(void)state;
	start_fixture(&f);
	server = serve(&f, "/docker.sock", WITH_LENGTH);
	(void)snprintf(path, sizeof(path), "%s/docker.sock", f.root);
	assert_int_equal(chmod(path, 0), 0);
	if (!getuid() && seteuid(FIXTURE_ALICE) < 0)
		fail();
	f.env.uid = FIXTURE_ALICE;
	assert_int_equal(resolve(&f, "docker:web", &c, &e), -EACCES);
	assert_string_equal(e.msg, "docker: no permission to talk to '/docker.sock'; "
				   "run as root or join group docker");
	if (!getuid() && seteuid(0) < 0)
		fail();
	stop(server);
	fixture_fini(&f);
}

/* The socket of the default place; the files when it does not answer; a path longer than an address. */
/* A running container of that name and id. */
static void put_container(struct fixture *f, const char *data_root, const char *name)
{
	char path[256], text[256];

	(void)snprintf(path, sizeof(path), "%s/containers/%s/config.v2.json", data_root, name);
	(void)snprintf(text, sizeof(text),
		       "{\"ID\":\"%s\",\"Name\":\"/%s\",\"State\":{\"Running\":true,\"Pid\":%d}}",
		       name, name, f->live[4]);
	fixture_put(f, path, text);
}

static void test_places(void **state)
{
	char deep[200] = "/", path[300];
	struct fixture f;
	struct err e;
	struct ctr c;
	pid_t server;

	(void)state;
	fixture_init(&f, "docker");
	assert_int_equal(resolve(&f, "docker:web", &c, &e), 0); /* no daemon: from its files */
	assert_int_equal(c.pid, f.live[0]);
	ctr_fini(&c);
	put_container(&f, "/srv/docker/165536.165537", "mapped");
	put_container(&f, "/srv/docker/165536.", "half");
	put_container(&f, "/srv/docker/1.2.3", "three");
	assert_int_equal(resolve(&f, "docker:mapped", &c, &e), 0); /* of --userns-remap */
	assert_int_equal(c.pid, f.live[4]);
	ctr_fini(&c);
	assert_int_equal(resolve(&f, "docker:half", &c, &e), -ENOENT);
	assert_int_equal(resolve(&f, "docker:three", &c, &e), -ENOENT);
	fixture_put(&f, "/var/run/x", "");
	server = serve(&f, "/var/run/docker.sock", WITH_LENGTH);
	assert_int_equal(resolve(&f, "docker:job", &c, &e), 0); /* only the daemon knows that one */
	ctr_fini(&c);
	stop(server);
	server = serve(&f, "/var/run/docker.sock", SILENT);
	slowness = 1;
	assert_int_equal(resolve(&f, "docker:web", &c, &e), 0); /* it hangs: from its files again */
	slowness = SLOWLY;
	ctr_fini(&c);
	stop(server);

	server = serve(&f, "/s", CHUNKED);
	memset(deep + 1, 'd', 150);
	strcpy(deep + 151, "/s");
	fixture_put(&f, deep, "");
	(void)snprintf(path, sizeof(path), "%s%s", f.root, deep);
	(void)unlink(path);
	{
		char from[128];

		(void)snprintf(from, sizeof(from), "%s/s", f.root);
		assert_int_equal(rename(from, path), 0);
	}
	(void)snprintf(path, sizeof(path), "unix://%s", deep);
	f.env.docker_host = path;
	assert_int_equal(resolve(&f, "docker:job", &c, &e), 0);
	ctr_fini(&c);
	stop(server);
	fixture_fini(&f);
}

/* $DOCKER_HOST is one daemon; a list has what another one runs too, and nothing twice. */
static void test_other_daemons(void **state)
{
	struct ctr_list l = { 0 };
	struct fixture f;
	char text[256];
	struct err e;
	struct ctr c;
	pid_t server;

	(void)state;
	fixture_init(&f, "docker");
	f.env.docker_host = "unix:///docker.sock";
	(void)snprintf(
		text, sizeof(text),
		"{\"ID\":\"far0\",\"Name\":\"/far\",\"State\":{\"Running\":true,\"Pid\":%d}}",
		f.live[4]);
	fixture_put(&f, "/srv/docker/containers/far0/config.v2.json", text);
	server = serve(&f, "/docker.sock", CHUNKED);
	assert_int_equal(ctr_list(&f.env, &l, &e), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[0].name, "far");
	assert_string_equal(l.v[1].name, "job");
	assert_string_equal(l.v[2].name, "web");
	ctr_list_fini(&l);
	assert_int_equal(resolve(&f, "far", &c, &e), 0);
	assert_int_equal(c.pid, f.live[4]);
	ctr_fini(&c);
	stop(server);
	fixture_fini(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),         cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_bad),          cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_no_injection), cmocka_unit_test(test_denied),
		cmocka_unit_test(test_places),       cmocka_unit_test(test_other_daemons),
	};

	slowness = SLOWLY;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
