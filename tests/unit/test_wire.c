/* SPDX-License-Identifier: MIT */
/* Messages between vmsh and a guest: what may come from which side, credits, requests, archives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/fuse.h"
#include "compiler.h"
#include "cpio.h"
#include "flow.h"
#include "request.h"
#include "wire.h"

#define HOST  WIRE_TO_HOST
#define GUEST WIRE_TO_GUEST

static int parse(enum wire_kind kind, unsigned int stream, uint32_t value, size_t size,
		 enum wire_side to)
{
	static uint8_t buf[WIRE_MAX + 1];
	struct wire_msg m;
	int r;

	wire_head(buf, kind, stream, value);
	r = wire_parse(buf, WIRE_HEAD + size, to, &m);
	if (!r) {
		assert_int_equal(m.kind, kind);
		assert_int_equal(m.stream, stream);
		assert_int_equal(m.value, value);
		assert_int_equal(m.size, size);
		assert_ptr_equal(m.data, buf + WIRE_HEAD);
	}
	return r;
}

static const struct {
	enum wire_kind kind;
	unsigned int stream;
	uint32_t value;
	size_t size;
	enum wire_side to;
} may_come[] = {
	{ WIRE_HELLO, 0, WIRE_VERSION, 0, GUEST },
	{ WIRE_HELLO, WIRE_HAS_FUSE, WIRE_VERSION, 0, HOST },
	{ WIRE_HELLO, WIRE_HAS_TYPE, WIRE_VERSION, 0, HOST },
	{ WIRE_REQUEST, 0, 0, WIRE_DATA_MAX, GUEST },
	{ WIRE_START, 0, 0, 0, GUEST },
	{ WIRE_READY, 0, 0, 0, HOST },
	{ WIRE_DATA, WIRE_STDIN, 0, 0, GUEST },
	{ WIRE_DATA, WIRE_STDOUT, 0, WIRE_DATA_MAX, HOST },
	{ WIRE_DATA, WIRE_TERMINAL, 0, 1, HOST },
	{ WIRE_DATA, WIRE_TERMINAL, 0, 1, GUEST },
	{ WIRE_DATA, WIRE_ARCHIVE, 0, 1, GUEST },
	{ WIRE_CREDIT, WIRE_STDIN, 1, 0, HOST },
	{ WIRE_CREDIT, WIRE_STDERR, WIRE_WINDOW, 0, GUEST },
	{ WIRE_CREDIT, WIRE_REQUESTS, WIRE_FUSE_WINDOW, 0, GUEST },
	{ WIRE_WINSIZE, 0, 0, 8, GUEST },
	{ WIRE_SIGNAL, WIRE_GROUP, 64, 0, GUEST },
	{ WIRE_HANGUP, WIRE_TERMINAL, 0, 0, GUEST },
	{ WIRE_HANGUP, WIRE_STDOUT, 0, 0, GUEST },
	{ WIRE_EXIT, 0, 255, 0, HOST },
	{ WIRE_ERROR, 0, 125, WIRE_SENTENCE_MAX, HOST },
	{ WIRE_NOTE, 0, 0, 1, HOST },
	{ WIRE_FUSE, 0, 0, WIRE_PAYLOAD_MAX, HOST },
	{ WIRE_FUSE, 0, 0, 16, GUEST },
	{ WIRE_PING, WIRE_SILENT, UINT32_MAX, 0, GUEST },
	{ WIRE_PONG, 0, 7, 0, HOST },
	{ WIRE_END, 0, 0, 0, GUEST },
};
static const struct {
	const char *why;
	enum wire_kind kind;
	unsigned int stream;
	uint32_t value;
	size_t size;
	enum wire_side to;
} may_not_come[] = {
	{ "no kind", 0, 0, 0, 0, HOST },
	{ "unknown kind", WIRE_KINDS, 0, 0, 0, HOST },
	{ "a guest's exit, to it", WIRE_EXIT, 0, 0, 0, GUEST },
	{ "a status that is none", WIRE_EXIT, 0, 256, 0, HOST },
	{ "an error without a sentence", WIRE_ERROR, 0, 125, 0, HOST },
	{ "an error that is a success", WIRE_ERROR, 0, 0, 3, HOST },
	{ "a long sentence", WIRE_NOTE, 0, 0, WIRE_SENTENCE_MAX + 1, HOST },
	{ "a guest that wants something run", WIRE_REQUEST, 0, 0, 1, HOST },
	{ "nothing to run", WIRE_REQUEST, 0, 0, 0, GUEST },
	{ "much to run", WIRE_REQUEST, 0, 0, WIRE_DATA_MAX + 1, GUEST },
	{ "stdin, from a guest", WIRE_DATA, WIRE_STDIN, 0, 1, HOST },
	{ "stdout, to a guest", WIRE_DATA, WIRE_STDOUT, 0, 1, GUEST },
	{ "an archive, from a guest", WIRE_DATA, WIRE_ARCHIVE, 0, 1, HOST },
	{ "no stream", WIRE_DATA, WIRE_STREAMS, 0, 1, HOST },
	{ "much data", WIRE_DATA, WIRE_STDOUT, 0, WIRE_DATA_MAX + 1, HOST },
	{ "data with a value", WIRE_DATA, WIRE_STDOUT, 1, 1, HOST },
	{ "credit for what is not sent", WIRE_CREDIT, WIRE_STDOUT, 1, 0, HOST },
	{ "credit for requests, from a guest", WIRE_CREDIT, WIRE_REQUESTS, 1, 0, HOST },
	{ "no credit", WIRE_CREDIT, WIRE_STDIN, 0, 0, HOST },
	{ "much credit", WIRE_CREDIT, WIRE_STDIN, WIRE_WINDOW + 1, 0, HOST },
	{ "many places", WIRE_CREDIT, WIRE_REQUESTS, WIRE_FUSE_WINDOW + 1, 0, GUEST },
	{ "credit with data", WIRE_CREDIT, WIRE_STDIN, 1, 1, HOST },
	{ "half a size", WIRE_WINSIZE, 0, 0, 7, GUEST },
	{ "no signal", WIRE_SIGNAL, 0, 0, 0, GUEST },
	{ "no such signal", WIRE_SIGNAL, 0, 65, 0, GUEST },
	{ "a signal from a guest", WIRE_SIGNAL, 0, 9, 0, HOST },
	{ "less than a header of FUSE", WIRE_FUSE, 0, 0, 15, GUEST },
	{ "more than a message", WIRE_FUSE, 0, 0, WIRE_PAYLOAD_MAX + 1, HOST },
	{ "nobody at the other end of stdin", WIRE_HANGUP, WIRE_STDIN, 0, 0, GUEST },
	{ "nobody at the other end of an archive", WIRE_HANGUP, WIRE_ARCHIVE, 0, 0, GUEST },
	{ "a ping from a guest", WIRE_PING, 0, 0, 0, HOST },
	{ "the end, from a guest", WIRE_END, 0, 0, 0, HOST },
	{ "a start with data", WIRE_START, 0, 0, 1, GUEST },
	{ "no version", WIRE_HELLO, 0, 0, 0, GUEST },
	{ "more than there can be", WIRE_HELLO, WIRE_HAS_FUSE + WIRE_HAS_TYPE + 1, 1, 0, HOST },
};

static void what_may_come(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(may_come); i++)
		if (parse(may_come[i].kind, may_come[i].stream, may_come[i].value, may_come[i].size,
			  may_come[i].to))
			fail_msg("good %zu is refused", i);
	for (size_t i = 0; i < ARRAY_SIZE(may_not_come); i++)
		if (parse(may_not_come[i].kind, may_not_come[i].stream, may_not_come[i].value,
			  may_not_come[i].size, may_not_come[i].to) != -EPROTO)
			fail_msg("%s: is taken", may_not_come[i].why);
}

static void heads(void **state)
{
	uint8_t buf[WIRE_HEAD];
	struct wire_msg m;

	(void)state;
	wire_head(buf, WIRE_START, 0, 0);
	for (size_t i = 0; i < WIRE_HEAD; i++)
		assert_int_equal(wire_parse(buf, i, GUEST, &m), -EPROTO);
	assert_int_equal(wire_parse(buf, WIRE_HEAD, GUEST, &m), 0);
	buf[2] = 1; /* what must be zero */
	assert_int_equal(wire_parse(buf, WIRE_HEAD, GUEST, &m), -EPROTO);
}

static void sizes(void **state)
{
	const struct wire_size size = { 24, 80, 640, 65535 };
	uint8_t buf[WIRE_HEAD + WIRE_WINSIZE_DATA];
	struct wire_msg m;
	struct wire_size got;

	(void)state;
	wire_head(buf, WIRE_WINSIZE, 0, 0);
	wire_put_size(buf + WIRE_HEAD, &size);
	assert_int_equal(wire_parse(buf, sizeof(buf), GUEST, &m), 0);
	got = wire_get_size(&m);
	assert_memory_equal(&got, &size, sizeof(size));
}

/* --- credits --- */

static void credit_of_a_sender(void **state)
{
	struct wire_tx tx = wire_tx_of(WIRE_WINDOW);

	(void)state;
	assert_int_equal(wire_tx_credit(&tx, 1), -EPROTO); /* nothing was sent */
	wire_tx_sent(&tx, WIRE_WINDOW);
	assert_int_equal(tx.credit, 0);
	assert_int_equal(wire_tx_credit(&tx, WIRE_WINDOW + 1), -EPROTO);
	assert_int_equal(tx.credit, 0);
	assert_int_equal(wire_tx_credit(&tx, 5), 0);
	assert_int_equal(wire_tx_credit(&tx, UINT32_MAX), -EPROTO);
	assert_int_equal(wire_tx_credit(&tx, WIRE_WINDOW - 5), 0);
	assert_int_equal(tx.credit, WIRE_WINDOW);
}

static void window_of_a_receiver(void **state)
{
	static uint8_t data[WIRE_WINDOW + 1], out[WIRE_WINDOW];
	struct wire_rx rx;
	uint32_t credit;

	(void)state;
	assert_int_equal(wire_rx_init(&rx), 0);
	assert_int_equal(wire_rx_put(&rx, data, WIRE_WINDOW + 1), -EPROTO);
	assert_int_equal(wire_rx_put(&rx, data, WIRE_WINDOW), 0);
	assert_int_equal(wire_rx_put(&rx, data, 1), -EPROTO);
	assert_int_equal(wire_rx_credit(&rx), 0);
	/* Delivered, but the peer does not know: there is no more room than before. */
	assert_int_equal(ring_take(&rx.ring, out, 1000), 1000);
	wire_rx_delivered(&rx, 1000);
	assert_int_equal(wire_rx_credit(&rx), 0);
	assert_int_equal(wire_rx_put(&rx, data, 1), -EPROTO);
	wire_rx_drop(&rx);
	credit = wire_rx_credit(&rx);
	assert_int_equal(credit, WIRE_WINDOW);
	assert_int_equal(wire_rx_credit(&rx), 0);
	assert_int_equal(wire_rx_put(&rx, data, WIRE_WINDOW), 0);
	assert_false(wire_rx_done(&rx));
	assert_int_equal(wire_rx_put(&rx, NULL, 0), 0);
	assert_int_equal(wire_rx_put(&rx, NULL, 0), -EPROTO); /* it ends once */
	assert_int_equal(wire_rx_put(&rx, data, 1), -EPROTO);
	wire_rx_drop(&rx);
	assert_true(wire_rx_done(&rx));
	wire_rx_fini(&rx);
}

/* Whatever the sizes of reads and writes are, no byte is lost and nobody stops. */
static void both_ends(void **state)
{
	static uint8_t chunk[WIRE_DATA_MAX], out[WIRE_DATA_MAX];
	struct wire_tx tx = wire_tx_of(WIRE_WINDOW);
	uint32_t sent = 0, got = 0, seed = 1;
	struct wire_rx rx;

	(void)state;
	assert_int_equal(wire_rx_init(&rx), 0);
	for (int round = 0; round < 2000; round++) {
		uint32_t n, credit;

		seed = seed * 1103515245 + 12345;
		n = seed >> 8 & (WIRE_DATA_MAX - 1);
		n = n < tx.credit ? n : tx.credit;
		for (uint32_t i = 0; i < n; i++)
			chunk[i] = (uint8_t)((sent + i) * 31);
		if (n) {
			assert_int_equal(wire_rx_put(&rx, chunk, n), 0);
			wire_tx_sent(&tx, n);
			sent += n;
		}
		seed = seed * 1103515245 + 12345;
		n = (uint32_t)ring_take(&rx.ring, out, seed >> 9 & (WIRE_DATA_MAX - 1));
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(out[i], (uint8_t)((got + i) * 31));
		got += n;
		wire_rx_delivered(&rx, n);
		credit = wire_rx_credit(&rx);
		if (credit)
			assert_int_equal(wire_tx_credit(&tx, credit), 0);
		assert_true(sent - got <= WIRE_WINDOW);
		assert_true(rx.ring.len || tx.credit); /* somebody can go on */
	}
	assert_true(got > 100 * WIRE_WINDOW);
	wire_rx_fini(&rx);
}

/* --- requests --- */

static void request_there_and_back(void **state)
{
	_cleanup_wire_text_ struct wire_text t = { 0 };
	_cleanup_wire_request_ struct wire_request r = { 0 };
	struct termios modes = { .c_iflag = 0x4500, .c_lflag = 0x8a3b };

	(void)state;
	modes.c_cc[VINTR] = 3;
	modes.c_cc[VEOF] = 4;
	assert_int_equal(wire_text_put(&t, "arg", "sh"), 0);
	assert_int_equal(wire_text_put(&t, "arg", "-c"), 0);
	assert_int_equal(wire_text_put(&t, "arg", "a=b\nc"), 0);
	assert_int_equal(wire_text_put(&t, "env", "PATH=/bin:/usr/bin"), 0);
	assert_int_equal(wire_text_put(&t, "cwd", ""), 0);
	assert_int_equal(wire_text_put(&t, "user", "1000:100"), 0);
	assert_int_equal(wire_text_put(&t, "pid", "4194304"), 0);
	assert_int_equal(wire_text_put(&t, "tools", "fuse"), 0);
	assert_int_equal(wire_text_put(&t, "rw", "1"), 0);
	assert_int_equal(wire_text_put(&t, "tty", "7"), 0);
	assert_int_equal(wire_text_put(&t, "size", "24 80 0 0"), 0);
	assert_int_equal(wire_text_put_termios(&t, &modes), 0);
	assert_int_equal(wire_request_parse(&t, &r), 0);
	assert_int_equal(r.argc, 3);
	assert_string_equal(r.argv[2], "a=b\nc");
	assert_null(r.argv[3]);
	assert_int_equal(r.nenv, 1);
	assert_string_equal(r.env[0], "PATH=/bin:/usr/bin");
	assert_string_equal(r.cwd, "");
	assert_string_equal(r.user, "1000:100");
	assert_int_equal(r.pid, 4194304);
	assert_int_equal(r.tools, WIRE_TOOLS_FUSE);
	assert_true(r.writable);
	assert_false(r.privileged);
	assert_int_equal(r.tty, 7);
	assert_int_equal(r.size.cols, 80);
	assert_true(r.has_termios);
	assert_int_equal(r.termios.c_iflag, 0x4500);
	assert_int_equal(r.termios.c_lflag, 0x8a3b);
	assert_memory_equal(r.termios.c_cc, modes.c_cc, sizeof(modes.c_cc));
}

static void a_request_with_a_disk(void **state)
{
	static const char text[] = "arg=a\0disk=vmsh01\0tools=disk\0type=ext4";
	_cleanup_wire_text_ struct wire_text t = { 0 };
	_cleanup_wire_request_ struct wire_request r = { 0 };

	(void)state;
	assert_int_equal(wire_text_add(&t, text, sizeof(text)), 0);
	assert_int_equal(wire_request_parse(&t, &r), 0);
	assert_int_equal(r.tools, WIRE_TOOLS_DISK);
	assert_string_equal(r.disk, "vmsh01");
	assert_string_equal(r.type, "ext4");
}

#define BAD(text)                  \
	{                          \
		text, sizeof(text) \
	}

static void requests_that_are_none(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {
		{ "arg=a", sizeof("arg=a") - 1 }, /* without its NUL */
		BAD("env=A=B"),
		BAD("=x\0arg=a"),
		BAD("arg\0arg=a"),
		BAD("what=is this\0arg=a"),
		BAD("arg=a\0pid=0"),
		BAD("arg=a\0pid=4194305"),
		BAD("arg=a\0pid=-1"),
		BAD("arg=a\0pid=1 "),
		BAD("arg=a\0pid="),
		BAD("arg=a\0tty=8"),
		BAD("arg=a\0rw=2"),
		BAD("arg=a\0tools=iscsi"),
		BAD("arg=a\0tools=disk"),
		BAD("arg=a\0tools=disk\0disk=d"),
		BAD("arg=a\0tools=disk\0type=t"),
		BAD("arg=a\0size=1 2 3"),
		BAD("arg=a\0size=1 2 3 4 5"),
		BAD("arg=a\0size=1 2 3 65536"),
		BAD("arg=a\0termios=1:2:3"),
		BAD("arg=a\0termios=1:2:3:100000000"),
		BAD("arg=a\0termios=1:2:3:4:100"),
		BAD("arg=a\0termios=1::3:4"),
		BAD("arg=a\0termios=1:2:3:4:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:"
		    "0:0"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_wire_text_ struct wire_text t = { 0 };
		_cleanup_wire_request_ struct wire_request r = { 0 };

		assert_int_equal(wire_text_add(&t, bad[i].text, bad[i].size), 0);
		if (wire_request_parse(&t, &r) != -EPROTO)
			fail_msg("request %zu is taken", i);
	}
}

static void request_that_is_long(void **state)
{
	static char much[WIRE_REQUEST_MAX];
	_cleanup_wire_text_ struct wire_text t = { 0 };
	_cleanup_wire_request_ struct wire_request r = { 0 };

	(void)state;
	assert_int_equal(wire_request_parse(&t, &r), -EPROTO);
	for (size_t i = 0; i < WIRE_WORDS_MAX; i++)
		assert_int_equal(wire_text_put(&t, "arg", "x"), 0);
	assert_int_equal(wire_request_parse(&t, &r), 0);
	assert_int_equal(r.argc, WIRE_WORDS_MAX);
	wire_request_fini(&r);
	assert_int_equal(wire_text_put(&t, "arg", "x"), 0);
	assert_int_equal(wire_request_parse(&t, &r), -EPROTO);
	assert_int_equal(wire_text_add(&t, much, sizeof(much)), -E2BIG);
}

/* --- archives --- */

#define SEEN_MAX 8192

struct seen {
	char text[SEEN_MAX];
	size_t len;
};

static int saw_entry(void *arg, const struct cpio_entry *en)
{
	struct seen *s = arg;

	s->len += (size_t)snprintf(s->text + s->len, SEEN_MAX - s->len, "%s %o %u:", en->name,
				   en->mode, en->size);
	return 0;
}

static int saw_data(void *arg, const void *data, size_t size)
{
	struct seen *s = arg;

	assert_true(size < SEEN_MAX - s->len);
	memcpy(s->text + s->len, data, size);
	s->len += size;
	return 0;
}

static int saw_end(void *arg)
{
	return saw_data(arg, ";", 1);
}

static const struct cpio_sink seer = { saw_entry, saw_data, saw_end };

struct archive {
	char buf[SEEN_MAX];
	size_t len;
};

static void pad(struct archive *a)
{
	while (a->len % 4)
		a->buf[a->len++] = 0;
}

static void put(struct archive *a, const char *name, unsigned int mode, const char *data)
{
	size_t size = strlen(data);

	a->len += (size_t)sprintf(a->buf + a->len,
				  "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1,
				  mode, 0, 0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0);
	a->len += (size_t)sprintf(a->buf + a->len, "%s", name) + 1;
	pad(a);
	memcpy(a->buf + a->len, data, size);
	a->len += size;
	pad(a);
}

static void archive_in_pieces(void **state)
{
	struct archive a = { .len = 0 };
	static struct cpio c;

	(void)state;
	put(&a, ".", S_IFDIR | 0755, "");
	put(&a, "./bin", S_IFDIR | 0755, "");
	put(&a, "/bin/a", S_IFREG | 0755, "12345");
	put(&a, "l", S_IFLNK | 0777, "bin/a");
	put(&a, "..x/.../y", S_IFREG | 0600, "1234");
	put(&a, "TRAILER!!!", 0, "");
	memset(a.buf + a.len, 0, 512);
	a.len += 512;
	for (size_t piece = 1; piece < a.len; piece += piece / 8 + 1) {
		struct seen s = { .len = 0 };

		cpio_init(&c, &seer, &s);
		for (size_t off = 0; off < a.len; off += piece) {
			size_t n = a.len - off < piece ? a.len - off : piece;

			assert_int_equal(cpio_feed(&c, a.buf + off, n), 0);
		}
		assert_true(cpio_is_whole(&c));
		assert_string_equal(s.text,
				    " 40755 0:;bin 40755 0:;bin/a 100755 5:12345;l 120777 5:bin/a;"
				    "..x/.../y 100600 4:1234;");
	}
}

static int feed(const struct archive *a)
{
	struct seen s = { .len = 0 };
	static struct cpio c;
	int r;

	cpio_init(&c, &seer, &s);
	r = cpio_feed(&c, a->buf, a->len);
	return r < 0 ? r : !cpio_is_whole(&c);
}

static void archives_that_are_none(void **state)
{
	static const char *const bad[] = { "..", "a/..", "../a", "a/../b", "/../a", "./.." };
	struct archive a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		a.len = 0;
		put(&a, bad[i], S_IFDIR | 0755, "");
		if (feed(&a) != -EPROTO)
			fail_msg("the name '%s' is taken", bad[i]);
	}
	a.len = 0;
	put(&a, "", S_IFDIR | 0755, ""); /* a name of its NUL alone */
	assert_int_equal(feed(&a), -EPROTO);
	a.len = 0;
	put(&a, "d", S_IFDIR | 0755, "data");
	assert_int_equal(feed(&a), -EPROTO);
	a.len = 0;
	put(&a, "f", S_IFREG | 0755, "data");
	assert_int_equal(feed(&a), 1); /* it does not end */
	a.buf[5] = '2';
	assert_int_equal(feed(&a), -EPROTO);
	a.buf[5] = '1';
	a.buf[20] = 'g';
	assert_int_equal(feed(&a), -EPROTO);
	a.buf[20] = '0';
	assert_int_equal(feed(&a), 1);
	memcpy(a.buf + 94, "00000003", 8); /* a name without its NUL */
	assert_int_equal(feed(&a), -EPROTO);
	memcpy(a.buf + 94, "00001001", 8);
	assert_int_equal(feed(&a), -EPROTO);
	memcpy(a.buf + 94, "ffffffff", 8);
	assert_int_equal(feed(&a), -EPROTO);
}

static void put_fuse(uint8_t *to, uint32_t len)
{
	const struct fuse_in_header h = { .len = len, .opcode = FUSE_GETATTR };

	memcpy(to, &h, sizeof(h));
}

/* Several requests in one message, each as long as it says. */
static void requests_of_fuse(void **state)
{
	static const struct {
		const char *what;
		uint32_t len[3]; /* what they say */
		size_t size;     /* of the message */
		int taken, r;
	} cases[] = {
		{ "one", { 56 }, 56, 1, 0 },
		{ "three", { 56, 40, 43 }, 139, 3, 0 },
		{ "one that is cut", { 56 }, 55, 0, -EPROTO },
		{ "a second one that is cut", { 56, 48 }, 103, 1, -EPROTO },
		{ "a second one without its head", { 56, 48 }, 95, 1, -EPROTO },
		{ "one byte more", { 56 }, 57, 1, -EPROTO },
		{ "without a length", { 56, 0 }, 120, 1, -EPROTO },
		{ "shorter than its head", { 39 }, 80, 0, -EPROTO },
		{ "longer than all", { UINT32_MAX }, 80, 0, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t data[160] = { 0 };
		struct wire_msg m = { .kind = WIRE_FUSE, .data = data, .size = cases[i].size };
		size_t at = 0, off = 0;
		struct span one;
		int n = 0, r;

		for (int k = 0; k < 3 && at + sizeof(struct fuse_in_header) < sizeof(data); k++) {
			put_fuse(data + at, cases[i].len[k]);
			at += cases[i].len[k] < sizeof(data) ? cases[i].len[k] : sizeof(data);
		}
		at = 0;
		while ((r = wire_fuse_next(&m, &off, &one)) > 0) {
			assert_ptr_equal(one.p, data + at);
			assert_int_equal(one.len, cases[i].len[n]);
			at += one.len;
			n++;
		}
		if (r != cases[i].r || n != cases[i].taken)
			fail_msg("%s: %d, %d", cases[i].what, r, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_come),
		cmocka_unit_test(heads),
		cmocka_unit_test(sizes),
		cmocka_unit_test(requests_of_fuse),
		cmocka_unit_test(credit_of_a_sender),
		cmocka_unit_test(window_of_a_receiver),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(request_there_and_back),
		cmocka_unit_test(a_request_with_a_disk),
		cmocka_unit_test(requests_that_are_none),
		cmocka_unit_test(request_that_is_long),
		cmocka_unit_test(archive_in_pieces),
		cmocka_unit_test(archives_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
