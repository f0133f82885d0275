/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"
#include "err.h"
#include "io.h"
#include "json.h"
#include "opt.h"
#include "out.h"
#include "pidfd.h"

static void test_err(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "no container '%s'", "web"), -ENOENT);
	assert_int_equal(err_wrap(&e, -ENOENT, "attaching"), -ENOENT);
	assert_string_equal(e.msg, "attaching: no container 'web'");
	for (int i = 0; i < 100; i++)
		(void)err_wrap(&e, -ENOENT, "%0200d", i);
	assert_true(strlen(e.msg) < sizeof(e.msg));
	assert_int_equal(err_set(NULL, EIO, "nobody listens"), -EIO);
	assert_string_equal(err_str(-ENOENT), "No such file or directory");
	assert_string_equal(err_str(99999), "unknown error");
}

static void test_cursor(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 0, 3, 0, 0, 0, 4 };
	struct cursor c = cur_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(cur_u8(&c), 1);
	assert_int_equal(cur_le16(&c), 2);
	assert_int_equal(cur_le32(&c), 3);
	assert_int_equal(cur_left(&c), 1);
	assert_int_equal(cur_le16(&c), 0); /* one past: nothing is taken, the error sticks */
	assert_false(cur_ok(&c));
	assert_int_equal(c.off, 7);
	assert_int_equal(cur_u8(&c), 0);
	assert_int_equal(cur_left(&c), 0);

	c = cur_of(bytes, sizeof(bytes));
	cur_skip(&c, SIZE_MAX); /* would wrap */
	assert_false(cur_ok(&c));
	c = cur_of(bytes, sizeof(bytes));
	cur_skip(&c, sizeof(bytes)); /* the last byte */
	assert_true(cur_ok(&c));
	assert_int_equal(cur_left(&c), 0);
}

static void test_span(void **state)
{
	struct cursor c = cur_of("a b\n\nlast", 9);
	struct span line, word;
	uint64_t v;

	(void)state;
	assert_int_equal(cur_until(&c, '\n', &line), 1);
	assert_int_equal(span_word(&line, &word), 1);
	assert_true(span_eq(word, "a"));
	assert_int_equal(span_word(&line, &word), 1);
	assert_true(span_eq(word, "b"));
	assert_int_equal(span_word(&line, &word), 0);
	assert_int_equal(cur_until(&c, '\n', &line), 1);
	assert_int_equal(line.len, 0);
	assert_int_equal(cur_until(&c, '\n', &line), 1);
	assert_true(span_eq(line, "last"));
	assert_true(span_eq((struct span){ NULL, 0 }, ""));
	assert_true(span_starts((struct span){ NULL, 0 }, ""));
	assert_false(span_eq((struct span){ NULL, 0 }, "x"));
	assert_int_equal(cur_until(&c, '\n', &line), 0);

	assert_int_equal(span_u64((struct span){ "18446744073709551615", 20 }, 10, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(span_u64((struct span){ "18446744073709551616", 20 }, 10, &v), -ERANGE);
	assert_int_equal(span_u64((struct span){ "777", 3 }, 8, &v), 0);
	assert_int_equal(v, 0777);
	assert_int_equal(span_u64((struct span){ "8", 1 }, 8, &v), -EINVAL);
	assert_int_equal(span_u64((struct span){ "", 0 }, 10, &v), -EINVAL);
	assert_int_equal(span_u64((struct span){ "-1", 2 }, 10, &v), -EINVAL);
}

static void test_array(void **state)
{
	_cleanup_free_ char **v = NULL;
	size_t room = 0, was;

	(void)state;
	assert_int_equal(array_room(&v, &room, 1, sizeof(*v)), 0);
	assert_true(room >= 1);
	was = room;
	assert_int_equal(array_room(&v, &room, was, sizeof(*v)), 0); /* there already */
	assert_int_equal(room, was);
	v[was - 1] = (char *)"last";
	assert_int_equal(array_room(&v, &room, was + 1, sizeof(*v)), 0);
	assert_true(room > was * 2);
	assert_string_equal(v[was - 1], "last");
	was = room;
	assert_int_equal(array_room(&v, &room, SIZE_MAX / 4, sizeof(*v)), -ENOMEM); /* would wrap */
	assert_int_equal(room, was);
	assert_int_equal(array_room(&v, &room, 1000, sizeof(*v)), 0);
	assert_int_equal(room, 1000);
}

static void test_io(void **state)
{
	char dir[] = "/tmp/dvs-test-XXXXXX", *buf;
	int dirfd, sock[2], fds[2];
	size_t len, nfds;
	char byte = 'x';

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(dirfd >= 0);
	assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
	assert_int_equal(io_read_at(dirfd, "fifo", 10, &buf, &len), 0); /* does not hang */
	assert_int_equal(len, 0);
	free(buf);
	assert_int_equal(io_read_at(AT_FDCWD, "/proc/self/status", 10, &buf, &len), -EFBIG);
	assert_int_equal(io_read_at(dirfd, "none", 10, &buf, &len), -ENOENT);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	assert_int_equal(io_send_fds(sock[0], &byte, 1, &dirfd, 1), 0);
	assert_int_equal(io_recv_fds(sock[1], &byte, 1, fds, 2, &nfds), 1);
	assert_int_equal(nfds, 1);
	assert_int_equal(faccessat(fds[0], "fifo", F_OK, 0), 0);
	close(fds[0]);
	close(sock[0]);
	assert_int_equal(io_recv_fds(sock[1], &byte, 1, fds, 2, &nfds), 0);
	close(sock[1]);
	assert_int_equal(unlinkat(dirfd, "fifo", 0), 0);
	close(dirfd);
	assert_int_equal(rmdir(dir), 0);
}

/* In a child, for the test program needs its descriptors. */
static void test_close_others(void **state)
{
	const int keep[] = { 200, -1, 5, 300 };
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		for (int fd = 3; fd <= 310; fd++)
			if (dup2(STDERR_FILENO, fd) < 0)
				_exit(2);
		if (io_close_others(keep, 4) < 0)
			_exit(3);
		for (int fd = 0; fd <= 310; fd++) {
			bool open = fcntl(fd, F_GETFD) >= 0;

			if (open != (fd < 3 || fd == 5 || fd == 200 || fd == 300))
				_exit(4);
		}
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_json(void **state)
{
	static const char *const bad[] = { "",    "{",      "{} x", "[1,",  "\"\xff", "{\"a\":1}}",
					   "tru", "1 2",    "-",    "1.5x", "null",   "nul",
					   " ",   "\"open", "1 e",  "truex" };
	static const char *const bare[] = { "1", "true", " -7 ", "\"s\"", "1.5", "false\n" };
	const char *good = "{\"a\":{\"b\":[1,\"two\",true]},\"n\":-9223372036854775808}\n";
	struct json_object *o, *deep;
	char nested[300];
	int64_t n;

	(void)state;
	assert_int_equal(json_parse(good, strlen(good), &o, NULL), 0);
	assert_int_equal(json_len(json_path(o, "a.b")), 3);
	assert_null(json_str(o, "a.b"));
	assert_null(json_str(o, "a.none.deeper"));
	assert_null(json_at(json_path(o, "a.b"), 3));
	assert_int_equal(json_int(o, "n", &n), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(json_int(o, "a", &n), -ENOENT);
	json_object_put(o);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (json_parse(bad[i], strlen(bad[i]), &o, NULL) != -EPROTO)
			fail_msg("took '%s'", bad[i]);
	assert_int_equal(json_parse("1\0", 2, &o, NULL), -EPROTO);
	for (size_t i = 0; i < ARRAY_SIZE(bare);
	     i++) { /* as long as it is, with no NUL behind it */
		size_t len = strlen(bare[i]);
		_cleanup_free_ char *exact = malloc(len);

		memcpy(exact, bare[i], len);
		assert_int_equal(json_parse(exact, len, &o, NULL), 0);
		json_object_put(o);
	}
	memset(nested, '[', sizeof(nested));
	assert_int_equal(json_parse(nested, sizeof(nested), &deep, NULL), -EPROTO);
}

static void test_pid(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	struct err e = { 0 };
	pid_t child;

	(void)state;
	assert_int_equal(pid_open(1 << 30, &p, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "1073741824"));
	child = fork();
	if (!child)
		for (;;)
			pause();
	assert_int_equal(pid_open(child, &p, &e), 0);
	assert_true(pid_alive(&p));
	assert_int_equal(pidfd_signal(p.pidfd, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(pid_alive(&p));
}

static int seen_ids[8], nseen, seen_operands;
static char first_operand[32], last_operand[32];

static int run_probe(struct opt_parser *p)
{
	struct err e = { 0 };
	int id;

	nseen = 0;
	while ((id = opt_next(p, &e)) > 0)
		seen_ids[nseen++] = id;
	if (id < 0)
		return OPT_EXIT_USAGE;
	seen_operands = p->noperands;
	strcpy(first_operand, p->noperands ? p->operand[0] : "");
	strcpy(last_operand, p->noperands ? p->operand[p->noperands - 1] : "");
	return 0;
}

static int parse(const char *words)
{
	static const struct opt opts[] = {
		{ 'u', "user", "USER", "as whom", 0 },
		{ 'v', "verbose", NULL, "say more", 0 },
		{ OPT_LONG + 1, "long-only", NULL, "no short form", 0 },
		{ 0 },
	};
	static const struct verb verbs[] = {
		{ "attach", "TARGET [-- COMMAND...]", "s", NULL, opts, 1, 0, run_probe },
		{ 0 },
	};
	static const struct program prog = { "probe", "1", "s", NULL, verbs };
	char buf[200], *argv[16] = { buf }, *save = NULL;
	int argc = 1;

	strcpy(buf, words);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return opt_main(&prog, argc, argv);
}

static void test_opt(void **state)
{
	(void)state;
	assert_int_equal(parse("attach -u root web --verbose"), 0);
	assert_int_equal(nseen, 2);
	assert_int_equal(seen_ids[1], 'v');
	assert_int_equal(seen_operands, 1);
	assert_int_equal(parse("attach web ls -v"), 0); /* -v is of ls */
	assert_int_equal(nseen, 0);
	assert_int_equal(seen_operands, 3);
	assert_string_equal(last_operand, "-v");
	assert_int_equal(parse("attach web --long-only -- ls --help"), 0);
	assert_int_equal(nseen, 1);
	assert_int_equal(seen_ids[0], OPT_LONG + 1);
	assert_string_equal(first_operand, "web");
	assert_string_equal(last_operand, "--help");
	assert_int_equal(parse("attach -- web"), 0);
	assert_int_equal(seen_operands, 1);
	assert_int_equal(parse("attach"), 0);
	assert_int_equal(seen_operands, 0);
	assert_int_equal(parse("attach --nope web"), OPT_EXIT_USAGE);
	assert_int_equal(parse("attach web -u"), OPT_EXIT_USAGE);
	assert_int_equal(parse("attach web --verbose=1"), OPT_EXIT_USAGE);
	assert_int_equal(parse("atach web"), OPT_EXIT_USAGE);
	assert_int_equal(parse(""), OPT_EXIT_USAGE);
}

static void test_opt_number(void **state)
{
	struct err e = { 0 };
	long v;

	(void)state;
	assert_int_equal(opt_number("7", "--n", 0, 7, &v, &e), 0);
	assert_int_equal(v, 7);
	assert_int_equal(opt_number("8", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number("", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number("7x", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number("0x7", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number(" 7", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number("+7", "--n", 0, 7, &v, &e), -EINVAL);
	assert_int_equal(opt_number("010", "--n", 0, 10, &v, &e), 0);
	assert_int_equal(v, 10);
	assert_int_equal(opt_number("99999999999999999999", "--n", 0, 7, &v, &e), -EINVAL);
}

/* The errno is that of the disk, however much of it the stream had tried to write before. */
static void test_out_flush(void **state)
{
	static const char text[100];

	(void)state;
	for (size_t len = 0; len <= sizeof(text); len++) {
		FILE *f = fopen("/dev/full", "w");
		char buf[32];

		assert_non_null(f);
		assert_int_equal(setvbuf(f, buf, _IOFBF, sizeof(buf)), 0);
		(void)fwrite(text, 1, len, f);
		assert_int_equal(out_flush(f), len ? -ENOSPC : 0);
		(void)fclose(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),       cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_span),      cmocka_unit_test(test_array),
		cmocka_unit_test(test_io),        cmocka_unit_test(test_close_others),
		cmocka_unit_test(test_json),      cmocka_unit_test(test_pid),
		cmocka_unit_test(test_opt),       cmocka_unit_test(test_opt_number),
		cmocka_unit_test(test_out_flush),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
