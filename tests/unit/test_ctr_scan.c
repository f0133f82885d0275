/* SPDX-License-Identifier: MIT */
/* Engines that are found by their processes, over a /proc of files; and the parsers of what they write. */
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
#include "fake_tree.h"
#include "nspawn.h"
#include "sandbox.h"
#include "scan.h"

/* The host's are in namespaces 1. */
static const struct tree_proc procs[] = {
	{ 1, 0, "systemd", 1, 1, 1, 0, NULL },
	/* nspawn: its container's init, a child of that, and one that entered */
	{ 50, 1, "systemd-nspawn", 1, 1, 1, 0, "51" },
	{ 51, 50, "init", 2, 1, 2, 1, "52" },
	{ 52, 51, "sleep", 2, 1, 2, 2, NULL },
	{ 53, 1, "nsenter", 2, 1, 2, 7, NULL },
	/* nspawn --as-pid2 */
	{ 55, 1, "systemd-nspawn", 1, 1, 1, 0, "56" },
	{ 56, 55, "(sd-stubinit)", 12, 1, 12, 1, "58 57" },
	{ 57, 56, "app", 12, 1, 12, 2, NULL },
	{ 58, 56, "app-worker", 12, 1, 12, 3, NULL },
	/* bubblewrap with a pid 1 of its own, with --as-pid-1, without a pid namespace */
	{ 60, 1, "bwrap", 1, 1, 1, 0, "61" },
	{ 61, 60, "bwrap", 3, 3, 3, 1, "62" },
	{ 62, 61, "viewer", 3, 3, 3, 2, NULL },
	{ 64, 1, "bwrap", 1, 1, 1, 0, "65" },
	{ 65, 64, "player", 4, 4, 4, 1, NULL },
	{ 66, 1, "bwrap", 1, 1, 1, 0, "67" },
	{ 67, 66, "editor", 1, 1, 5, 0, "68" },
	{ 68, 67, "helper", 1, 1, 5, 0, NULL },
	/* unshare -Upf: the parent in the new user namespace is none; unshare -U alone is one */
	{ 70, 1, "unshare", 1, 6, 6, 0, "71" },
	{ 71, 70, "sh (1) x", 7, 6, 7, 1, NULL },
	{ 74, 1, "bash", 1, 8, 8, 0, "75" },
	{ 75, 74, "vi", 1, 8, 8, 0, NULL },
	/* none: a service with PrivateTmp, who keeps a namespace for rootless podman, a kernel thread */
	{ 80, 1, "nginx", 1, 1, 9, 0, NULL },
	{ 82, 1, "catatonit", 1, 10, 10, 0, NULL },
	{ 90, 2, "kworker/0:0-ev", 1, 1, 1, 0, NULL },
	/* a container of somebody whom another engine lists */
	{ 95, 1, "app", 11, 1, 11, 1, NULL },
};

static void make_host(struct tree *t)
{
	static const char args[] = "systemd-nspawn\0-bD\0/srv/mach1\0--keep-unit";
	static const char args2[] = "systemd-nspawn\0-a\0app";

	tree_init(t);
	tree_self(t);
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++)
		tree_add(t, &procs[i]);
	tree_write(t, "/proc/50/cmdline", args, sizeof(args));
	tree_write(t, "/proc/55/cmdline", args2, sizeof(args2));
	tree_link(t, "/proc/55/cwd", "/srv/mach2");
}

static void test_scan(void **state)
{
	_cleanup_scan_ struct scan s = { 0 };
	struct scan_proc one;
	struct tree t;
	int first[16], n = 0;

	(void)state;
	make_host(&t);
	assert_int_equal(scan_load(&t.env, &s), 0);
	assert_null(scan_find(&s, 1));
	assert_null(scan_find(&s, 90));
	assert_non_null(scan_find(&s, 80)); /* in another mount namespace, */
	assert_false(scan_find(&s, 80)->first);
	assert_int_equal(scan_find(&s, 53)->ns[SCAN_PID], 2);
	for (size_t i = 0; i < s.n && n < 16; i++)
		if (s.v[i].first)
			first[n++] = s.v[i].pid;
	assert_int_equal(n, 8);
	assert_memory_equal(first, ((int[]){ 51, 56, 61, 65, 71, 74, 82, 95 }), 8 * sizeof(int));
	assert_int_equal(scan_one(&t.env, 71, &one), 0);
	assert_true(one.first);
	assert_string_equal(one.task.comm, "sh (1) x");
	assert_int_equal(scan_one(&t.env, 53, &one), 0);
	assert_false(one.first);
	assert_int_equal(scan_one(&t.env, 1, &one), -ESRCH);
	assert_int_equal(scan_one(&t.env, 4711, &one), -ESRCH);
	assert_int_equal(scan_payload(&t.env, 61), 62);
	assert_int_equal(scan_payload(&t.env, 56), 57); /* the lowest of several */
	assert_int_equal(scan_payload(&t.env, 51), 51);
	tree_fini(&t);
}

/* No process of a damaged /proc is taken, and nothing else fails for it. */
static void test_scan_damaged(void **state)
{
	static const struct tree_proc p = { 100, 1, "app", 2, 1, 2, 1, NULL };
	static const struct {
		const char *path, *link, *text;
	} cases[] = {
		{ "/proc/100/ns/pid", "pid:[]", NULL },
		{ "/proc/100/ns/pid", "pid:[12x]", NULL },
		{ "/proc/100/ns/pid", "pid:[12", NULL },
		{ "/proc/100/ns/pid", "net:[12]", NULL },
		{ "/proc/100/ns/pid", "pid:[99999999999999999999]", NULL },
		{ "/proc/100/ns/pid", "pid", NULL },
		{ "/proc/100/stat", NULL, "" },
		{ "/proc/100/stat", NULL, "100 app) S 1" },
		{ "/proc/100/stat", NULL, "100 (app) Z 1 0 0" },
		{ "/proc/100/status", NULL, "NSpid:\t100\t1\n" },
		{ "/proc/100/status", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_scan_ struct scan s = { 0 };
		const struct scan_proc *found;
		struct tree t;
		char path[128];

		tree_init(&t);
		tree_self(&t);
		tree_add(&t, &p);
		(void)snprintf(path, sizeof(path), "%s%s", t.root, cases[i].path);
		assert_int_equal(unlink(path), 0);
		if (cases[i].link)
			tree_link(&t, cases[i].path, cases[i].link);
		else
			tree_text(&t, cases[i].path, cases[i].text);
		assert_int_equal(scan_load(&t.env, &s), 0);
		found = scan_find(&s, 100);
		assert_true(!found || !found->first);
		tree_fini(&t);
	}
}

static void test_nspawn(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct err e = { 0 };
	struct tree t;

	(void)state;
	make_host(&t);
	assert_int_equal(engine_nspawn.list(&t.env, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(tree_ctr(&l, "mach1")->pid, 51);
	assert_string_equal(tree_ctr(&l, "mach1")->image, "/srv/mach1");
	assert_int_equal(tree_ctr(&l, "mach2")->pid, 57);
	tree_fini(&t);
}

/* Registered: the machine's name counts, once; what is stale or no container does not. */
static void test_nspawn_machines(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 }, found = { 0 };
	struct err e = { 0 };
	struct tree t;

	(void)state;
	make_host(&t);
	tree_text(&t, "/run/systemd/machines/registered",
		  "# This is private data. Do not parse.\nNAME=registered\nSERVICE=systemd-nspawn\n"
		  "ROOT=/srv/reg\nLEADER=51\nCLASS=container\n");
	tree_text(&t, "/run/systemd/machines/vm", "NAME=vm\nLEADER=1\nCLASS=vm\n");
	tree_text(&t, "/run/systemd/machines/gone", "NAME=gone\nLEADER=4711\nCLASS=container\n");
	tree_text(&t, "/run/systemd/machines/damaged", "LEADER=51x\nCLASS=container\n");
	tree_link(&t, "/run/systemd/machines/unit:machine-registered.scope", "registered");
	assert_int_equal(engine_nspawn.list(&t.env, &l, &e), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(tree_ctr(&l, "registered")->pid, 51);
	assert_string_equal(tree_ctr(&l, "registered")->image, "/srv/reg");
	(void)tree_ctr(&l, "mach2");
	assert_int_equal(engine_nspawn.find(&t.env, "registered", &found, &e), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(engine_nspawn.find(&t.env, "../machines/registered", &found, &e), 0);
	assert_int_equal(engine_nspawn.find(&t.env, "gone", &found, &e), 0);
	assert_int_equal(found.n, 1);
	tree_fini(&t);
}

static void test_sandboxes(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	struct ctr other = { .engine = "docker", .pid = 95 };
	struct err e = { 0 };
	struct tree t;

	(void)state;
	make_host(&t);
	other.id = strdup("0123");
	other.name = strdup("web");
	assert_int_equal(ctr_list_add(&l, &other), 0);
	assert_int_equal(engine_bubblewrap.list(&t.env, &l, &e), 0);
	assert_int_equal(l.n, 4);
	assert_int_equal(tree_ctr(&l, "viewer-62")->pid, 62);
	assert_string_equal(tree_ctr(&l, "viewer-62")->id, "3");
	(void)tree_ctr(&l, "player-65");
	assert_string_equal(tree_ctr(&l, "editor-67")->id, "5");
	assert_int_equal(engine_unshare.list(&t.env, &l, &e), 0);
	assert_int_equal(l.n, 6);
	assert_string_equal(tree_ctr(&l, "sh (1) x-71")->engine, "unshare");
	assert_string_equal(tree_ctr(&l, "bash-74")->id, "8");
	tree_fini(&t);
}

static void test_sandbox_find(void **state)
{
	static const struct {
		const struct engine_ops *ops;
		const char *ref;
		size_t n;
	} cases[] = {
		{ &engine_bubblewrap, "viewer-62", 1 }, { &engine_bubblewrap, "player-65", 1 },
		{ &engine_bubblewrap, "editor-67", 1 }, { &engine_bubblewrap, "bwrap-61", 0 },
		{ &engine_bubblewrap, "viewer-61", 0 }, { &engine_bubblewrap, "helper-68", 0 },
		{ &engine_bubblewrap, "init-51", 0 },   { &engine_bubblewrap, "viewer", 0 },
		{ &engine_unshare, "sh (1) x-71", 1 },  { &engine_unshare, "init-51", 0 },
		{ &engine_unshare, "unshare-70", 0 },   { &engine_unshare, "player-65", 0 },
		{ &engine_unshare, "nginx-80", 0 },     { &engine_unshare, "-71", 0 },
		{ &engine_unshare, "sh-", 0 },          { &engine_unshare, "x-99999999999", 0 },
	};
	struct tree t;

	(void)state;
	make_host(&t);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_ctr_list_ struct ctr_list l = { 0 };
		struct err e = { 0 };

		assert_int_equal(cases[i].ops->find(&t.env, cases[i].ref, &l, &e), 0);
		if (l.n != cases[i].n)
			fail_msg("'%s' gave %zu", cases[i].ref, l.n);
	}
	tree_fini(&t);
}

static void test_flatpak(void **state)
{
	_cleanup_ctr_list_ struct ctr_list l = { 0 };
	const struct ctr *c;
	struct err e = { 0 };
	struct tree t;

	(void)state;
	make_host(&t);
	tree_text(&t, "/run/user/0/.flatpak/111/bwrapinfo.json",
		  "{\"child-pid\": 61, \"pid-namespace\": 3}");
	tree_text(&t, "/run/user/0/.flatpak/111/info",
		  "[Application]\nname=org.example.Viewer\n"
		  "runtime=runtime/org.example.Platform/x86_64/1\n[Instance]\nname=no\n");
	/* the pid has a new owner; it is gone; it is another user's; no JSON */
	tree_text(&t, "/run/user/0/.flatpak/112/bwrapinfo.json",
		  "{\"child-pid\": 65, \"pid-namespace\": 3}");
	tree_text(&t, "/run/user/0/.flatpak/113/bwrapinfo.json", "{\"child-pid\": 4711}");
	tree_text(&t, "/run/user/12345/.flatpak/114/bwrapinfo.json", "{\"child-pid\": 65}");
	tree_text(&t, "/run/user/0/.flatpak/115/bwrapinfo.json", "{\"child-pid\": 61");
	tree_text(&t, "/run/user/root/.flatpak/116/bwrapinfo.json", "{\"child-pid\": 65}");
	assert_int_equal(engine_flatpak.list(&t.env, &l, &e), 0);
	assert_int_equal(l.n, 1);
	c = tree_ctr(&l, "org.example.Viewer");
	assert_int_equal(c->pid, 62);
	assert_string_equal(c->id, "111");
	assert_string_equal(c->image, "org.example.Platform/x86_64/1");
	tree_fini(&t);
}

static void test_machine_parse(void **state)
{
	static const char *const bad[] = { "",
					   "LEADER=\n",
					   "LEADER=0\n",
					   "LEADER=-1\n",
					   "LEADER=1 1\n",
					   "leader=1\n",
					   "LEADER=99999999\n",
					   "CLASS=container\nROOT=/\n" };
	struct nspawn_machine m;
	const char *good = "ROOT=/srv/x\nCLASS=container\nLEADER=42";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nspawn_machine_parse(bad[i], strlen(bad[i]), &m), -EPROTO);
	assert_int_equal(nspawn_machine_parse(good, strlen(good), &m), 0);
	assert_int_equal(m.leader, 42);
	assert_true(m.container);
	assert_true(span_eq(m.root, "/srv/x"));
}

#define ARGS(s) s, sizeof(s)

static void test_nspawn_args(void **state)
{
	static const struct {
		const char *args;
		size_t len;
		const char *name, *image;
	} cases[] = {
		{ ARGS("systemd-nspawn\0-M\0web"), "web", "" },
		{ ARGS("systemd-nspawn\0-Mweb\0-D\0/srv/x"), "web", "/srv/x" },
		{ ARGS("systemd-nspawn\0--machine=web\0--directory\0/srv/x"), "web", "/srv/x" },
		{ ARGS("systemd-nspawn\0--machine\0web"), "web", "" },
		{ ARGS("systemd-nspawn\0-bD\0/srv/x/"), "x", "/srv/x/" },
		{ ARGS("systemd-nspawn\0-bqD/srv/x"), "x", "/srv/x" },
		{ ARGS("systemd-nspawn\0--image=/srv/deb 12.raw"), "deb12", "/srv/deb 12.raw" },
		/* an argument of another option is none of ours */
		{ ARGS("systemd-nspawn\0-u\0-Mno\0-D\0/srv/x"), "x", "/srv/x" },
		{ ARGS("systemd-nspawn\0--bind\0--machine=no\0-D\0/srv/x"), "x", "/srv/x" },
		{ ARGS("systemd-nspawn\0--setenv\0A=1\0-D\0/srv/x"), "x", "/srv/x" },
		/* nor is what belongs to the command */
		{ ARGS("systemd-nspawn\0-D\0/srv/x\0sh\0-M\0no"), "x", "/srv/x" },
		{ ARGS("systemd-nspawn\0-D\0/srv/x\0--\0-Mno"), "x", "/srv/x" },
		{ ARGS("systemd-nspawn\0-b"), "", "" },
		{ ARGS("systemd-nspawn\0-D\0."), "", "." },
		{ ARGS("systemd-nspawn\0-D\0/"), "", "/" },
		{ ARGS("systemd-nspawn\0-D"), "", "" },
		{ ARGS("systemd-nspawn\0--machine"), "", "" },
		{ "", 0, "", "" },
		{ "systemd-nspawn", 14, "", "" },
		{ ARGS("systemd-nspawn\0-M\0aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
		       "gggggggggg"),
		  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nspawn_args a;

		nspawn_args_parse(cases[i].args, cases[i].len, &a);
		assert_string_equal(a.name, cases[i].name);
		assert_true(span_eq(a.image, cases[i].image));
	}
}

static void test_bwrap_info(void **state)
{
	static const char *const bad[] = { "[]",
					   "{}",
					   "{\"child-pid\": \"61\"}",
					   "{\"child-pid\": 0}",
					   "{\"child-pid\": -1}",
					   "{\"child-pid\": 4294967297}",
					   "{\"child-pid\": 61.5}" };
	struct bwrap_info b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ struct json_object *o = NULL;

		assert_int_equal(json_parse(bad[i], strlen(bad[i]), &o, NULL), 0);
		assert_int_equal(bwrap_info_parse(o, &b), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),        cmocka_unit_test(test_scan_damaged),
		cmocka_unit_test(test_nspawn),      cmocka_unit_test(test_nspawn_machines),
		cmocka_unit_test(test_sandboxes),   cmocka_unit_test(test_sandbox_find),
		cmocka_unit_test(test_flatpak),     cmocka_unit_test(test_machine_parse),
		cmocka_unit_test(test_nspawn_args), cmocka_unit_test(test_bwrap_info),
	};

	return cmocka_run_group_tests_name("ctr_scan", tests, NULL, NULL);
}
