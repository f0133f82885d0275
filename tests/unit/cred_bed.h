/* SPDX-License-Identifier: MIT */
/*
 * cred_bed.h - a process gets rights, another takes them over and starts a program.
 *
 * That program prints its own status and limits, to be compared with the first process's, line by
 * line. Needs root. Included by one source file of each test.
 */
#ifndef TEST_CRED_BED_H
#define TEST_CRED_BED_H

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

/* Who attaches: root, or a user without rights in the first namespace; what it does before. */
static uid_t caller;
static void (*weaken)(void);

static inline void must(bool ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "%s: %m\n", what);
	_exit(99);
}

static inline void set_caps(const struct proc_caps *c, uint64_t eff)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)eff, (uint32_t)c->prm, (uint32_t)c->inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(c->prm >> 32), (uint32_t)(c->inh >> 32) },
	};

	must(syscall(SYS_capset, &h, d) == 0, "capset");
}

/* Everything but a few calls that a program needs no more once it runs. */
static inline void deny_calls(void)
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

static inline void set_some_limits(void)
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
static inline void become(const struct rights *r)
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

static inline void write_map(pid_t pid, const char *file, const char *text)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "/proc/%d/%s", pid, file) > 0);
	assert_int_equal(io_write_at(AT_FDCWD, path, text, strlen(text)), 0);
}

static inline void start(struct target *t, const struct rights *r)
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

static inline void stop(struct target *t)
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
static inline void attach(const struct target *t, const struct ns_cred *c,
			  const struct ns_seccomp *f, int out, struct outcome *o)
{
	static char *const env[] = { NULL };
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ns = openat(t->ref.procfd, "ns/user", O_RDONLY | O_CLOEXEC);

	must(proc >= 0 && ns >= 0 && dup2(out, 1) == 1, "descriptors");
	if (caller)
		must(setresgid(caller, caller, caller) == 0 &&
			     setresuid(caller, caller, caller) == 0,
		     "caller");
	if (weaken)
		weaken();
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

static inline void outcome_fini(struct outcome *o)
{
	proc_status_fini(&o->s);
}
#define _cleanup_outcome_ _cleanup_(outcome_fini)

static inline void run(const struct target *t, const struct ns_cred *c, struct outcome *ret)
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

static inline void must_be_caps(const struct proc_caps *a, const struct proc_caps *b)
{
	assert_int_equal(a->inh, b->inh);
	assert_int_equal(a->prm, b->prm);
	assert_int_equal(a->eff, b->eff);
	assert_int_equal(a->bnd, b->bnd);
	assert_int_equal(a->amb, b->amb);
}

static inline void must_be_same(const struct proc_status *a, const struct proc_status *b)
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
static inline void target_status(const struct target *t, const struct ns_cred *c,
				 struct proc_status *ret)
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
static inline void check(const struct rights *r, const struct proc_caps *want)
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

static inline uint64_t bounding(void)
{
	uint64_t set = 0;

	for (unsigned long i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i) == 1)
			set |= UINT64_C(1) << i;
	return set;
}

#endif
