/* SPDX-License-Identifier: MIT */
/* Incus and LXD, against monitors and a daemon of our own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "engine.h"
#include "engine_incus.h"
#include "fake_monitor.h"

static const char instances[] =
	"{\"type\":\"sync\",\"status_code\":200,\"metadata\":["
	"{\"name\":\"web\",\"project\":\"default\",\"type\":\"container\",\"status\":\"Running\","
	"\"config\":{\"image.description\":\"Debian bookworm\"},\"state\":{\"pid\":%d}},"
	"{\"name\":\"db\",\"project\":\"shop\",\"type\":\"container\",\"status\":\"Frozen\","
	"\"config\":{},\"state\":{\"pid\":%d}},"
	"{\"name\":\"old\",\"project\":\"default\",\"type\":\"container\",\"status\":\"Stopped\","
	"\"config\":{\"volatile.base_image\":\"abc\"},\"state\":null},"
	"{\"name\":\"vm\",\"project\":\"default\",\"type\":\"virtual-machine\",\"status\":\"Running\"},"
	"{\"name\":\"ghost\",\"project\":\"default\",\"type\":\"container\",\"status\":\"Running\","
	"\"state\":{\"pid\":999999999}}]}";

static void test_incus_sockets(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 }, lxc = { 0 }, found = { 0 };
	struct err e = { 0 };
	char incus[96], lxd[96];
	struct host h;

	(void)state;
	host_init(&h);
	(void)snprintf(incus, sizeof(incus), "%s/incus/containers", h.tree.root);
	(void)snprintf(lxd, sizeof(lxd), "%s/lxd/containers", h.tree.root);
	start(&h, incus, "web", false, HONEST);
	start(&h, incus, "shop_db", false, HONEST_PIDFD);
	start(&h, lxd, "old", false, HONEST);
	host_ready(&h);
	tree_text(&h.tree, "/var/lib/incus/containers/web/x", "");
	tree_link(&h.tree, "/var/lib/incus/containers/down", "/nowhere");
	assert_int_equal(engine_lxc.list(&h.tree.env, &lxc, &e), 0);
	assert_int_equal(lxc.n, 0);
	assert_int_equal(engine_incus.list(&h.tree.env, &l, &e), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(tree_ctr(&l, "web")->pid, h.m[0].init);
	assert_null(tree_ctr(&l, "web")->scope);
	assert_string_equal(tree_ctr(&l, "db")->scope, "shop");
	assert_string_equal(tree_ctr(&l, "db")->id, "shop_db");
	assert_int_equal(tree_ctr(&l, "down")->state, CTR_STOPPED);
	assert_int_equal(engine_lxd.list(&h.tree.env, &l, &e), 0);
	assert_int_equal(l.n, 4);
	assert_string_equal(tree_ctr(&l, "old")->engine, "lxd");
	assert_int_equal(engine_incus.find(&h.tree.env, "db", &found, &e), 0);
	assert_int_equal(engine_incus.find(&h.tree.env, "shop/db", &found, &e), 0);
	assert_int_equal(engine_incus.find(&h.tree.env, "old", &found, &e), 0);
	assert_int_equal(found.n, 2);
	host_fini(&h);
}

/* A daemon of one answer, on the unix socket in the tree. */
static pid_t start_daemon(struct host *h, const char *body)
{
	char head[256];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/var/lib/incus/unix.socket",
		       h->tree.root);
	tree_mkdirs(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (!pid) {
		int c = accept(fd, NULL, NULL);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!read(c, head, sizeof(head));
		(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			       strlen(body));
		(void)!write(c, head, strlen(head));
		(void)!write(c, body, strlen(body));
		_exit(0);
	}
	(void)close(fd);
	return pid;
}

static void test_incus_daemon(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	char incus[96], body[2048];
	struct host h;
	pid_t daemon;

	(void)state;
	host_init(&h);
	(void)snprintf(incus, sizeof(incus), "%s/incus/containers", h.tree.root);
	start(&h, incus, "web", false, HONEST);
	start(&h, incus, "extra", false, HONEST);
	host_ready(&h);
	/* "web" by its socket, whose word counts more; "db" by the daemon's */
	(void)snprintf(body, sizeof(body), instances, 1, h.m[1].init);
	daemon = start_daemon(&h, body);
	assert_int_equal(engine_incus.list(&h.tree.env, &l, &e), 0);
	(void)waitpid(daemon, NULL, 0);
	assert_int_equal(l.n, 5);
	assert_int_equal(tree_ctr(&l, "web")->pid, h.m[0].init);
	assert_string_equal(tree_ctr(&l, "web")->image, "Debian bookworm");
	assert_int_equal(tree_ctr(&l, "db")->pid, h.m[1].init);
	assert_int_equal(tree_ctr(&l, "db")->state, CTR_PAUSED);
	assert_string_equal(tree_ctr(&l, "db")->scope, "shop");
	assert_int_equal(tree_ctr(&l, "old")->state, CTR_STOPPED);
	assert_string_equal(tree_ctr(&l, "old")->image, "abc");
	assert_int_equal(tree_ctr(&l, "ghost")->state, CTR_STOPPED);
	assert_int_equal(tree_ctr(&l, "extra")->pid, h.m[1].init);
	host_fini(&h);
}

static void test_incus_bad(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "{}", -EPROTO },
		{ "[]", -EPROTO },
		{ "{\"name\":\"a\",\"type\":\"container\"}", -EPROTO },
		{ "{\"name\":1,\"type\":\"container\",\"status\":\"Running\"}", -EPROTO },
		{ "{\"name\":\"\",\"type\":\"container\",\"status\":\"Running\"}", -EPROTO },
		{ "{\"name\":\"a_b\",\"type\":\"container\",\"status\":\"Running\"}", -EPROTO },
		{ "{\"name\":\"../a\",\"type\":\"container\",\"status\":\"Running\"}", -EPROTO },
		{ "{\"name\":\"a\",\"project\":\"x/y\",\"type\":\"container\",\"status\":\"x\"}",
		  -EPROTO },
		{ "{\"name\":\"a\",\"type\":\"virtual-machine\",\"status\":\"Running\"}", -ENOENT },
		{ "{\"name\":\"a\",\"type\":\"container\",\"status\":\"Running\",\"config\":[]}",
		  0 },
		{ "{\"name\":\"a\",\"type\":\"container\",\"status\":\"?\",\"state\":{\"pid\":-1}}",
		  0 },
	};
	struct json_object *list;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ struct json_object *o = NULL;
		_cleanup_ctr_ struct ctr c = { 0 };

		assert_int_equal(json_parse(cases[i].text, strlen(cases[i].text), &o, NULL), 0);
		assert_int_equal(incus_instance_parse(o, "incus", &c), cases[i].r);
		assert_int_equal(c.pid, 0);
	}
	assert_int_equal(incus_answer_parse("{\"metadata\":{}}", 15, &list), -EPROTO);
	assert_int_equal(incus_answer_parse("{\"metadata\":[", 13, &list), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_incus_sockets),
		cmocka_unit_test(test_incus_daemon),
		cmocka_unit_test(test_incus_bad),
	};

	return cmocka_run_group_tests_name("ctr_incus", tests, NULL, NULL);
}
