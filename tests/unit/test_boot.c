/* SPDX-License-Identifier: MIT */
/* test_boot.c - what comes out of a machine and is not trusted: frames, counters, records of system calls. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "array.h"
#include "counters.h"
#include "frame.h"
#include "locate.h"
#include "server.h"
#include "trace.h"

static void test_frame_check(void **state)
{
	static const struct {
		struct frame f;
		size_t data;
		bool to_init, from_init; /* who may say it */
	} t[] = {
		{ { .kind = 0 }, 0, false, false },
		{ { .kind = FRAME_SIGNAL, .value = 15 }, 0, true, false },
		{ { .kind = FRAME_SIGNAL, .value = 15, .stream = 1 }, 0, true, false },
		{ { .kind = FRAME_SIGNAL, .value = 15, .stream = 2 }, 0, false, false },
		{ { .kind = FRAME_SIGNAL, .value = 0 }, 0, false, false },
		{ { .kind = FRAME_SIGNAL, .value = 64 }, 0, true, false },
		{ { .kind = FRAME_SIGNAL, .value = 65 }, 0, false, false },
		{ { .kind = FRAME_SIGNAL, .value = 15 }, 1, false, false },
		{ { .kind = FRAME_WINSIZE, .value = UINT32_MAX }, 0, true, false },
		{ { .kind = FRAME_REQUEST }, 1, true, false },
		{ { .kind = FRAME_REQUEST }, FRAME_DATA_MAX, true, false },
		{ { .kind = FRAME_REQUEST }, 0, false, false },
		{ { .kind = FRAME_START }, 0, true, true },
		{ { .kind = FRAME_START }, 1, false, false },
		{ { .kind = FRAME_DATA, .stream = FRAME_STDIN }, 0, true, false },
		{ { .kind = FRAME_DATA, .stream = FRAME_STDOUT }, 7, false, true },
		{ { .kind = FRAME_DATA, .stream = FRAME_STDERR }, FRAME_DATA_MAX, false, true },
		{ { .kind = FRAME_DATA, .stream = 3 }, 7, false, false },
		{ { .kind = FRAME_DATA, .stream = 255 }, 7, false, false },
		{ { .kind = FRAME_CREDIT, .stream = FRAME_STDIN, .value = 1 }, 0, false, true },
		{ { .kind = FRAME_CREDIT, .stream = FRAME_STDOUT, .value = 1 }, 0, true, false },
		{ { .kind = FRAME_CREDIT, .stream = FRAME_STDERR, .value = FRAME_WINDOW },
		  0,
		  true,
		  false },
		{ { .kind = FRAME_CREDIT, .stream = FRAME_STDERR, .value = FRAME_WINDOW + 1 },
		  0,
		  false,
		  false },
		{ { .kind = FRAME_CREDIT, .stream = FRAME_STDERR }, 0, false, false },
		{ { .kind = FRAME_CREDIT, .stream = 3, .value = 1 }, 0, false, false },
		{ { .kind = FRAME_END, .value = 255 }, 0, true, true },
		{ { .kind = FRAME_END, .value = 256 }, 0, false, false },
		{ { .kind = FRAME_ERROR }, 5, false, true },
		{ { .kind = FRAME_INFO }, 0, false, false },
		{ { .kind = FRAME_INFO + 1 }, 0, false, false },
		{ { .kind = FRAME_START, .session = FRAME_SESSIONS }, 0, true, false },
		{ { .kind = FRAME_START, .session = FRAME_SESSIONS + 1 }, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(frame_check(&t[i].f, FRAME_HEAD + t[i].data, true),
				 t[i].to_init ? 0 : -EPROTO);
		assert_int_equal(frame_check(&t[i].f, FRAME_HEAD + t[i].data, false),
				 t[i].from_init ? 0 : -EPROTO);
	}
	assert_int_equal(frame_check(&t[8].f, FRAME_HEAD - 1, true), -EPROTO);
	assert_int_equal(frame_check(&t[8].f, FRAME_SIZE + 1, true), -EPROTO);
}

static void test_frame_queue(void **state)
{
	static struct frame_queue q;
	char out[2 * FRAME_DATA_MAX], data[FRAME_DATA_MAX];
	int fd[2], done = 0;
	ssize_t n, all = 0;

	(void)state;
	assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
	memset(data, 'x', sizeof(data));
	assert_int_equal(frame_queue_write(&q, fd[1]), 0);
	for (int i = 0; i < FRAME_WINDOW; i++)
		assert_int_equal(frame_queue_put(&q, data, sizeof(data)), 0);
	assert_int_equal(frame_queue_put(&q, data, 1), -EPROTO);
	while (q.n) {
		int r = frame_queue_write(&q, fd[1]);

		done += r > 0;
		if (r == -EAGAIN)
			while ((n = read(fd[0], out, sizeof(out))) > 0)
				all += n;
	}
	while ((n = read(fd[0], out, sizeof(out))) > 0)
		all += n;
	assert_int_equal(done, FRAME_WINDOW);
	assert_int_equal(all, FRAME_WINDOW * sizeof(data));
	assert_int_equal(frame_queue_put(&q, data, 0), 0);
	assert_true(q.end);
	assert_int_equal(frame_queue_put(&q, data, 1), -EPROTO);
	frame_queue_clear(&q);
	assert_int_equal(frame_queue_put(&q, data, sizeof(data) + 1), -EPROTO);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void test_counters(void **state)
{
	static const char good[] = "faults 12\nhost_mmap 18446744073709551615\n";
	static const char *const bad[] = {
		"faults\n",
		"faults 1 2\n",
		"faults -1\n",
		"faults x\n",
		"Faults 1\n",
		"a\x1b[2J 1\n",
		" \n",
		"faults 1\n\nb 2\n",
		"faults 18446744073709551616\n",
		"abcdefghijklmnopqrstuvwxyzabcdef 1\n",
	};
	static struct counters c;
	static char many[COUNTERS_MAX * 8 + 16];
	size_t len = 0;

	(void)state;
	assert_int_equal(counters_parse(good, strlen(good), &c), 0);
	assert_int_equal(c.n, 2);
	assert_string_equal(c.v[1].name, "host_mmap");
	assert_int_equal(c.v[1].value, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(counters_parse(bad[i], strlen(bad[i]), &c), -EPROTO);
	for (int i = 0; i <= COUNTERS_MAX; i++)
		len += (size_t)snprintf(many + len, sizeof(many) - len, "n%d 1\n", i);
	assert_int_equal(counters_parse(many, len, &c), -EPROTO);
	assert_int_equal(c.n, COUNTERS_MAX);
}

/* --- records of system calls --- */

struct record {
	struct lo_trace t;
	char text[64];
};

static struct record enter(uint32_t pid, uint32_t nr, int64_t a, int64_t b, int64_t c)
{
	return (struct record){ .t = { .size = sizeof(struct lo_trace),
				       .kind = LO_TRACE_ENTER,
				       .nr = nr,
				       .pid = pid,
				       .tgid = pid,
				       .arg = { a, b, c } } };
}

static struct record leave(struct record r, int64_t result)
{
	r.t.kind = LO_TRACE_EXIT;
	r.t.arg[0] = result;
	r.t.size = sizeof(struct lo_trace);
	memset(r.t.text, 0, sizeof(r.t.text));
	return r;
}

static struct record with_text(struct record r, unsigned int arg, const char *text, size_t size)
{
	memcpy(r.text, text, size);
	r.t.text[0].size = (uint16_t)size;
	r.t.text[0].arg = (uint16_t)arg;
	r.t.size = (uint16_t)((sizeof(struct lo_trace) + size + 7) / 8 * 8);
	return r;
}

/* Fed byte by byte, or whole. */
static void lines_are(struct record *v, size_t n, size_t piece, const char *want)
{
	struct trace *t = calloc(1, sizeof(*t));
	char *text = NULL;
	size_t size = 0;

	assert_non_null(t);
	t->out = open_memstream(&text, &size);
	for (size_t i = 0; i < n; i++)
		for (size_t at = 0; at < v[i].t.size; at += piece) {
			size_t left = v[i].t.size - at;

			assert_int_equal(
				trace_feed(t, (char *)&v[i] + at, left < piece ? left : piece), 0);
		}
	trace_end(t);
	(void)fclose(t->out);
	assert_string_equal(text, want);
	free(text);
	free(t);
}

static void test_trace_lines(void **state)
{
	static const char want[] =
		"[pid    12] openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3\n"
		"[pid    12] read(3,  <unfinished ...>\n"
		"[pid    13] close(9) = -1 EBADF (Bad file descriptor)\n"
		"[pid    12] <... read resumed>\"a\\n\\0001\\\"\", 100) = 5\n"
		"[pid    12] mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
		"0x7f0000000000\n"
		"[pid    12] write(1, \"abc\"..., 1000) = ? ERESTARTSYS\n"
		"[pid    12] syscall_600(0x1, 0x2, 0x3, 0, 0, 0) = 0\n"
		"[pid    12] exit_group(3) = ?\n"
		"[pid    13] futex(0x1000, FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0 <unfinished ...>\n";
	struct record openat = with_text(enter(12, SYS_openat, AT_FDCWD, 0x1000, O_CLOEXEC), 1,
					 "/etc/passwd", sizeof("/etc/passwd"));
	struct record readit = enter(12, SYS_read, 3, 0x1000, 100);
	struct record closeit = enter(13, SYS_close, 9, 0, 0);
	struct record mmapit = enter(12, SYS_mmap, 0, 8192, 3);
	struct record writeit = with_text(enter(12, SYS_write, 1, 0x1000, 1000), 1, "abc", 3);
	struct record other = enter(12, 600, 1, 2, 3);
	struct record v[16];
	size_t n = 0;

	(void)state;
	mmapit.t.arg[3] = 0x22;
	mmapit.t.arg[4] = -1;
	v[n++] = openat;
	v[n++] = leave(openat, 3);
	v[n++] = readit;
	v[n++] = closeit;
	v[n++] = leave(closeit, -EBADF);
	v[n++] = with_text(leave(readit, 5), 1, "a\n\0001\"", 5);
	v[n++] = mmapit;
	v[n++] = leave(mmapit, 0x7f0000000000);
	v[n++] = writeit;
	v[n++] = leave(writeit, -512);
	v[n++] = other;
	v[n++] = leave(other, 0);
	v[n++] = enter(12, SYS_exit_group, 3, 0, 0);
	v[n++] = enter(13, SYS_futex, 0x1000, 128, 7);
	lines_are(v, n, 1, want);
	lines_are(v, n, 4096, want);
}

static void test_trace_flags(void **state)
{
	static const struct {
		uint32_t nr;
		int64_t arg[6];
		const char *want;
	} t[] = {
		{ SYS_open, { 0, 0x8000000, 0777 }, "open(NULL, O_RDONLY|0x8000000)" },
		{ SYS_open, { 8, O_RDWR | O_TMPFILE, 0600 }, "open(0x8, O_RDWR|O_TMPFILE, 0600)" },
		{ SYS_mprotect, { 0x1000, 1, 0 }, "mprotect(0x1000, 1, PROT_NONE)" },
		{ SYS_kill, { -1, 9 }, "kill(-1, SIGKILL)" },
		{ SYS_kill, { 1, 0 }, "kill(1, 0)" },
		{ SYS_kill, { 1, 999 }, "kill(1, 999)" },
		{ SYS_clone,
		  { 0x1200011 },
		  "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, NULL, NULL)" },
		{ SYS_lseek, { 3, -5, 7 }, "lseek(3, -5, 7)" },
		{ SYS_socket,
		  { 1, 1 | 02000000, 0 },
		  "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0)" },
		{ SYS_socket, { 99, 77, 0 }, "socket(99, 13|0x40, 0)" },
		{ SYS_wait4, { -1, 0, 0x40000001 }, "wait4(-1, NULL, WNOHANG|__WALL, NULL)" },
		{ SYS_newfstatat,
		  { 3, 0, 0, 0x1100 },
		  "newfstatat(3, NULL, NULL, AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH)" },
		{ SYS_futex, { 0, 99 }, "futex(NULL, 0x63, 0, NULL, NULL, 0)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct record r = enter(1, t[i].nr, 0, 0, 0);
		char want[200];

		memcpy(r.t.arg, t[i].arg, sizeof(r.t.arg));
		(void)snprintf(want, sizeof(want), "[pid     1] %s", t[i].want);
		/* An unfinished line has no bracket that closes. */
		memmove(strrchr(want, ')'), " <unfinished ...>\n", sizeof(" <unfinished ...>\n"));
		lines_are(&r, 1, 4096, want);
	}
}

static void test_trace_bad(void **state)
{
	struct record good = enter(1, SYS_close, 3, 0, 0), bad;
	struct trace *t = calloc(1, sizeof(*t));

	(void)state;
	assert_non_null(t);
	t->out = fopen("/dev/null", "w");
	for (int i = 0; i < 9; i++) {
		bad = good;
		t->have = 0;
		switch (i) {
		case 0:
			bad.t.size = 0;
			break;
		case 1:
			bad.t.size -= 8;
			break;
		case 2:
			bad.t.size += 4;
			break;
		case 3:
			bad.t.size = UINT16_MAX - 7;
			break;
		case 4:
			bad.t.kind = 3;
			break;
		case 5:
			bad.t.text[0].size = 1; /* which isn't there */
			break;
		case 6:
			bad.t.text[1].size = UINT16_MAX;
			break;
		case 7:
			bad.t.text[0].arg = 6;
			break;
		default:
			bad.t.pid = 0;
		}
		assert_int_equal(trace_feed(t, &bad, sizeof(bad)), -EPROTO);
	}
	(void)fclose(t->out);
	free(t);
}

/* --- the launcher between a client and an init that means no good --- */

struct bed {
	struct loop loop;
	struct server server;
	int init, client;
};

static void turn(struct bed *b)
{
	assert_int_equal(loop_once(&b->loop), 0);
}

static void bed_up(struct bed *b)
{
	struct err e = { 0 };
	pid_t pid;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(loop_init(&b->loop), 0);
	assert_int_equal(server_start(&b->server, &b->loop, fd[0], "memory=1\n", &e), 0);
	b->init = fd[1];
	b->client = locate_connect(getpid(), &pid, &e);
	assert_true(b->client >= 0);
	assert_int_equal(pid, getpid());
	turn(b); /* accepted */
}

static void bed_down(struct bed *b)
{
	int control = b->server.control.fd;

	server_fini(&b->server);
	loop_fini(&b->loop);
	(void)close(control);
	(void)close(b->init);
	(void)close(b->client);
}

static void say(int fd, enum frame_kind kind, int stream, int session, size_t data)
{
	struct frame f = { .kind = (uint8_t)kind,
			   .stream = (uint8_t)stream,
			   .session = (uint16_t)session,
			   .value = kind == FRAME_SIGNAL };

	assert_int_equal(send(fd, &f, FRAME_HEAD + data, 0), FRAME_HEAD + data);
}

static int hear(int fd, struct frame *f)
{
	return (int)recv(fd, f, sizeof(*f), MSG_DONTWAIT);
}

static void test_server(void **state)
{
	static struct bed b;
	struct frame f;

	(void)state;
	bed_up(&b);
	/* A client's number is ours to give. */
	say(b.client, FRAME_REQUEST, 0, 9, 10);
	turn(&b);
	assert_int_equal(hear(b.init, &f), FRAME_HEAD + 10);
	assert_int_equal(f.session, 1);
	/* Of others' sessions, or none, or nonsense, the client hears nothing. */
	say(b.init, FRAME_DATA, FRAME_STDOUT, 2, 3);
	say(b.init, FRAME_DATA, FRAME_STDOUT, 0, 3);
	say(b.init, FRAME_DATA, FRAME_STDOUT, 999, 3);
	say(b.init, FRAME_DATA, FRAME_STDIN, 1, 3);
	say(b.init, FRAME_SIGNAL, 0, 1, 0);
	say(b.init, FRAME_INFO, 0, 1, 0);
	turn(&b);
	assert_int_equal(hear(b.client, &f), -1);
	say(b.init, FRAME_DATA, FRAME_STDERR, 1, 3);
	turn(&b);
	assert_int_equal(hear(b.client, &f), FRAME_HEAD + 3);
	say(b.init, FRAME_END, 0, 1, 0);
	turn(&b);
	assert_int_equal(hear(b.client, &f), FRAME_HEAD);
	assert_int_equal(hear(b.client, &f), 0);
	bed_down(&b);
}

/* More than the window: the client is cut off, the launcher holds nothing. */
static void test_server_flood(void **state)
{
	static struct bed b;
	struct frame f;
	int n = 0;

	(void)state;
	bed_up(&b);
	say(b.client, FRAME_REQUEST, 0, 0, 1);
	turn(&b);
	assert_true(hear(b.init, &f) > 0);
	for (int i = 0; i < 1000 && b.server.client[0].src.fd >= 0; i++) {
		say(b.init, FRAME_DATA, FRAME_STDOUT, 1, FRAME_DATA_MAX);
		turn(&b);
	}
	assert_int_equal(b.server.client[0].src.fd, -1);
	while (hear(b.client, &f) > 0)
		n++;
	assert_true(n >= 2 * FRAME_WINDOW + FRAME_WINDOW);
	/* Init is told, and the number is not used again before it agrees. */
	assert_int_equal(hear(b.init, &f), FRAME_HEAD);
	assert_int_equal(f.kind, FRAME_END);
	assert_true(b.server.client[0].asked);
	say(b.init, FRAME_END, 0, 1, 0);
	turn(&b);
	assert_false(b.server.client[0].asked);
	bed_down(&b);
}

static void test_server_bad_client(void **state)
{
	static const struct {
		int kind, stream;
		size_t data;
	} t[] = {
		{ FRAME_DATA, FRAME_STDIN, 5 }, /* before a request */
		{ FRAME_REQUEST, 0, 0 },         { FRAME_ERROR, 0, 3 }, { FRAME_END, 0, 0 },
		{ FRAME_DATA, FRAME_STDOUT, 5 }, { 77, 0, 0 },
	};
	struct bed b;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		bed_up(&b);
		say(b.client, t[i].kind, t[i].stream, 0, t[i].data);
		turn(&b);
		assert_int_equal(hear(b.client, &f), 0);
		assert_int_equal(hear(b.init, &f), -1);
		bed_down(&b);
	}
}

/* One more than there can be hears why, whenever it looks. */
static void test_server_full(void **state)
{
	int more[FRAME_SESSIONS];
	struct bed b;
	struct frame f;
	struct err e = { 0 };
	pid_t pid;

	(void)state;
	bed_up(&b);
	for (int i = 0; i < FRAME_SESSIONS; i++) {
		more[i] = locate_connect(getpid(), &pid, &e);
		assert_true(more[i] >= 0);
		if (i == FRAME_SESSIONS - 1)
			say(more[i], FRAME_REQUEST, 0, 0, 1);
		turn(&b);
	}
	assert_int_equal(hear(more[0], &f), -1);
	/* A reset comes before what was said, as client.c knows. */
	if (hear(more[FRAME_SESSIONS - 1], &f) < 0)
		assert_true(hear(more[FRAME_SESSIONS - 1], &f) > FRAME_HEAD);
	assert_int_equal(f.kind, FRAME_ERROR);
	for (int i = 0; i < FRAME_SESSIONS; i++)
		(void)close(more[i]);
	bed_down(&b);
}

static void test_server_info(void **state)
{
	struct bed b;
	struct frame f;

	(void)state;
	bed_up(&b);
	say(b.client, FRAME_INFO, 0, 0, 0);
	turn(&b);
	assert_int_equal(hear(b.client, &f), FRAME_HEAD + strlen("memory=1\n"));
	assert_int_equal(hear(b.init, &f), -1);
	bed_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_check),
		cmocka_unit_test(test_frame_queue),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_trace_lines),
		cmocka_unit_test(test_trace_flags),
		cmocka_unit_test(test_trace_bad),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_server_flood),
		cmocka_unit_test(test_server_bad_client),
		cmocka_unit_test(test_server_info),
		cmocka_unit_test(test_server_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
