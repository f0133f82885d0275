/* SPDX-License-Identifier: MIT */
/* Who takes over a process's rights has them after execve(), as near as the kernel lets it. */
#include "cred_bed.h"

static void test_root(void **state)
{
	struct rights docker = { ROOT_CAPS(DOCKER), .umask = 022 };
	struct rights none = { ROOT_CAPS(0), .umask = 022 };
	struct rights more = { ROOT_CAPS(DOCKER | NET_ADMIN), .umask = 027, .nnp = true };
	struct rights privileged = { ROOT_CAPS(UINT64_MAX), .limits = true };
	struct rights old = { ROOT_CAPS(DOCKER), .groups = { 1, 2, 10 }, .ngroups = 3 };

	(void)state;
	check(&docker, NULL);
	check(&none, NULL);
	check(&more, NULL);
	check(&privileged, NULL);
	old.caps.inh = DOCKER & all; /* docker before 20.10.14 */
	check(&old, NULL);
}

static void test_user(void **state)
{
	struct rights plain = { .uid = 1000, .caps = { .bnd = DOCKER & all }, .umask = 077 };
	struct rights old = { .uid = 1000, .caps = { .bnd = DOCKER & all, .inh = DOCKER & all } };
	struct rights none = { .uid = 65534, .groups = { 4, 5 }, .ngroups = 2, .nnp = true };
	struct rights ambient = { .uid = 1000, .limits = true };

	(void)state;
	check(&plain, NULL);
	check(&old, NULL);
	check(&none, NULL);
	ambient.caps = (struct proc_caps){ NET_RAW, NET_RAW, NET_RAW, DOCKER & all, NET_RAW };
	check(&ambient, NULL);
}

/* A strict filter is no obstacle, with no_new_privs and without. */
static void test_filtered(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER), .filter = true };
	struct rights nnp = { ROOT_CAPS(DOCKER), .filter = true, .nnp = true };
	struct rights user = { .uid = 1000, .caps = { .bnd = DOCKER & all }, .filter = true };
	struct proc_caps want = root.caps, user_want;

	(void)state;
	/* The targets could not give up their capabilities: see become(). */
	check(&root, &want);
	check(&nnp, &want);
	user_want = (struct proc_caps){
		.inh = all, .prm = all, .eff = all, .bnd = DOCKER & all, .amb = all
	};
	check(&user, &user_want);
}

/* Not reproducible exactly: never more than the target has. */
static void test_odd(void **state)
{
	struct rights daemon = { .caps = { .prm = NET_RAW, .eff = NET_RAW, .bnd = DOCKER & all } };
	struct rights lowered = { .caps = { .prm = NET_RAW, .eff = 0, .bnd = DOCKER & all } };
	struct rights kept = { .uid = 1000, .caps = { .prm = NET_RAW, .bnd = DOCKER & all } };
	struct proc_caps want = { .prm = NET_RAW, .eff = NET_RAW, .bnd = NET_RAW };

	(void)state;
	check(&daemon, &want);
	check(&lowered, &want);
	daemon.caps.inh = NET_RAW | NET_ADMIN;
	want.inh = NET_RAW;
	check(&daemon, &want);
	want = (struct proc_caps){ NET_RAW, NET_RAW, NET_RAW, DOCKER & all, NET_RAW };
	check(&kept, &want);
}

static void test_userns(void **state)
{
	struct rights root = { ROOT_CAPS(UINT64_MAX), .uid_map = "0 100000 65536", .umask = 022 };
	struct rights docker = { ROOT_CAPS(DOCKER), .uid_map = "0 100000 65536",
				 .limits = true,    .groups = { 1, 2 },
				 .ngroups = 2,      .filter = true,
				 .nnp = true };
	struct rights user = {
		.uid = 1000, .uid_map = "0 100000 65536", .groups = { 7 }, .ngroups = 1
	};
	struct rights single = {
		.uid = 5, .uid_map = "5 0 1", .setgroups = "deny", .caps = { .bnd = DOCKER }
	};
	uint64_t saved = all;

	(void)state;
	all = UINT64_C(0x1ffffffffff); /* a new user namespace has them all */
	root.caps = (struct proc_caps){ .prm = all, .eff = all, .bnd = all };
	check(&root, NULL);
	docker.caps = (struct proc_caps){ .prm = DOCKER, .eff = DOCKER, .bnd = DOCKER };
	check(&docker, &docker.caps);
	check(&user, NULL);
	check(&single, NULL);
	all = saved;
}

/* Groups that the namespace doesn't map, and where setgroups(2) is denied, are kept as well. */
static void test_userns_groups(void **state)
{
	struct rights r = { .uid = 0, .uid_map = "0 0 1", .setgroups = "deny" };
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	gid_t before[] = { 12, 13 };
	uint64_t saved = all;
	struct target t;

	(void)state;
	all = UINT64_C(0x1ffffffffff);
	r.caps = (struct proc_caps){ .prm = all, .eff = all, .bnd = all };
	assert_int_equal(setgroups(2, before), 0);
	start(&t, &r);
	assert_int_equal(setgroups(0, NULL), 0);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o.e), 0);
	assert_false(c.setgroups);
	assert_int_equal(c.ngroups, 0);
	assert_int_equal(c.nouter_groups, 2);
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.s.ngroups, 2);
	assert_int_equal(o.s.groups[0], 65534);
	all = saved;
}

/* Without rights outside: what can be done inside is done, the rest is told. */
static void test_rootless(void **state)
{
	struct rights r = { .uid = 3,
			    .uid_map = "0 1000 1\n1 100000 1000",
			    .owner = 1000,
			    .groups = { 4, 5 },
			    .ngroups = 2,
			    .umask = 027 };
	struct rights deny = {
		.uid = 0, .uid_map = "0 1000 1", .owner = 1000, .setgroups = "deny"
	};
	struct proc_caps none = { 0 };
	struct rlimit l = { 10, 10 };
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	uint64_t saved = all;
	gid_t groups[] = { 12 };
	struct target t;

	(void)state;
	all = UINT64_C(0x1ffffffffff);
	caller = 1000;
	check(&r, &none);
	deny.caps = (struct proc_caps){ .prm = all, .eff = all, .bnd = all };
	check(&deny, NULL);
	start(&t, &deny);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o.e), 0);
	assert_int_equal(setgroups(1, groups), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	c.limits.v[RLIMIT_NOFILE] = (struct rlimit){ l.rlim_max, l.rlim_max + 1 };
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(setgroups(0, NULL), 0);
	caller = 0;
	all = saved;
	assert_int_equal(o.status, 0);
	assert_true(o.report.groups);
	assert_int_equal(o.report.limits, 1u << RLIMIT_NOFILE);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_cur, l.rlim_max);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_max, l.rlim_max);
}

static void test_unmapped(void **state)
{
	struct rights none = { .uid = -1, .uid_map = "", .setgroups = "deny" };
	_cleanup_cred_ struct ns_cred c = { 0 };
	_cleanup_outcome_ struct outcome o = { 0 };
	uint64_t saved = all;
	struct target t;

	(void)state;
	all = UINT64_C(0x1ffffffffff);
	start(&t, &none);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o.e), 0);
	assert_false(c.unmapped); /* it is our own uid */
	run(&t, &c, &o);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.s.uid[PROC_EFFECTIVE], 65534);
	assert_int_equal(o.s.caps.prm, 0);
	c.unmapped = true;
	outcome_fini(&o);
	run(&t, &c, &o);
	stop(&t);
	all = saved;
	assert_int_equal(WEXITSTATUS(o.status), 98);
	assert_int_equal(o.e.code, ERANGE);
	assert_non_null(strstr(o.e.msg, "--user"));
}

/* Options on top: what they add and take, nothing else. */
static void check_change(const struct rights *r, const char *add, const char *drop,
			 const struct ns_user *u, const struct proc_caps *want)
{
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	uint64_t caps;
	struct err e;

	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	if (u)
		assert_int_equal(ns_cred_set_user(&c, u, &e), 0);
	if (add) {
		assert_int_equal(ns_caps_parse(add, &caps, &e), 0);
		ns_cred_add_caps(&c, caps);
	}
	if (drop) {
		assert_int_equal(ns_caps_parse(drop, &caps, &e), 0);
		ns_cred_drop_caps(&c, caps);
	}
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(o.status, 0);
	must_be_caps(&o.s.caps, want);
	assert_int_equal(o.s.uid[PROC_EFFECTIVE], u ? u->uid : r->uid);
	assert_int_equal(o.s.uid[PROC_SAVED], u ? u->uid : r->uid);
	assert_int_equal(o.s.gid[PROC_EFFECTIVE], u ? u->gid : r->uid);
}

static void test_change(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER) };
	struct rights user = { .uid = 1000, .caps = { .bnd = DOCKER & all } };
	struct proc_caps want = root.caps;
	static struct ns_user u = { .uid = 33, .gid = 34, .groups = { 35 }, .ngroups = 1 };

	(void)state;
	want.prm = want.eff = want.bnd = (DOCKER | SYS_PTRACE) & all;
	check_change(&root, "sys_ptrace", NULL, NULL, &want);
	check_change(&root, "sys_ptrace", "sys_ptrace", NULL, &root.caps);
	want.prm = want.eff = want.bnd = all;
	check_change(&root, "all", NULL, NULL, &want);
	want.prm = want.eff = want.bnd = 0;
	check_change(&root, NULL, "all", NULL, &want);
	want = (struct proc_caps){ SYS_PTRACE, SYS_PTRACE, SYS_PTRACE, (DOCKER | SYS_PTRACE) & all,
				   SYS_PTRACE };
	check_change(&user, "sys_ptrace", NULL, NULL, &want);
	check_change(&root, "sys_ptrace", NULL, &u, &want);
	check_change(&root, NULL, NULL, &u, &user.caps);
	u.uid = u.gid = 0;
	check_change(&user, NULL, NULL, &u, &root.caps);
}

static void test_privileged(void **state)
{
	struct rights user = { .uid = 1000,
			       .filter = true,
			       .nnp = true,
			       .limits = true,
			       .caps = { .bnd = DOCKER & all } };
	struct rights root = { ROOT_CAPS(DOCKER), .nnp = true };
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	struct rlimit ours;

	(void)state;
	start(&t, &user);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o.e), 0);
	c.privileged = true;
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(o.status, 0);
	must_be_caps(&o.s.caps, &(struct proc_caps){ all, all, all, all, all });
	assert_int_equal(o.s.uid[PROC_EFFECTIVE], 1000);
	assert_false(o.s.no_new_privs);
	assert_int_equal(o.s.seccomp, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_max, ours.rlim_max);
	outcome_fini(&o);
	ns_cred_fini(&c);
	start(&t, &root);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o.e), 0);
	c.privileged = true;
	run(&t, &c, &o);
	stop(&t);
	must_be_caps(&o.s.caps, &(struct proc_caps){ 0, all, all, all, 0 });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),     cmocka_unit_test(test_user),
		cmocka_unit_test(test_filtered), cmocka_unit_test(test_odd),
		cmocka_unit_test(test_userns),   cmocka_unit_test(test_userns_groups),
		cmocka_unit_test(test_rootless), cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_change),   cmocka_unit_test(test_privileged),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP root: credentials are changed for real\n");
		return 0;
	}
	all = bounding();
	return cmocka_run_group_tests_name("cred", tests, NULL, NULL);
}
