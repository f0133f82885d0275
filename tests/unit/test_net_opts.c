/* SPDX-License-Identifier: MIT */
/* test_net_opts.c - what may stand behind --net and --publish, and what becomes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "forward.h"
#include "net_opts.h"

static int parse(struct net_opts *n, const char *text, char **ret_copy, struct err *e)
{
	*n = (struct net_opts){ .given = false };
	*ret_copy = strdup(text);
	return net_opts_parse(n, *ret_copy, e);
}

static void test_refused(void **state)
{
	static const char *const row[] = {
		"",
		"tap",
		"tap:",
		"tap:a-name-too-long-",
		"vhost-user:",
		"none,ip=10.0.0.1/8",
		"tap:t,",
		"tap:t,ip=",
		"tap:t,ip=10.0.0.1",
		"tap:t,ip=10.0.0.1/",
		"tap:t,ip=10.0.0.1/x",
		"tap:t,ip=10.0.0.1/-1",
		"tap:t,ip=10.0.0.1/33",
		"tap:t,ip=10.0.0.1/4294967300",
		"tap:t,ip=10.0.0.256/8",
		"tap:t,ip=::1/129",
		"tap:t,ip=ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128/1234567890",
		"tap:t,gw=10.0.0.1/8",
		"tap:t,dns=host",
		"tap:t,mac=",
		"tap:t,mac=52:54:00:00:00",
		"tap:t,mac=52:54:00:00:00:0",
		"tap:t,mac=52:54:00:00:00:0g",
		"tap:t,mac=52:54:00:00:00:01:",
		"tap:t,mac=53:54:00:00:00:01",
		"tap:t,mac=00:00:00:00:00:00",
		"tap:t,mac=52-54-00-00-00-01",
		"tap:t,ip=1.1.1.1/8,ip=1.1.1.1/8,ip=1.1.1.1/8,ip=1.1.1.1/8,ip=1.1.1.1/8",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		_cleanup_free_ char *copy = NULL;
		struct err e = { 0 };
		struct net_opts n;

		if (parse(&n, row[i], &copy, &e) >= 0 || !*e.msg)
			fail_msg("'%s' was taken", row[i]);
	}
}

static void test_ports_refused(void **state)
{
	static const char *const row[] = {
		"",         "80",      ":",       "80:",           ":80",     "0:80",     "80:0",
		"65536:1",  "1:65536", "+1:80",   " 1:80",         "1:80 ",   "1:2:3:4",  "x:1:2",
		"[::1:1:2", "[]:1:2",  "[x]:1:2", "[1.1.1.1]:1:2", "::1:1:2", "1.1.1:1:2"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct forward_port p;
		struct err e = { 0 };

		if (forward_parse(row[i], &p, &e) != -EINVAL || !*e.msg)
			fail_msg("'%s' was taken", row[i]);
	}
}

static void test_ports(void **state)
{
	struct forward_port p;
	struct err e;

	(void)state;
	assert_int_equal(forward_parse("[::1]:65535:1", &p, &e), 0);
	assert_int_equal(p.at.ss_family, AF_INET6);
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&p.at)->sin6_port), 65535);
	assert_int_equal(p.to, 1);
	assert_int_equal(forward_parse("127.0.0.1:1:65535", &p, &e), 0);
	assert_int_equal(((struct sockaddr_in *)&p.at)->sin_addr.s_addr, htonl(0x7f000001));
	assert_int_equal(forward_parse("8080:80", &p, &e), 0);
	assert_int_equal(((struct sockaddr_in *)&p.at)->sin_addr.s_addr, 0);
}

static bool planned(const struct boot_conf *c, const char *line)
{
	for (const char *p = c->data; p && p < c->data + c->size; p += strlen(p) + 1)
		if (!strcmp(p, line))
			return true;
	return false;
}

static void test_plan(void **state)
{
	_cleanup_boot_conf_ struct boot_conf conf = { .data = NULL };
	_cleanup_free_ char *copy = NULL;
	char *argv[NET_ARGS_MAX] = { NULL };
	struct net_scratch scratch;
	struct net_opts n;
	struct err e;

	(void)state;
	assert_int_equal(
		parse(&n, "tap:t0,ip=fd00::5/64,ip=10.1.2.3/24,gw=10.1.2.1,dns=1.1.1.1", &copy, &e),
		0);
	assert_int_equal(net_opts_publish(&n, "80:8080", &e), 0);
	assert_int_equal(net_opts_check(&n, &e), 0);
	net_opts_plan(&n, &conf);
	assert_true(planned(&conf, "net=eth0"));
	assert_true(planned(&conf, "mac=52:54:00:00:00:05"));
	assert_true(planned(&conf, "ip=fd00::5/64"));
	assert_true(planned(&conf, "ip=10.1.2.3/24"));
	assert_true(planned(&conf, "gw=10.1.2.1"));
	assert_true(planned(&conf, "dns=1.1.1.1"));
	net_opts_argv(&n, &scratch, argv, 1);
	assert_string_equal(argv[1], "--tap");
	assert_string_equal(argv[2], "t0");
	assert_string_equal(argv[3], "--guest");
	assert_string_equal(argv[4], "10.1.2.3");
	assert_string_equal(argv[5], "--publish");
	assert_null(argv[7]);
}

static void test_private(void **state)
{
	_cleanup_boot_conf_ struct boot_conf conf = { .data = NULL };
	struct net_opts n = { .given = false };
	struct err e;

	(void)state;
	assert_int_equal(net_opts_check(&n, &e), 0);
	assert_int_equal(n.kind, NET_NONE);
	assert_int_equal(net_opts_publish(&n, "80:8080", &e), 0);
	assert_int_equal(net_opts_check(&n, &e), 0);
	assert_int_equal(n.kind, NET_PRIVATE);
	net_opts_plan(&n, &conf);
	assert_true(planned(&conf, "ip=" NET_PRIVATE_GUEST "/24"));
	assert_true(planned(&conf, "mac=52:54:0a:00:02:0f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused), cmocka_unit_test(test_ports_refused),
		cmocka_unit_test(test_ports),   cmocka_unit_test(test_plan),
		cmocka_unit_test(test_private),
	};

	return cmocka_run_group_tests_name("net_opts", tests, NULL, NULL);
}
