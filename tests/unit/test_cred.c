/* SPDX-License-Identifier: MIT */
/*
 * A process gets rights, another takes them over and starts a program, and that program's
 * own status file is compared with the first one's, line by line. Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cleanup.h"
#include "cred.h"
#include "filter.h"
#include "io.h"

#define DOCKER     UINT64_C(0xa80425fb) /* what docker and podman give by default */
#define NET_RAW    (UINT64_C(1) << CAP_NET_RAW)
#define NET_ADMIN  (UINT64_C(1) << CAP_NET_ADMIN)
#define SYS_PTRACE (UINT64_C(1) << CAP_SYS_PTRACE)

static uint64_t all; /* the bounding set of this test: a machine may lack some */

/* What a target is to look like. Sets are cut down to what this machine has. */
struct rights {
	uid_t uid;
	gid_t groups[3];
	size_t ngroups;
	struct proc_caps caps;
	bool nnp, filter, limits;
	mode_t umask;
	const char *uid_map; /* in a user namespace of its own with this map */
	const char *setgroups;
	uid_t owner; /* of that namespace */
};

/* Who attaches: root, or a user without rights in the first namespace. */
static uid_t caller;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "%s: %m\n", what);
	_exit(99);
}

static void set_caps(const struct proc_caps *c, uint64_t eff)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)eff, (uint32_t)c->prm, (uint32_t)c->inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(c->prm >> 32), (uint32_t)(c->inh >> 32) },
	};

	must(syscall(SYS_capset, &h, d) == 0, "capset");
}

/* Everything but a few calls that a program needs no more once it runs. */
static void deny_calls(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capset, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setresuid, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(insns), .filter = insns };

	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0, "seccomp");
}

static void set_some_limits(void)
{
	static const struct {
		int resource;
		rlim_t soft, hard;
	} v[] = {
		{ RLIMIT_NOFILE, 64, 128 },
		{ RLIMIT_NPROC, 77, 99 },
		{ RLIMIT_CORE, 0, 0 },
		{ RLIMIT_FSIZE, 1 << 20, 1 << 30 },
		{ RLIMIT_STACK, 4 << 20, 64 << 20 },
		{ RLIMIT_CPU, 50, 60 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		struct rlimit l = { v[i].soft, v[i].hard };

		must(setrlimit(v[i].resource, &l) == 0, "setrlimit");
	}
}

/* A test's own way there, different from the one in the library on purpose. */
static void become(const struct rights *r)
{
	struct proc_caps c = r->caps;

	if (r->limits)
		set_some_limits();
	umask(r->umask);
	if (!r->setgroups)
		must(setgroups(r->ngroups, r->groups) == 0, "setgroups");
	must(setresgid(r->uid, r->uid, r->uid) == 0, "setresgid");
	c.prm = UINT64_MAX & all;
	set_caps(&c, c.prm);
	for (unsigned long i = 0; i < 64; i++)
		if (all & ~c.bnd & UINT64_C(1) << i)
			must(prctl(PR_CAPBSET_DROP, i) == 0, "bounding set");
	must(prctl(PR_SET_KEEPCAPS, 1) == 0, "keepcaps");
	must(setresuid(r->uid, r->uid, r->uid) == 0, "setresuid");
	set_caps(&c, c.prm);
	for (unsigned long i = 0; i < 64; i++)
		if (c.amb & UINT64_C(1) << i)
			must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) == 0, "ambient");
	if (r->nnp)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	if (r->filter)
		deny_calls();
	c.prm = r->caps.prm;
	/* The filter above forbids it, so there the sets stay as they are. */
	if (!r->filter)
		set_caps(&c, r->caps.eff);
}

struct target {
	pid_t pid;
	struct pid_ref ref;
};

static void write_map(pid_t pid, const char *file, const char *text)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "/proc/%d/%s", pid, file) > 0);
	assert_int_equal(io_write_at(AT_FDCWD, path, text, strlen(text)), 0);
}

static void start(struct target *t, const struct rights *r)
{
	int up[2], down[2];
	struct err e;
	char c;

	assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
	t->pid = fork();
	if (!t->pid) {
		if (r->owner)
			must(setgroups(0, NULL) == 0 &&
				     setresgid(r->owner, r->owner, r->owner) == 0 &&
				     setresuid(r->owner, r->owner, r->owner) == 0,
			     "owner");
		if (r->uid_map)
			must(unshare(CLONE_NEWUSER) == 0, "unshare");
		must(write(up[1], "u", 1) == 1 && read(down[0], &c, 1) == 1, "hand over");
		become(r);
		must(write(up[1], "r", 1) == 1, "ready");
		for (;;)
			pause();
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	if (r->setgroups)
		write_map(t->pid, "setgroups", r->setgroups);
	if (r->uid_map && *r->uid_map) {
		write_map(t->pid, "uid_map", r->uid_map);
		write_map(t->pid, "gid_map", r->uid_map);
	}
	assert_int_equal(write(down[1], "m", 1), 1);
	(void)close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	(void)close(up[0]);
	(void)close(down[0]);
	(void)close(down[1]);
	t->ref = (struct pid_ref)PID_REF_INIT;
	assert_int_equal(pid_open(t->pid, &t->ref, &e), 0);
}

static void stop(struct target *t)
{
	(void)pidfd_signal(t->ref.pidfd, SIGKILL);
	(void)waitpid(t->pid, NULL, 0);
	pid_close(&t->ref);
}

/* What the program that was started says, and what the halves said before. */
struct outcome {
	struct proc_status s;
	struct proc_limits l;
	char oom[8];
	struct ns_cred_report report;
	struct err e;
	int status;
};

/* The child of this test that becomes the attached command. */
static void attach(const struct target *t, const struct ns_cred *c, const struct ns_seccomp *f,
		   int out, struct outcome *o)
{
	static char *const env[] = { NULL };
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ns = openat(t->ref.procfd, "ns/user", O_RDONLY | O_CLOEXEC);

	must(proc >= 0 && ns >= 0 && dup2(out, 1) == 1, "descriptors");
	if (caller)
		must(setresgid(caller, caller, caller) == 0 &&
			     setresuid(caller, caller, caller) == 0,
		     "caller");
	ns_cred_prepare(c, proc, &o->report);
	must(io_read_at(proc, "self/oom_score_adj", sizeof(o->oom), &(char *){ NULL }, NULL) == 0,
	     "oom_score_adj");
	if (c->foreign)
		must(setns(ns, CLONE_NEWUSER) == 0, "setns");
	if (ns_cred_apply(c, proc, &o->report, &o->e) < 0)
		_exit(98);
	if (!c->privileged && ns_seccomp_install(f) < 0)
		_exit(97);
	(void)execle("/bin/cat", "cat", "/proc/self/status", "/proc/self/limits", NULL, env);
	_exit(96);
}

static void outcome_fini(struct outcome *o)
{
	proc_status_fini(&o->s);
}
#define _cleanup_outcome_ _cleanup_(outcome_fini)

static void run(const struct target *t, const struct ns_cred *c, struct outcome *ret)
{
	struct outcome *o =
		mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_seccomp_ struct ns_seccomp f = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int p[2];
	pid_t pid;

	assert_true(o != MAP_FAILED);
	assert_int_equal(ns_seccomp_read(&t->ref, &f, &o->e), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		attach(t, c, &f, p[1], o);
	(void)close(p[1]);
	assert_int_equal(io_read_fd(p[0], 1 << 20, &text, &len), 0);
	(void)close(p[0]);
	*ret = *o;
	assert_int_equal(waitpid(pid, &ret->status, 0), pid);
	(void)munmap(o, sizeof(*o));
	if (ret->status)
		return;
	assert_int_equal(proc_status_parse(text, len, &ret->s), 0);
	assert_int_equal(proc_limits_parse(text, len, &ret->l), 0);
}

static void must_be_caps(const struct proc_caps *a, const struct proc_caps *b)
{
	assert_int_equal(a->inh, b->inh);
	assert_int_equal(a->prm, b->prm);
	assert_int_equal(a->eff, b->eff);
	assert_int_equal(a->bnd, b->bnd);
	assert_int_equal(a->amb, b->amb);
}

static void must_be_same(const struct proc_status *a, const struct proc_status *b)
{
	must_be_caps(&a->caps, &b->caps);
	assert_memory_equal(a->uid, b->uid, sizeof(a->uid));
	assert_memory_equal(a->gid, b->gid, sizeof(a->gid));
	assert_int_equal(a->ngroups, b->ngroups);
	assert_memory_equal(a->groups, b->groups, a->ngroups * sizeof(*a->groups));
	assert_int_equal(a->no_new_privs, b->no_new_privs);
	assert_int_equal(a->seccomp, b->seccomp);
	assert_int_equal(a->seccomp_filters, b->seccomp_filters);
	assert_int_equal(a->umask, b->umask);
}

/*
 * The target's status as its own user namespace sees it: the program that we start reads its
 * own from in there, so the target's ids are mapped for the comparison.
 */
static void target_status(const struct target *t, const struct ns_cred *c, struct proc_status *ret)
{
	struct err e;
	size_t n = 0;

	assert_int_equal(proc_status_read(&t->ref, ret, &e), 0);
	for (size_t i = 0; i < PROC_IDS; i++) {
		if (proc_idmap_in(&c->uid_map, ret->uid[i], &ret->uid[i]) < 0)
			ret->uid[i] = 65534;
		if (proc_idmap_in(&c->gid_map, ret->gid[i], &ret->gid[i]) < 0)
			ret->gid[i] = 65534;
	}
	for (size_t i = 0; i < ret->ngroups; i++) {
		if (proc_idmap_in(&c->gid_map, ret->groups[i], &ret->groups[n]) < 0)
			ret->groups[n] = 65534;
		n++;
	}
}

/* After execve(): @want, or without one exactly what the target has. */
static void check(const struct rights *r, const struct proc_caps *want)
{
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_status_ struct proc_status s = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	struct err e = { 0 };

	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	target_status(&t, &c, &s);
	assert_int_equal(c.foreign, r->uid_map != NULL);
	run(&t, &c, &o);
	stop(&t);
	assert_string_equal(o.e.msg, "");
	assert_int_equal(o.status, 0);
	assert_int_equal(o.report.caps, 0);
	assert_false(o.report.groups);
	if (want)
		s.caps = *want;
	must_be_same(&o.s, &s);
	for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
		assert_int_equal(o.l.v[i].rlim_cur, c.limits.v[i].rlim_cur);
		assert_int_equal(o.l.v[i].rlim_max, c.limits.v[i].rlim_max);
	}
	assert_int_equal(o.report.limits, 0);
}

#define ROOT_CAPS(set) .caps = { .prm = (set)&all, .eff = (set)&all, .bnd = (set)&all }

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
	struct err e;

	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	if (u)
		assert_int_equal(ns_cred_set_user(&c, u, &e), 0);
	if (add)
		assert_int_equal(ns_cred_add_caps(&c, add, &e), 0);
	if (drop)
		assert_int_equal(ns_cred_drop_caps(&c, drop, &e), 0);
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

/* What we have not got ourselves is missing and told, not an error. */
static void test_report(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER) };
	_cleanup_outcome_ struct outcome o = { 0 };
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	struct err e;

	(void)state;
	start(&t, &root);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	c.caps.bnd |= UINT64_C(1) << 63;
	c.limits.v[RLIMIT_NOFILE].rlim_max = RLIM_INFINITY; /* above fs.nr_open: nobody may */
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(o.status, 0);
	assert_true(o.report.limits & 1u << RLIMIT_NOFILE);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_cur, c.limits.v[RLIMIT_NOFILE].rlim_cur);
	/* A root whose permitted set lacks it: nothing is missing. */
	assert_int_equal(o.report.caps, 0);
	outcome_fini(&o);
	start(&t, &root);
	c.caps.prm |= UINT64_C(1) << 63;
	run(&t, &c, &o);
	stop(&t);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.report.caps, UINT64_C(1) << 63);
}

static void test_oom(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER) };
	struct ns_cred_report *report =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_free_ char *text = NULL;
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	struct err e;
	int status;
	pid_t pid;

	(void)state;
	start(&t, &root);
	write_map(t.pid, "oom_score_adj", "321");
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	stop(&t);
	assert_int_equal(c.oom_score_adj, 321);
	pid = fork();
	if (!pid) {
		int proc = open("/proc", O_RDONLY | O_DIRECTORY);

		ns_cred_prepare(&c, proc, report);
		_exit(io_read_at(proc, "self/oom_score_adj", 16, &text, NULL) < 0 ||
		      strcmp(text, "321\n") != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(report->oom_score_adj);
	c.oom_score_adj = -1001; /* never allowed */
	pid = fork();
	if (!pid) {
		ns_cred_prepare(&c, open("/proc", O_RDONLY | O_DIRECTORY), report);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(report->oom_score_adj);
}

/*
 * A container's process without CAP_SYS_PTRACE gets no further at a shell that
 * has it; take it away from the shell, and equals may look at each other.
 */
static int look(const struct rights *r, const char *drop)
{
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;
	struct err e;
	pid_t shell, spy;
	int p[2], status;
	char ch;

	assert_int_equal(pipe(p), 0);
	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	stop(&t);
	assert_int_equal(ns_cred_add_caps(&c, "sys_ptrace", &e), 0);
	if (drop)
		assert_int_equal(ns_cred_drop_caps(&c, drop, &e), 0);
	shell = fork();
	if (!shell) {
		int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct ns_cred_report report;

		ns_cred_prepare(&c, proc, &report);
		if (ns_cred_apply(&c, proc, &report, &e) == 0 && dup2(p[1], 1) == 1)
			(void)execl("/bin/sh", "sh", "-c", "echo; exec sleep 100 >/dev/null", NULL);
		_exit(99);
	}
	assert_int_equal(read(p[0], &ch, 1), 1);
	spy = fork();
	if (!spy) {
		char path[64];

		become(r);
		(void)snprintf(path, sizeof(path), "/proc/%d/root", shell);
		_exit(open(path, O_RDONLY) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(spy, &status, 0), spy);
	(void)kill(shell, SIGKILL);
	(void)waitpid(shell, NULL, 0);
	(void)close(p[0]);
	(void)close(p[1]);
	return WEXITSTATUS(status);
}

static void test_shell_is_closed(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER) };
	struct rights user = { .uid = 1000, .caps = { .bnd = DOCKER & all } };

	(void)state;
	assert_int_equal(look(&root, NULL), EACCES);
	assert_int_equal(look(&user, NULL), EACCES);
	assert_int_equal(look(&root, "sys_ptrace"), 0);
	assert_int_equal(look(&user, "sys_ptrace"), 0);
}

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

/* There may be no security module here; a directory stands for /proc and takes what is written. */
static void check_label(const char *attr, const char *current, enum ns_lsm lsm, const char *written)
{
	char dir[] = "/tmp/test-cred-XXXXXX", cmd[256];
	_cleanup_cred_ struct ns_cred c = { 0 };
	_cleanup_free_ char *text = NULL;
	struct rights root = { ROOT_CAPS(DOCKER) };
	struct target t;
	struct err e;
	int status, fd, copy;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	(void)snprintf(cmd, sizeof(cmd), "mkdir -p %s/thread-self/%s", dir, attr);
	assert_int_equal(system(cmd), 0);
	start(&t, &root);
	(void)snprintf(
		cmd, sizeof(cmd),
		"cd %s && cp /proc/%d/status /proc/%d/limits /proc/%d/uid_map /proc/%d/gid_map "
		"/proc/%d/oom_score_adj . && mkdir -p %s",
		dir, t.pid, t.pid, t.pid, t.pid, t.pid, attr);
	assert_int_equal(system(cmd), 0);
	(void)snprintf(cmd, sizeof(cmd), "%s/%s/current", dir, attr);
	put_file(cmd, current);
	(void)snprintf(cmd, sizeof(cmd), "%s/thread-self/%s/current", dir, attr);
	put_file(cmd, "unconfined\n");
	(void)snprintf(cmd, sizeof(cmd), "%s/thread-self/%s/exec", dir, attr);
	put_file(cmd, "");
	copy = t.ref.procfd;
	t.ref.procfd = fd;
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	t.ref.procfd = copy;
	stop(&t);
	assert_int_equal(c.lsm, lsm);
	pid = fork();
	if (!pid) {
		struct ns_cred_report report = { 0 };

		_exit(ns_cred_apply(&c, fd, &report, &e) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(io_read_at(AT_FDCWD, cmd, 4096, &text, NULL), 0);
	assert_string_equal(text, written);
	(void)close(fd);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void test_label(void **state)
{
	(void)state;
	check_label("attr/apparmor", "docker-default (enforce)\n", NS_LSM_APPARMOR,
		    "exec docker-default");
	check_label("attr/apparmor", "a (b) (complain)\n", NS_LSM_APPARMOR, "exec a (b)");
	check_label("attr/apparmor", "unconfined\n", NS_LSM_NONE, "");
	check_label("attr", "lxc-container-default-cgns (enforce)\n", NS_LSM_APPARMOR,
		    "exec lxc-container-default-cgns");
	check_label("attr", ":root//x:y:z (enforce)\n", NS_LSM_APPARMOR, "exec :root//x:y:z");
	check_label("attr", "system_u:system_r:container_t:s0:c1,c2", NS_LSM_SELINUX,
		    "system_u:system_r:container_t:s0:c1,c2");
	check_label("attr", "unconfined\n", NS_LSM_NONE, "");
	check_label("attr", "_\n", NS_LSM_NONE, "");
	check_label("attr", "", NS_LSM_NONE, "");
}

static uint64_t bounding(void)
{
	uint64_t set = 0;

	for (unsigned long i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i) == 1)
			set |= UINT64_C(1) << i;
	return set;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),       cmocka_unit_test(test_user),
		cmocka_unit_test(test_filtered),   cmocka_unit_test(test_odd),
		cmocka_unit_test(test_userns),     cmocka_unit_test(test_userns_groups),
		cmocka_unit_test(test_unmapped),   cmocka_unit_test(test_change),
		cmocka_unit_test(test_privileged), cmocka_unit_test(test_report),
		cmocka_unit_test(test_oom),        cmocka_unit_test(test_shell_is_closed),
		cmocka_unit_test(test_label),      cmocka_unit_test(test_rootless),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP root: credentials are changed for real\n");
		return 0;
	}
	all = bounding();
	return cmocka_run_group_tests_name("cred", tests, NULL, NULL);
}
