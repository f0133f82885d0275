/* SPDX-License-Identifier: MIT */
/* Taking over rights: what is missing and told, what is set besides, who may look at us. */
#include "cred_bed.h"

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

static void few_files(void)
{
	struct rlimit l = { 32, 32 };

	must(setrlimit(RLIMIT_NOFILE, &l) == 0, "setrlimit");
}

/* Take over what a process of rights @r has, after @less has taken something from ourselves. */
static void run_weakened(const struct rights *r, void (*less)(void), struct outcome *o)
{
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct target t;

	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &o->e), 0);
	weaken = less;
	run(&t, &c, o);
	weaken = NULL;
	stop(&t);
	assert_int_equal(o->status, 0);
}

/* The target may open more files than the caller. */
static void test_raise(void **state)
{
	struct rights root = { ROOT_CAPS(DOCKER), .limits = true };
	bool able = all & UINT64_C(1) << CAP_SYS_RESOURCE;
	_cleanup_outcome_ struct outcome o = { 0 };

	(void)state;
	run_weakened(&root, few_files, &o);
	assert_int_equal(o.report.limits, able ? 0 : 1u << RLIMIT_NOFILE);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_cur, able ? 64 : 32);
	assert_int_equal(o.l.v[RLIMIT_NOFILE].rlim_max, able ? 128 : 32);
}

static void no_net_raw(void)
{
	must(prctl(PR_CAPBSET_DROP, CAP_NET_RAW) == 0, "bounding set");
}

/* A caller whose bounding set is smaller than its permitted set can't hand all of that on. */
static void test_narrow(void **state)
{
	struct rights user = { .uid = 1000, .caps = { .prm = NET_RAW, .bnd = DOCKER & all } };
	_cleanup_outcome_ struct outcome o = { 0 };

	(void)state;
	run_weakened(&user, no_net_raw, &o);
	assert_int_equal(o.report.caps, NET_RAW);
	assert_int_equal(o.s.caps.prm, 0);
	assert_int_equal(o.s.caps.bnd, DOCKER & all & ~NET_RAW);
}

/* Between the halves nobody may look into us, even if nothing else changes. */
static void test_dumpable(void **state)
{
	struct rights root = { ROOT_CAPS(UINT64_MAX) };
	_cleanup_cred_ struct ns_cred c = { 0 };
	struct ns_cred_report report = { 0 };
	struct target t;
	struct err e;
	int status;
	pid_t pid;

	(void)state;
	start(&t, &root);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	stop(&t);
	c.privileged = true;
	pid = fork();
	if (!pid)
		_exit(prctl(PR_GET_DUMPABLE) == 1 && !ns_cred_apply(&c, -1, &report, &e) &&
				      prctl(PR_GET_DUMPABLE) == 0
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
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
		if (io_read_at(proc, "self/oom_score_adj", 16, &text, NULL) < 0)
			_exit(1);
		_exit(strcmp(text, "321\n") ? 2 : 0);
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
	uint64_t caps;
	struct err e;
	pid_t shell, spy;
	int p[2], status;
	char ch;

	assert_int_equal(pipe(p), 0);
	start(&t, r);
	assert_int_equal(ns_cred_read(&t.ref, &c, &e), 0);
	stop(&t);
	assert_int_equal(ns_caps_parse("sys_ptrace", &caps, &e), 0);
	ns_cred_add_caps(&c, caps);
	if (drop) {
		assert_int_equal(ns_caps_parse(drop, &caps, &e), 0);
		ns_cred_drop_caps(&c, caps);
	}
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
		int fd;

		become(r);
		(void)snprintf(path, sizeof(path), "/proc/%d/root", shell);
		fd = open(path, O_RDONLY);
		_exit(fd < 0 ? errno : 0);
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

		_exit(ns_cred_apply(&c, fd, &report, &e) < 0 ? 1 : 0);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report), cmocka_unit_test(test_raise),
		cmocka_unit_test(test_narrow), cmocka_unit_test(test_dumpable),
		cmocka_unit_test(test_oom),    cmocka_unit_test(test_shell_is_closed),
		cmocka_unit_test(test_label),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP root: credentials are changed for real\n");
		return 0;
	}
	all = bounding();
	return cmocka_run_group_tests_name("cred_rest", tests, NULL, NULL);
}
