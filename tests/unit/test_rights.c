/* SPDX-License-Identifier: MIT */
/* The parsers behind a process's rights: status, limits, id maps, users, names of capabilities. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cleanup.h"
#include "cred.h"
#include "idmap.h"
#include "passwd.h"
#include "rlimits.h"
#include "stat.h"
#include "status.h"

#define SPAN(text) ((struct span){ (text), strlen(text) })

/* Everything that must be there, but for the line that a test adds. */
#define STATUS_REST                                                    \
	"Tgid:\t7\nPPid:\t1\nTracerPid:\t0\nUid:\t1\t2\t3\t4\n"        \
	"Gid:\t5\t6\t7\t8\nGroups:\t10 20 \nCapInh:\t0\nCapPrm:\tff\n" \
	"CapEff:\t0f\nCapBnd:\t000001ffffffffff\nCapAmb:\t1\nNoNewPrivs:\t1\n"
#define STATUS "Name:\tx\nState:\tS (sleeping)\n" STATUS_REST

static int parse_status(const char *text, struct proc_status *ret)
{
	/* No NUL behind it: reads past the end are seen by the sanitizer. */
	size_t len = strlen(text);
	char *copy = malloc(len + !len);
	int r;

	memcpy(copy, text, len);
	r = proc_status_parse(copy, len, ret);
	free(copy);
	return r;
}

static void test_status(void **state)
{
	_cleanup_status_ struct proc_status s = { 0 };

	(void)state;
	assert_int_equal(parse_status(STATUS "Umask:\t0027\nSeccomp:\t2\nSeccomp_filters:\t3\n"
					     "NSpid:\t70\t7\nThreads:\t5\n",
				      &s),
			 0);
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.uid[PROC_EFFECTIVE], 2);
	assert_int_equal(s.gid[PROC_FS], 8);
	assert_int_equal(s.ngroups, 2);
	assert_int_equal(s.groups[1], 20);
	assert_int_equal(s.caps.prm, 0xff);
	assert_int_equal(s.caps.eff, 0xf);
	assert_int_equal(s.caps.bnd, 0x1ffffffffff);
	assert_int_equal(s.caps.amb, 1);
	assert_true(s.no_new_privs);
	assert_int_equal(s.umask, 027);
	assert_int_equal(s.seccomp, 2);
	assert_int_equal(s.seccomp_filters, 3);
	assert_int_equal(s.nnspid, 2);
	assert_int_equal(s.nspid[1], 7);
	assert_int_equal(s.threads, 5);
}

/* The first line of a key counts, and a name that looks like lines is but a name. */
static void test_status_first(void **state)
{
	_cleanup_status_ struct proc_status s = { 0 };

	(void)state;
	assert_int_equal(parse_status("Name:\ta\\nUid:\\t0 0 0 0\nState:\tR\n" STATUS_REST
				      "Uid:\t0\t0\t0\t0\nCapPrm:\tffff\nGroups:\t0\n",
				      &s),
			 0);
	assert_int_equal(s.uid[PROC_REAL], 1);
	assert_int_equal(s.caps.prm, 0xff);
	assert_int_equal(s.ngroups, 2);
	assert_int_equal(s.umask, 022);
}

static void test_status_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"State:\tS (sleeping)\n",
		STATUS_REST, /* no state */
		"State:\t? (odd)\n" STATUS_REST,
		"State:\t\n" STATUS_REST,
		STATUS "Umask:\t01000\n",
		STATUS "Umask:\t8\n",
		STATUS "Seccomp:\t3\n",
		STATUS "Seccomp:\tx\n",
		STATUS "NSpid:\t\n",
		STATUS "NSpid:\t-1\n",
		STATUS
		"NSpid:\t1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
		STATUS "Threads:\t99999999999\n",
		"Uid:\t0\t0\t0\nState:\tS\n" STATUS_REST,
		"Uid:\t0\t0\t0\t0\t0\nState:\tS\n" STATUS_REST,
		"Uid:\t0\t0\t0\t4294967296\nState:\tS\n" STATUS_REST,
		"Gid:\t0\t0\t0\t-1\nState:\tS\n" STATUS_REST,
		"Groups:\t1 x\nState:\tS\n" STATUS_REST,
		"CapPrm:\tg\nState:\tS\n" STATUS_REST,
		"CapPrm:\t\nState:\tS\n" STATUS_REST,
		"CapPrm:\t10000000000000000\nState:\tS\n" STATUS_REST,
		"NoNewPrivs:\t2\nState:\tS\n" STATUS_REST,
		"Tgid:\t2147483648\nState:\tS\n" STATUS_REST,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_status_ struct proc_status s = { 0 };

		if (parse_status(bad[i], &s) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_status_groups(void **state)
{
	_cleanup_status_ struct proc_status s = { 0 };
	size_t room = PROC_GROUPS_MAX * 2 + sizeof(STATUS) + 64;
	_cleanup_free_ char *text = malloc(room);
	char *p = stpcpy(text, "Groups:\t");

	(void)state;
	for (size_t i = 0; i < PROC_GROUPS_MAX; i++)
		p = stpcpy(p, "1 ");
	(void)strcpy(p, "\nState:\tS\n" STATUS_REST);
	assert_int_equal(parse_status(text, &s), 0);
	assert_int_equal(s.ngroups, PROC_GROUPS_MAX);
	(void)strcpy(p, "1 \nState:\tS\n" STATUS_REST);
	proc_status_fini(&s);
	assert_int_equal(parse_status(text, &s), -EPROTO);
}

static void test_status_self(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_status_ struct proc_status s = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pid_open(getpid(), &p, &e), 0);
	assert_int_equal(proc_status_read(&p, &s, &e), 0);
	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.uid[PROC_EFFECTIVE], geteuid());
	assert_int_equal(s.ngroups, getgroups(0, NULL));
	assert_int_equal(s.nspid[s.nnspid - 1], getpid());
}

static void test_gone(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct proc_status s = { 0 };
	struct proc_limits l;
	struct err e = { 0 };
	struct proc_stat st;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(pid_open(pid, &p, &e), 0);
	assert_int_equal(proc_stat_read(p.procfd, &st), 0);
	assert_int_equal(st.ppid, getpid());
	assert_int_equal(st.session, getsid(0));
	assert_false(proc_stat_exiting(&st));
	(void)pidfd_signal(p.pidfd, SIGKILL);
	(void)waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	assert_int_equal(proc_stat_read(p.procfd, &st), 0);
	assert_true(proc_stat_exiting(&st));
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(proc_status_read(&p, &s, &e), -ESRCH);
	assert_int_equal(proc_limits_read(&p, &l, &e), -ESRCH);
	assert_int_equal(proc_stat_read(p.procfd, &st), -ESRCH);
	assert_int_equal(ns_cred_read(&p, &c, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "is gone"));
}

#define STAT_FIELDS "S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 "

static void test_stat(void **state)
{
	static const char good[] = "12 (a) S ) (b) " STAT_FIELDS "777 23 24\n";
	static const char gone[] =
		"12 (a) X 0 -1 -1 0 -1 4228364 10 11 12 13 14 15 16 17 18 19 20 21 1 23";
	static const char *const bad[] = {
		"",
		"12",
		"12 (a",
		"12 )a( " STAT_FIELDS "1 23",
		"12 (a) S 1 2 3",
		"12 (a) SS 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 1 23",
		"12 (a) " STAT_FIELDS "x 23",
		"12 (a) " STAT_FIELDS "18446744073709551616 23",
	};
	struct proc_stat st = { 0 };

	(void)state;
	assert_int_equal(proc_stat_parse(good, strlen(good), &st), 0);
	assert_string_equal(st.comm, "a) S ) (b");
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 4);
	assert_int_equal(st.session, 6);
	assert_int_equal(st.flags, 9);
	assert_false(proc_stat_exiting(&st));
	assert_int_equal(st.start, 777);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(proc_stat_parse(bad[i], strlen(bad[i]), &st), -EPROTO);
	assert_int_equal(proc_stat_parse(gone, strlen(gone), &st), 0);
	assert_int_equal(st.session, -1);
	assert_true(proc_stat_exiting(&st));
}

static void test_limits(void **state)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	struct proc_limits l = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(pid_open(getpid(), &p, &e), 0);
	assert_int_equal(proc_limits_read(&p, &l, &e), 0);
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit now;

		assert_int_equal(getrlimit(i, &now), 0);
		assert_int_equal(l.v[i].rlim_cur, now.rlim_cur);
		assert_int_equal(l.v[i].rlim_max, now.rlim_max);
	}
	assert_string_equal(proc_limit_name(RLIMIT_NOFILE), "nofile");
	assert_string_equal(proc_limit_name(RLIM_NLIMITS), "?");
	assert_string_equal(proc_limit_name(-1), "?");
}

static char *limits_text(const char *title, const char *line)
{
	static const char *const titles[] = {
		"Max cpu time",         "Max file size",      "Max data size",
		"Max stack size",       "Max core file size", "Max resident set",
		"Max processes",        "Max open files",     "Max locked memory",
		"Max address space",    "Max file locks",     "Max pending signals",
		"Max msgqueue size",    "Max nice priority",  "Max realtime priority",
		"Max realtime timeout",
	};
	static char text[4096];
	char *p = stpcpy(text, "Limit                     Soft Limit\n");

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
		if (strcmp(titles[i], title) == 0)
			p += sprintf(p, "%s\n", line);
		else
			p += sprintf(p, "%s   1   unlimited   units\n", titles[i]);
	}
	return text;
}

static void test_limits_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"Max open files",
		"Max open files ",
		"Max open files 1",
		"Max open files 1 x files",
		"Max open files -1 2 files",
		"Max open files 3 2 files",
		"Max open files unlimited 2 files",
		"Max open files 1 18446744073709551616 files",
		"Max open filesystems 1 2 files",
	};
	struct proc_limits l;
	const char *text = limits_text("none", "");

	(void)state;
	assert_int_equal(proc_limits_parse(text, strlen(text), &l), 0);
	assert_int_equal(l.v[RLIMIT_NOFILE].rlim_cur, 1);
	assert_int_equal(l.v[RLIMIT_NOFILE].rlim_max, RLIM_INFINITY);
	assert_int_equal(proc_limits_parse("", 0, &l), -EPROTO);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text = limits_text("Max open files", bad[i]);
		if (proc_limits_parse(text, strlen(text), &l) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_idmap(void **state)
{
	static const char text[] = "         0     100000      65536\n     65536 1000 1\n";
	struct proc_idmap m;
	uint32_t id = 0;

	(void)state;
	assert_int_equal(proc_idmap_parse(text, strlen(text), &m), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(proc_idmap_in(&m, 100000, &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(proc_idmap_in(&m, 165535, &id), 0);
	assert_int_equal(id, 65535);
	assert_int_equal(proc_idmap_in(&m, 165536, &id), -ENOENT);
	assert_int_equal(proc_idmap_in(&m, 99999, &id), -ENOENT);
	assert_int_equal(proc_idmap_in(&m, 0, &id), -ENOENT);
	assert_int_equal(proc_idmap_in(&m, 1000, &id), 0);
	assert_int_equal(id, 65536);
	assert_int_equal(proc_idmap_out(&m, 65536, &id), 0);
	assert_int_equal(id, 1000);
	assert_int_equal(proc_idmap_out(&m, 65537, &id), -ENOENT);
	assert_false(proc_idmap_is_identity(&m));
	assert_int_equal(proc_idmap_parse("0 0 4294967295\n", 15, &m), 0);
	assert_true(proc_idmap_is_identity(&m));
	assert_int_equal(proc_idmap_in(&m, UINT32_MAX - 1, &id), 0);
	assert_int_equal(proc_idmap_in(&m, UINT32_MAX, &id), -ENOENT);
	assert_int_equal(proc_idmap_parse("", 0, &m), 0);
	assert_int_equal(proc_idmap_in(&m, 0, &id), -ENOENT);
}

static void test_idmap_bad(void **state)
{
	static const char *const bad[] = {
		"\n",
		"0\n",
		"0 1\n",
		"0 1 2 3\n",
		"0 1 x\n",
		"-1 0 1\n",
		"0 0 0\n",
		"4294967296 0 1\n",
		"4294967295 0 1\n",
		"1 0 4294967295\n",
		"0 1 4294967295\n",
		"0 0 10\n5 100 1\n",
		"0 100 10\n20 109 1\n",
		"0 100 10\n20 91 10\n",
	};
	char many[(PROC_IDMAP_MAX + 1) * 24];
	struct proc_idmap m;
	char *p = many;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (proc_idmap_parse(bad[i], strlen(bad[i]), &m) != -EPROTO || m.n)
			fail_msg("taken: %s", bad[i]);
	for (unsigned int i = 0; i < PROC_IDMAP_MAX; i++)
		p += sprintf(p, "%u %u 1\n", i, i + 5000);
	assert_int_equal(proc_idmap_parse(many, (size_t)(p - many), &m), 0);
	p += sprintf(p, "9999 9999 1\n");
	assert_int_equal(proc_idmap_parse(many, (size_t)(p - many), &m), -EPROTO);
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "\n"
			     "broken:x:0\n"
			     "+nis:x:::::\n"
			     "bad-id:x:4294967295:0::/:\n"
			     "minus:x:-1:0::/:\n"
			     "eight:x:1:2:3:4:5:6\n"
			     "app:x:1000:1001:App:/home/app:/bin/bash\n"
			     "app:x:0:0:second:/:/bin/sh\n"
			     "last:x:7:8::/l:/s";
static const char group[] = "root:x:0:\nbroken:x\nwheel:x:10:root,app\nvideo:x:44: app ,x\n"
			    "apps:x:1001:\nno:x:-1:app\naudio:x:63:application\n";

static void test_passwd(void **state)
{
	static struct ns_user u;
	gid_t groups[2], gid = 0;

	(void)state;
	assert_int_equal(ns_passwd_by_name(SPAN(passwd), "app", &u), 0);
	assert_int_equal(u.uid, 1000);
	assert_string_equal(u.home, "/home/app");
	assert_string_equal(u.shell, "/bin/bash");
	assert_int_equal(ns_passwd_by_uid(SPAN(passwd), 7, &u), 0);
	assert_string_equal(u.shell, "/s");
	assert_int_equal(ns_passwd_by_uid(SPAN(passwd), 1, &u), -ENOENT);
	assert_int_equal(ns_passwd_by_uid(SPAN(passwd), UINT32_MAX, &u), -ENOENT);
	assert_int_equal(ns_passwd_by_name(SPAN(passwd), "broken", &u), -ENOENT);
	assert_int_equal(ns_passwd_by_name(SPAN(passwd), "", &u), -ENOENT);
	assert_int_equal(ns_passwd_by_name(SPAN("app:x:1:2::/\0:/"), "app", &u), -ENOENT);
	assert_int_equal(ns_group_by_name(SPAN(group), "video", &gid), 0);
	assert_int_equal(gid, 44);
	assert_int_equal(ns_group_by_name(SPAN(group), "no", &gid), -ENOENT);
	assert_int_equal(ns_group_list(SPAN(group), "app", groups, 2), 2);
	assert_int_equal(groups[0], 10);
	assert_int_equal(groups[1], 44);
	assert_int_equal(ns_group_list(SPAN(group), "app", groups, 1), 1);
	assert_int_equal(ns_group_list(SPAN(group), "", groups, 2), 0);
}

static void test_passwd_long(void **state)
{
	static char text[NS_PATH_MAX * 2];
	static struct ns_user u;
	int at = sprintf(text, "a:x:1:2::/");

	(void)state;
	memset(text + at, 'h', NS_PATH_MAX);
	(void)strcpy(text + at + NS_PATH_MAX - 2, ":/s\n");
	assert_int_equal(ns_passwd_by_name(SPAN(text), "a", &u), 0);
	assert_int_equal(strlen(u.home), NS_PATH_MAX - 1);
	text[at + NS_PATH_MAX - 2] = 'h';
	(void)strcpy(text + at + NS_PATH_MAX - 1, ":/s\n");
	assert_int_equal(ns_passwd_by_name(SPAN(text), "a", &u), -ENOENT);
}

static void test_user(void **state)
{
	static const struct {
		const char *spec;
		uid_t uid;
		gid_t gid;
		size_t ngroups;
		bool known;
	} good[] = {
		{ "app", 1000, 1001, 2, true },
		{ "1000", 1000, 1001, 2, true },
		{ "app:wheel", 1000, 10, 0, true },
		{ "app:5", 1000, 5, 0, true },
		{ "4711", 4711, 0, 0, false },
		{ "4711:apps", 4711, 1001, 0, false },
		{ "0", 0, 0, 1, true },
		{ "4294967294:4294967294", -2u, -2u, 0, false },
	};
	static const struct {
		const char *spec;
		int r;
	} bad[] = {
		{ "", -EINVAL },
		{ ":", -EINVAL },
		{ ":wheel", -EINVAL },
		{ "app:", -EINVAL },
		{ "nobody", -ENOENT },
		{ "app:nogroup", -ENOENT },
		{ "4294967295", -EINVAL },
		{ "app:4294967295", -EINVAL },
		{ "-1", -ENOENT },
		{ "99999999999999999999", -EINVAL },
		{ "app:wheel:x", -ENOENT },
	};
	static struct ns_user u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(
			ns_user_resolve(good[i].spec, "guest's", SPAN(passwd), SPAN(group), &u, &e),
			0);
		assert_int_equal(u.uid, good[i].uid);
		assert_int_equal(u.gid, good[i].gid);
		assert_int_equal(u.ngroups, good[i].ngroups);
		assert_int_equal(u.known, good[i].known);
		assert_int_equal(ns_user_check(good[i].spec, &e), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ns_user_check(bad[i].spec, &e), bad[i].r == -EINVAL ? -EINVAL : 0);
		assert_int_equal(
			ns_user_resolve(bad[i].spec, "guest's", SPAN(passwd), SPAN(group), &u, &e),
			bad[i].r);
	}
	assert_string_equal(
		e.msg,
		"the guest's /etc/group has no group 'wheel:x'; a number needs no line there");
}

static void test_caps(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"sys_ptrac",
		"cap_",
		"cap_cap_chown",
		"cap_cap_all",
		"21",
		"cap_21",
		"chown;kill",

		"sys_ptrace,,kill",
		"all=ep",
		"chown kill",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct ns_cred c = { 0 };
	uint64_t caps = 0;
	struct err e;

	(void)state;
	assert_int_equal(ns_caps_parse("sys_ptrace, CAP_CHOWN", &caps, &e), 0);
	assert_int_equal(caps, 1 << 19 | 1);
	ns_cred_add_caps(&c, caps);
	assert_int_equal(c.caps.bnd, 1 << 19 | 1);
	assert_int_equal(c.caps.prm, 1 << 19 | 1);
	assert_int_equal(c.caps.inh | c.caps.amb, 0);
	assert_int_equal(ns_caps_parse("Chown", &caps, &e), 0);
	ns_cred_drop_caps(&c, caps);
	assert_int_equal(c.caps.eff, 1 << 19);
	c.uid = 1000;
	assert_int_equal(ns_caps_parse("kill", &caps, &e), 0);
	ns_cred_add_caps(&c, caps);
	assert_int_equal(c.caps.amb, 1 << 5);
	assert_int_equal(c.caps.inh, 1 << 5);
	assert_int_equal(ns_caps_parse("ALL", &caps, &e), 0);
	ns_cred_add_caps(&c, caps);
	assert_true(c.caps.bnd >= (1ull << 38) - 1);
	assert_int_equal(ns_caps_parse("all", &caps, &e), 0);
	ns_cred_drop_caps(&c, caps);
	assert_int_equal(c.caps.bnd | c.caps.prm | c.caps.eff | c.caps.inh | c.caps.amb, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (ns_caps_parse(bad[i], &caps, &e) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void test_cap_name(void **state)
{
	char name[NS_CAP_NAME_MAX];

	(void)state;
	ns_cap_name(0, name);
	assert_string_equal(name, "chown");
	ns_cap_name(19, name);
	assert_string_equal(name, "sys_ptrace");
	ns_cap_name(63, name); /* has none yet */
	assert_string_equal(name, "63");
	assert_true(ns_caps_all() & 1 << 19);
}

static void test_may_trace(void **state)
{
	struct ns_cred c = { .caps.bnd = 1 << 19 };

	(void)state;
	assert_true(ns_cred_may_trace(&c));
	c.foreign = true; /* it counts in the other user namespace only */
	assert_false(ns_cred_may_trace(&c));
	c = (struct ns_cred){ .caps.bnd = ~UINT64_C(0) ^ 1 << 19 };
	assert_false(ns_cred_may_trace(&c));
}

static void test_set_user(void **state)
{
	static struct ns_user u = { .uid = 5, .gid = 6, .groups = { 1, 99, 2 }, .ngroups = 3 };
	struct ns_cred c = { .caps = { .bnd = 0xf, .prm = 0xf, .eff = 0xf, .inh = 1 } };
	struct err e;

	(void)state;
	c.uid_map = (struct proc_idmap){ .n = 1, .v = { { 0, 1000, 10 } } };
	c.gid_map = c.uid_map;
	assert_int_equal(ns_cred_set_user(&c, &u, &e), 0);
	assert_int_equal(c.uid, 5);
	assert_int_equal(c.gid, 6);
	assert_int_equal(c.ngroups, 2);
	assert_int_equal(c.groups[1], 2);
	assert_int_equal(c.outer_groups[1], 1002);
	assert_int_equal(c.caps.prm | c.caps.eff | c.caps.amb | c.caps.inh, 0);
	assert_int_equal(c.caps.bnd, 0xf);
	u.uid = 0;
	assert_int_equal(ns_cred_set_user(&c, &u, &e), 0);
	assert_int_equal(c.caps.prm, 0xf);
	u.uid = 10;
	assert_int_equal(ns_cred_set_user(&c, &u, &e), -ERANGE);
	u.uid = 0;
	u.gid = 10;
	assert_int_equal(ns_cred_set_user(&c, &u, &e), -ERANGE);
	assert_int_equal(c.gid, 6);
	ns_cred_fini(&c);
}

static void test_report(void **state)
{
	struct ns_cred_report r = { 0 };
	char buf[256], small[20];

	(void)state;
	assert_false(ns_cred_report_text(&r, buf, sizeof(buf)));
	assert_string_equal(buf, "");
	r.limits = 1u << RLIMIT_NOFILE | 1u << RLIMIT_NPROC;
	r.caps = 1u << 24;
	r.oom_score_adj = true;
	assert_true(ns_cred_report_text(&r, buf, sizeof(buf)));
	assert_string_equal(buf,
			    "limits (nproc, nofile); capabilities sys_resource; oom_score_adj");
	r.limits = 0;
	r.groups = true;
	assert_true(ns_cred_report_text(&r, buf, sizeof(buf)));
	assert_string_equal(buf, "capabilities sys_resource; oom_score_adj; "
				 "supplementary groups");
	assert_true(ns_cred_report_text(&r, small, sizeof(small)));
	assert_string_equal(small, "capabilities sys_re");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),      cmocka_unit_test(test_status_first),
		cmocka_unit_test(test_status_bad),  cmocka_unit_test(test_status_groups),
		cmocka_unit_test(test_status_self), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_stat),        cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_bad),  cmocka_unit_test(test_idmap),
		cmocka_unit_test(test_idmap_bad),   cmocka_unit_test(test_passwd),
		cmocka_unit_test(test_passwd_long), cmocka_unit_test(test_user),
		cmocka_unit_test(test_caps),        cmocka_unit_test(test_cap_name),
		cmocka_unit_test(test_may_trace),   cmocka_unit_test(test_set_user),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
