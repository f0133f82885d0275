/* SPDX-License-Identifier: MIT */
/* LXC: parsers, and the engine against monitors of our own. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cleanup.h"
#include "engine.h"
#include "engine_lxc.h"
#include "fake_monitor.h"
#include "slow_clock.h"

static void test_running(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	struct host h;

	(void)state;
	host_init(&h);
	start(&h, h.lxcpath, "web", false, HONEST);
	start(&h, h.lxcpath, "modern", false, HONEST_PIDFD);
	start(&h, h.lxcpath, "cold", false, FROZEN);
	start(&h, h.lxcpath, "soon", false, STARTING);
	start(&h, "/a/long/path", "hidden", true, HONEST);
	host_ready(&h);
	assert_int_equal(engine_lxc.list(&h.tree.env, &l, &e), 0);
	assert_int_equal(l.n, 4);
	assert_int_equal(tree_ctr(&l, "web")->pid, h.m[0].init);
	assert_int_equal(tree_ctr(&l, "web")->state, CTR_RUNNING);
	assert_string_equal(tree_ctr(&l, "web")->engine, "lxc");
	assert_string_equal(tree_ctr(&l, "web")->scope, h.lxcpath);
	assert_int_equal(tree_ctr(&l, "modern")->pid, h.m[1].init);
	assert_int_equal(tree_ctr(&l, "cold")->state, CTR_PAUSED);
	assert_int_equal(tree_ctr(&l, "hidden")->pid, h.m[4].init);
	assert_string_equal(tree_ctr(&l, "hidden")->scope, "/a/long/path");
	host_fini(&h);
}

static void test_stopped(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	char path[128];
	struct host h;

	(void)state;
	host_init(&h);
	/* a path inside the tree and as bound, so that what runs is seen not to be stopped too */
	tree_text(&h.tree, "/etc/lxc/lxc.conf", "# lxc.lxcpath = /no\n lxc.lxcpath = /srv/lxc \n");
	start(&h, "/srv/lxc", "up", true, HONEST);
	tree_text(&h.tree, "/srv/lxc/up/config", "");
	tree_text(&h.tree, "/srv/lxc/down/config", "");
	tree_text(&h.tree, "/srv/lxc/no-container/other", "");
	host_ready(&h);
	assert_int_equal(engine_lxc.list(&h.tree.env, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(tree_ctr(&l, "up")->state, CTR_RUNNING);
	assert_null(tree_ctr(&l, "up")->scope);
	assert_int_equal(tree_ctr(&l, "down")->state, CTR_STOPPED);
	assert_int_equal(tree_ctr(&l, "down")->pid, 0);
	ctr_list_fini(&l);

	/* a user has a place of their own */
	h.tree.env.uid = 1000;
	h.tree.env.home = "/home/u";
	(void)snprintf(path, sizeof(path), "/home/u/.local/share/lxc/mine/config");
	tree_text(&h.tree, path, "");
	assert_int_equal(engine_lxc.find(&h.tree.env, "mine", &l, &e), 0);
	assert_int_equal(l.n, 1);
	assert_null(l.v[0].scope);
	host_fini(&h);
}

static void test_find(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	char scoped[128];
	struct host h;

	(void)state;
	host_init(&h);
	start(&h, h.lxcpath, "web", false, HONEST);
	start(&h, h.lxcpath, "webshop", false, SILENT); /* is not asked */
	host_ready(&h);
	assert_int_equal(engine_lxc.find(&h.tree.env, "web", &l, &e), 0);
	assert_int_equal(l.n, 1);
	(void)snprintf(scoped, sizeof(scoped), "%s/web", h.lxcpath);
	assert_int_equal(engine_lxc.find(&h.tree.env, scoped, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(engine_lxc.find(&h.tree.env, "we", &l, &e), 0);
	assert_int_equal(l.n, 2);
	host_fini(&h);
}

/* Whatever one monitor does, the others are listed. */
static void test_bad_monitors(void **state)
{
	static const struct {
		enum manner how;
		int r;
	} cases[] = {
		{ SHORT, 0 },           { GARBAGE, 0 },      { HUGE, 0 },
		{ BAD_STATE, 0 },       { DENIES, -EACCES }, { HANGS_UP, -EACCES },
		{ SILENT, -ETIMEDOUT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_ctr_list_ struct ctr_list l = { 0 };
		struct err e = { 0 };
		struct host h;

		slowness = cases[i].how == SILENT ? 1 : SLOWLY;
		host_init(&h);
		start(&h, h.lxcpath, "bad", false, cases[i].how);
		start(&h, h.lxcpath, "hidden", true, cases[i].how);
		start(&h, h.lxcpath, "good", false, HONEST);
		host_ready(&h);
		assert_int_equal(engine_lxc.list(&h.tree.env, &l, &e), cases[i].r);
		assert_int_equal(!!e.code, !!cases[i].r);
		assert_int_equal(l.n, 1);
		assert_string_equal(l.v[0].name, "good");
		host_fini(&h);
	}
	slowness = SLOWLY;
}

/* A socket that is listed and gone by now. */
static void test_vanished(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	struct host h;

	(void)state;
	host_init(&h);
	start(&h, h.lxcpath, "web", false, HONEST);
	host_ready(&h);
	monitor_kill(&h.m[0]);
	assert_int_equal(engine_lxc.list(&h.tree.env, &l, &e), 0);
	assert_int_equal(l.n, 0);
	host_fini(&h);
}

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	return __real_poll(fds, n, ms * (int)slowness);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Of another user only what is that user's is believed, and little time is given. */
static void test_strangers(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	uint64_t start_ms;
	struct host h;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root, to have a second user\n");
		skip();
	}
	host_init(&h);
	start(&h, h.lxcpath, "liar", false, LIAR);
	start(&h, h.lxcpath, "stranger", false, STRANGER);
	start(&h, h.lxcpath, "liar2", false, LIAR_OTHER);
	start(&h, h.lxcpath, "liar3", false, LIAR_ROOT);
	start(&h, h.lxcpath, "s1", false, STRANGE_SILENT);
	start(&h, h.lxcpath, "s2", false, STRANGE_SILENT);
	start(&h, h.lxcpath, "s3", false, STRANGE_SILENT);
	start(&h, h.lxcpath, "mine", false, HONEST);
	host_ready(&h);
	start_ms = now_ms();
	assert_int_equal(engine_lxc.list(&h.tree.env, &l, &e), -ETIMEDOUT);
	assert_true(now_ms() - start_ms < 2 * LXC_STRANGE_MS);
	assert_int_equal(l.n, 2);
	assert_int_equal(tree_ctr(&l, "stranger")->pid, h.m[1].init);
	assert_int_equal(tree_ctr(&l, "mine")->pid, h.m[7].init);
	host_fini(&h);
}

static void test_reply_parse(void **state)
{
	uint8_t raw[LXC_REPLY_SIZE + 1] = { 0xf3, 0xff, 0xff, 0xff, 5, 0, 0, 0, 1, 2 };
	struct lxc_reply r;

	(void)state;
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE, &r), 0);
	assert_int_equal(r.ret, -13);
	assert_int_equal(r.datalen, 5);
	assert_int_equal(r.value, 0x201);
	for (size_t size = 0; size < LXC_REPLY_SIZE; size++)
		assert_int_equal(lxc_reply_parse(raw, size, &r), -EPROTO);
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE + 1, &r), -EPROTO);
	raw[5] = LXC_DATA_MAX >> 8;
	raw[4] = 0;
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE, &r), 0);
	raw[4] = 1; /* one more than we take */
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE, &r), -EPROTO);
	raw[7] = 0xff; /* negative */
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE, &r), -EPROTO);
	memset(raw + 4, 0, 4);
	raw[3] = 0x7f; /* a positive ret */
	assert_int_equal(lxc_reply_parse(raw, LXC_REPLY_SIZE, &r), -EPROTO);
}

static void test_socket_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"command",
		"/command",
		"//command",
		"web/command",
		"/var/lib/lxc//command",
		"/var/lib/lxc/web/monitor",
		"/var/lib/lxc/web/command2",
		"lxc/abc/command",
		"lxc/0123456789abcdeg/command",
		"lxc/0123456789abcdef0/command",
		"var/lib/lxc/web/command",
	};
	struct lxc_socket s;
	const char *name = "/srv/a b/c\n/web/command";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(lxc_socket_parse((struct span){ bad[i], strlen(bad[i]) }, &s),
				 -ENOENT);
	assert_int_equal(lxc_socket_parse((struct span){ name, strlen(name) }, &s), 0);
	assert_true(span_eq(s.lxcpath, "/srv/a b/c\n"));
	assert_true(span_eq(s.name, "web"));
	name = "lxc/0123456789abcdef/command";
	assert_int_equal(lxc_socket_parse((struct span){ name, strlen(name) }, &s), 0);
	assert_true(s.hashed);
}

static void test_socket_next(void **state)
{
	static const char text[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 1 /run/lxc/x/command\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 2 @/var/lib/lxc/web/command\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 3\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01\n"
		"\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 4 @/srv/my lxc/web/command\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 5 @lxc/0123456789abcdef/command";
	struct cursor c = cur_of(text, sizeof(text) - 1);
	struct lxc_socket s;
	struct span name;

	(void)state;
	assert_int_equal(lxc_socket_next(&c, &name, &s), 1);
	assert_true(span_eq(s.lxcpath, "/srv/my lxc"));
	assert_true(span_eq(name, "/srv/my lxc/web/command"));
	assert_int_equal(lxc_socket_next(&c, &name, &s), 1);
	assert_true(s.hashed);
	assert_int_equal(lxc_socket_next(&c, &name, &s), 0);
}

static void test_conf_parse(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{ "lxc.lxcpath = /srv/lxc\n", "/srv/lxc" },
		{ "lxc.lxcpath=/a\nlxc.lxcpath =\t/b", "/b" },
		{ "a\n = /x\n#lxc.lxcpath = /c\n", NULL },
		{ "lxc.lxcpath = relative\n", NULL },
		{ "lxc.lxcpath\n", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span s;
		int r = lxc_conf_parse(cases[i].text, strlen(cases[i].text), &s);

		assert_int_equal(r, cases[i].path ? 0 : -ENOENT);
		assert_true(r < 0 || span_eq(s, cases[i].path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_running),     cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_find),        cmocka_unit_test(test_bad_monitors),
		cmocka_unit_test(test_vanished),    cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_reply_parse), cmocka_unit_test(test_socket_parse),
		cmocka_unit_test(test_socket_next), cmocka_unit_test(test_conf_parse),

	};

	slowness = SLOWLY;
	return cmocka_run_group_tests_name("ctr_lxc", tests, NULL, NULL);
}
