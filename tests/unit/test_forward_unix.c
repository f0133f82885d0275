/* SPDX-License-Identifier: MIT */
/* test_forward_unix.c - sockets of a file system: who listens, what is carried, what is refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "forward_unix.h"
#include "io.h"

#define PATIENCE_MS 100000 /* only what hangs takes so long */

struct rig {
	char dir[32];
	int server, target; /* listening; a path descriptor of it */
	char front[64];
	pid_t carrier;
	int type;
};

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int bound(const char *path, int type, int backlog)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int path_of(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static _Noreturn void carry(const char *front, int target, int type, rlim_t nofile)
{
	struct rlimit limit = { nofile, nofile };
	struct forward f = FORWARD_INIT;
	struct err e = { 0 };
	int fd = bound(front, type, 64);

	if (nofile)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	(void)!freopen("/dev/null", "w", stderr);
	if (forward_drop_caps(FORWARD_UNIX_CAPS) < 0 ||
	    forward_take(&f, forward_unix_new(fd, dup(target), type), &e) < 0)
		_exit(1);
	_exit(forward_run(&f, &e) < 0 ? 1 : 0);
}

static struct rig *rig_new(int type, int backlog, rlim_t nofile)
{
	struct rig *r = calloc(1, sizeof(*r));
	char path[64];

	assert_non_null(r);
	strcpy(r->dir, "/tmp/forward.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(path, sizeof(path), "%s/back", r->dir);
	snprintf(r->front, sizeof(r->front), "%s/front", r->dir);
	r->type = type;
	r->server = bound(path, type, backlog);
	r->target = path_of(path);
	r->carrier = fork();
	if (!r->carrier && close(r->server) == 0)
		carry(r->front, r->target, type, nofile);
	while (access(r->front, F_OK) < 0 || forward_unix_type(path_of(r->front)) != type)
		(void)poll(NULL, 0, 1);
	return r;
}

static int stream(void **state)
{
	*state = rig_new(SOCK_STREAM, 64, 0);
	return 0;
}

static int packets(void **state)
{
	*state = rig_new(SOCK_SEQPACKET, 64, 0);
	return 0;
}

/* Nobody accepts, one waits. */
static int busy(void **state)
{
	*state = rig_new(SOCK_STREAM, 0, 0);
	return 0;
}

/* Room for 16 connections. */
static int narrow(void **state)
{
	*state = rig_new(SOCK_STREAM, 64, 160);
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	char command[64];

	assert_int_equal(waitpid(r->carrier, NULL, WNOHANG), 0);
	(void)kill(r->carrier, SIGKILL);
	(void)waitpid(r->carrier, NULL, 0);
	(void)close(r->server);
	(void)close(r->target);
	snprintf(command, sizeof(command), "rm -r '%s'", r->dir);
	assert_int_equal(system(command), 0);
	free(r);
	return 0;
}

static int dial(const struct rig *r)
{
	struct sockaddr_un a = address(r->front);
	int fd = socket(AF_UNIX, r->type | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int answer(const struct rig *r)
{
	int fd = accept4(r->server, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Whoever asks disturbs nobody: there is nothing to accept afterwards. */
static void test_who_listens(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	char dir[] = "/tmp/forward.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < 3; i++) {
		int type = types[i], fd, node;

		snprintf(path, sizeof(path), "%s/s", dir);
		fd = bound(path, type, -1);
		node = path_of(path);
		assert_int_equal(forward_unix_type(node), 0);
		assert_true(forward_unix_other(node,
					       type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM));
		assert_false(forward_unix_other(node, type));
		if (type != SOCK_DGRAM) {
			assert_int_equal(listen(fd, 0), 0);
			/* Also with its queue full. */
			for (int n = 0; n < 3; n++) {
				assert_int_equal(forward_unix_type(node), type);
				assert_int_equal(readable(fd, 0), n > 0);
				assert_true(forward_unix_connect(node, type) >= (n ? -EAGAIN : 0));
			}
		}
		(void)close(fd);
		assert_int_equal(forward_unix_type(node), 0);
		assert_false(forward_unix_other(node, SOCK_SEQPACKET));
		assert_int_equal(unlink(path), 0);
		(void)close(node);
	}
	assert_true(forward_unix_type(STDIN_FILENO) <= 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_half_closed(void **state)
{
	struct rig *r = *state;
	char buf[8];

	for (int i = 0; i < 50; i++) {
		int c = dial(r), s;

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

static void test_borders(void **state)
{
	static char big[100000], buf[200000];
	struct rig *r = *state;
	int c = dial(r), s = answer(r);

	/* More than the receiver's queue takes, so that some wait with us. */
	for (int i = 0; i < 3; i++) {
		memset(big, 'a' + i, sizeof(big));
		assert_int_equal(send(c, big, sizeof(big) - (size_t)i, 0), sizeof(big) - (size_t)i);
		(void)poll(NULL, 0, 20);
	}
	assert_int_equal(send(c, "", 0, 0), 0);
	assert_int_equal(send(c, "x", 1, 0), 1);
	assert_int_equal(shutdown(c, SHUT_WR), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(recv(s, buf, sizeof(buf), 0), sizeof(big) - (size_t)i);
		assert_int_equal(buf[0], 'a' + i);
		assert_int_equal(buf[sizeof(big) - 4], 'a' + i);
	}
	assert_int_equal(recv(s, buf, sizeof(buf), 0), 0);
	assert_int_equal(recv(s, buf, sizeof(buf), 0), 1);
	assert_int_equal(recv(s, buf, sizeof(buf), 0), 0);
	assert_false(readable(c, 20));
	(void)close(s);
	assert_int_equal(recv(c, buf, sizeof(buf), 0), 0);
	(void)close(c);
}

/* More of them than the receiver's queue takes: each stays a packet. */
static void test_empty_packets(void **state)
{
	struct rig *r = *state;
	int c = dial(r), s = answer(r), status;
	pid_t sender = fork(); /* of its own: it may have to wait for who reads */
	char buf[8];

	if (!sender) {
		for (int i = 0; i < 400; i++)
			if (send(c, "", 0, 0) != 0)
				_exit(1);
		_exit(send(c, "x", 1, 0) == 1 ? 0 : 1);
	}
	(void)poll(NULL, 0, 50);
	for (int i = 0; i < 400; i++)
		assert_int_equal(recv(s, buf, sizeof(buf), 0), 0);
	assert_int_equal(recv(s, buf, sizeof(buf), 0), 1);
	assert_int_equal(waitpid(sender, &status, 0), sender);
	assert_int_equal(status, 0);
	(void)close(s);
	(void)close(c);
}

/* Whichever side sends it, and behind data: what came before arrives or not, the descriptor never. */
static void test_descriptors_are_refused(void **state)
{
	struct rig *r = *state;
	int other = dial(r), behind = answer(r);
	char buf[8];

	for (int i = 0; i < 2; i++) {
		int c = dial(r), s = answer(r), from = i ? s : c, to = i ? c : s;
		int fds[4] = { -1, -1, -1, -1 };
		size_t n = 0;

		assert_int_equal(send(from, "a", 1, 0), 1);
		assert_int_equal(io_send_fds(from, "b", 1, (const int[]){ r->server }, 1), 0);
		while (io_recv_fds(to, buf, sizeof(buf), fds, 4, &n) > 0)
			assert_int_equal(n, 0);
		assert_true(recv(from, buf, sizeof(buf), 0) <= 0);
		(void)close(c);
		(void)close(s);
	}
	assert_int_equal(send(other, "still", 5, 0), 5);
	assert_int_equal(recv(behind, buf, 5, 0), 5);
	(void)close(other);
	(void)close(behind);
}

static void test_nobody_behind(void **state)
{
	struct rig *r = *state;
	struct sockaddr_un a = address(r->front);
	int c = dial(r), s = answer(r), late;
	char buf[8];

	(void)close(r->server);
	r->server = -1;
	late = dial(r);
	assert_true(recv(late, buf, sizeof(buf), 0) <= 0);
	(void)close(late);
	/* It listens no longer; who is connected stays. */
	late = socket(AF_UNIX, r->type | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, (struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	(void)close(late);
	assert_int_equal(send(c, "x", 1, 0), 1);
	assert_int_equal(recv(s, buf, 1, 0), 1);
	(void)close(c);
	(void)close(s);
}

/* Return: how often the process went to sleep, if it sleeps; or -1. */
static long sleeps(pid_t pid)
{
	char path[32], line[128], was = 0;
	long n = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "State: %c", &was);
		(void)sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	}
	(void)fclose(f);
	return was == 'S' ? n : -1;
}

/* Between two turns of the carrier: in one, it has more for a moment. */
static unsigned int open_files(const struct rig *r)
{
	for (;;) {
		long before = sleeps(r->carrier);
		unsigned int n = 0;
		char path[32];
		DIR *dir;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd", r->carrier);
		dir = opendir(path);
		assert_non_null(dir);
		while (readdir(dir))
			n++;
		(void)closedir(dir);
		if (before >= 0 && before == sleeps(r->carrier))
			return n;
		(void)poll(NULL, 0, 1);
	}
}

static void await_files(const struct rig *r, unsigned int n)
{
	for (int ms = 0; open_files(r) != n; ms += 10) {
		assert_true(ms < PATIENCE_MS);
		(void)poll(NULL, 0, 10);
	}
}

/* Who waits for a server that has no time gets there when it has; who has gone does not. */
static void test_full_queue(void **state)
{
	struct rig *r = *state;
	unsigned int before = open_files(r);
	int c[6];
	char buf[8];

	for (int i = 0; i < 6; i++) {
		c[i] = dial(r);
		assert_int_equal(send(c[i], &"012345"[i], 1, 0), 1);
	}
	/* The first is at the server. None of the later ones is there but in the carrier, which has to see that one has gone. */
	await_files(r, before + 2 + 5);
	(void)close(c[3]);
	await_files(r, before + 2 + 4);
	for (int i = 0; i < 5; i++) {
		int s;

		assert_true(readable(r->server, PATIENCE_MS));
		s = answer(r);
		assert_int_equal(recv(s, buf, 1, 0), 1);
		assert_int_not_equal(buf[0], '3');
		(void)close(s);
	}
	assert_false(readable(r->server, 50));
	for (int i = 0; i < 6; i++)
		if (i != 3)
			(void)close(c[i]);
}

/* One user's are refused from half of all on; they work again when there are fewer. */
static void test_too_many(void **state)
{
	struct rig *r = *state;
	unsigned int before = open_files(r);
	int c[20], refused = 0;
	char buf[8];

	for (int i = 0; i < 20; i++)
		c[i] = dial(r);
	for (int round = 0; round < PATIENCE_MS / 10 && refused < 12; round++) {
		refused = 0;
		for (int i = 0; i < 20; i++)
			refused += readable(c[i], 0) && recv(c[i], buf, 1, 0) == 0;
		(void)poll(NULL, 0, 10);
	}
	assert_int_equal(refused, 12);
	for (int i = 0; i < 20; i++)
		(void)close(c[i]);
	for (int i = 0; i < 8; i++)
		(void)close(answer(r));
	await_files(r, before);
	c[0] = dial(r);
	(void)close(answer(r));
	assert_int_equal(recv(c[0], buf, 1, 0), 0);
	(void)close(c[0]);
}

static void test_in_the_clients_name(void **state)
{
	struct rig *r = *state;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	pid_t child;
	int s;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(r->dir, 0755), 0);
	assert_int_equal(chmod(r->front, 0666), 0);
	child = fork();
	if (!child) {
		char byte;
		int fd;

		if (setgid(1234) < 0 || setuid(1234) < 0)
			_exit(1);
		fd = dial(r);
		(void)!recv(fd, &byte, 1, 0);
		_exit(0);
	}
	s = answer(r);
	assert_int_equal(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	assert_int_equal(cred.uid, 1234);
	assert_int_equal(cred.gid, 1234);
	assert_int_equal(cred.pid, r->carrier);
	(void)close(s);
	(void)waitpid(child, NULL, 0);
	/* And ours again. */
	(void)close(dial(r));
	s = answer(r);
	assert_int_equal(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	assert_int_equal(cred.uid, 0);
	(void)close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_listens),
		cmocka_unit_test_setup_teardown(test_half_closed, stream, teardown),
		cmocka_unit_test_setup_teardown(test_borders, packets, teardown),
		cmocka_unit_test_setup_teardown(test_empty_packets, packets, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_are_refused, stream, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_are_refused, packets, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_behind, stream, teardown),
		cmocka_unit_test_setup_teardown(test_full_queue, busy, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, narrow, teardown),
		cmocka_unit_test_setup_teardown(test_in_the_clients_name, stream, teardown),
	};

	return cmocka_run_group_tests_name("forward_unix", tests, NULL, NULL);
}
