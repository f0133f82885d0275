/* SPDX-License-Identifier: MIT */
/* test_forward.c - connections carried from one port to another, by a child, to a server in this process. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "forward.h"
#include "io.h"

#define BIG (4u << 20)

struct rig {
	int server;
	uint16_t port; /* that leads to it */
	pid_t carrier;
};

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static int listener(void)
{
	struct sockaddr_in a = local(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct forward f = FORWARD_INIT;
	struct forward_port p = { .at = { 0 } };
	struct sockaddr_in any = local(0);
	struct err e;

	if (!r)
		return -1;
	r->server = listener();
	memcpy(&p.at, &any, sizeof(any));
	p.to = port_of(r->server);
	assert_int_equal(forward_listen(&f, &p, any.sin_addr, &e), 0);
	r->port = port_of(f.listener[0]->fd);
	r->carrier = fork();
	if (!r->carrier)
		_exit(forward_sandbox(&e) < 0 || forward_run(&f, &e) < 0 ? EXIT_FAILURE
									 : EXIT_SUCCESS);
	forward_fini(&f);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	assert_int_equal(waitpid(r->carrier, NULL, WNOHANG), 0); /* its filter did not kill it */
	(void)kill(r->carrier, SIGKILL);
	(void)waitpid(r->carrier, NULL, 0);
	(void)close(r->server);
	free(r);
	return 0;
}

static int dial(const struct rig *r)
{
	struct sockaddr_in a = local(r->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int answer(const struct rig *r)
{
	int fd = accept4(r->server, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Reading stops before urgent data: what follows is not to be left behind. */
static void test_urgent(void **state)
{
	struct rig *r = *state;
	int c = dial(r), s = answer(r);
	char buf[8];
	size_t n = 0;

	for (int i = 0; i < 50; i++, n = 0) {
		(void)kill(r->carrier, SIGSTOP);
		assert_int_equal(send(c, "abc", 3, 0), 3);
		assert_int_equal(send(c, "!", 1, MSG_OOB), 1);
		assert_int_equal(send(c, "def", 3, 0), 3);
		(void)kill(r->carrier, SIGCONT);
		while (n < 6) {
			struct pollfd p = { .fd = s, .events = POLLIN };
			ssize_t got;

			assert_int_equal(poll(&p, 1, 100000), 1);
			got = recv(s, buf + n, 6 - n, 0);
			assert_true(got > 0);
			n += (size_t)got;
		}
		assert_memory_equal(buf, "abcdef", 6);
	}
	(void)close(c);
	(void)close(s);
}

/* Byte and end of stream in one segment: the end is not to be missed. */
static void test_half_closed(void **state)
{
	struct rig *r = *state;
	char buf[8];
	int c, s;

	for (int i = 0; i < 50; i++) {
		c = dial(r);
		assert_int_equal(send(c, "hello", 5, 0), 5);
		assert_int_equal(shutdown(c, SHUT_WR), 0);
		s = answer(r);
		assert_int_equal(recv(s, buf, 5, MSG_WAITALL), 5);
		assert_int_equal(recv(s, buf, sizeof(buf), 0), 0);
		assert_int_equal(send(s, "world", 5, 0), 5);
		(void)close(s);
		assert_int_equal(recv(c, buf, 5, MSG_WAITALL), 5);
		assert_int_equal(recv(c, buf, sizeof(buf), 0), 0);
		(void)close(c);
	}
}

static void *writer(void *arg)
{
	const int *fd = arg;
	uint8_t *data = malloc(BIG);

	if (!data)
		return NULL;
	for (uint32_t i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	(void)!io_write_all(*fd, data, BIG);
	(void)shutdown(*fd, SHUT_WR);
	free(data);
	return NULL;
}

static void drain(int fd)
{
	static uint8_t buf[65536];
	uint32_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			assert_int_equal(buf[i], (uint8_t)(at * 31 >> 3));
	assert_int_equal(n, 0);
	assert_int_equal(at, BIG);
}

/* Much, both ways at once, and a receiver that begins late. */
static void test_big(void **state)
{
	struct rig *r = *state;
	int c = dial(r), s = answer(r);
	pthread_t t[2];

	assert_int_equal(pthread_create(&t[0], NULL, writer, &c), 0);
	assert_int_equal(pthread_create(&t[1], NULL, writer, &s), 0);
	(void)poll(NULL, 0, 100);
	drain(s);
	drain(c);
	(void)pthread_join(t[0], NULL);
	(void)pthread_join(t[1], NULL);
	(void)close(c);
	(void)close(s);
}

/* One end breaks off: so does the other, and new connections work. */
static void test_broken(void **state)
{
	struct linger hard = { 1, 0 };
	struct rig *r = *state;
	char buf[8];

	for (int i = 0; i < 20; i++) {
		int c = dial(r), s = answer(r);

		(void)setsockopt(i % 2 ? c : s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		(void)close(i % 2 ? c : s);
		assert_true(recv(i % 2 ? s : c, buf, sizeof(buf), 0) <= 0);
		(void)close(i % 2 ? s : c);
	}
}

/* Nobody listens any more. */
static void test_no_server(void **state)
{
	struct rig *r = *state;
	char buf[8];
	int c;

	(void)shutdown(r->server, SHUT_RD);
	(void)close(r->server);
	r->server = -1;
	for (int i = 0; i < 5; i++) {
		c = dial(r);
		assert_true(recv(c, buf, sizeof(buf), 0) <= 0);
		(void)close(c);
	}
}

static void test_port_in_use(void **state)
{
	struct rig *r = *state;
	struct forward f = FORWARD_INIT;
	struct forward_port p = { .at = { 0 } };
	struct sockaddr_in used = local(r->port);
	struct err e;

	memcpy(&p.at, &used, sizeof(used));
	assert_int_equal(forward_listen(&f, &p, used.sin_addr, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "is in use"));
	assert_int_equal(f.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_urgent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
