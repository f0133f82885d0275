/* SPDX-License-Identifier: MIT */
/*
 * test_ptmx.c - before a session runs: which descriptors it gets, and pty_open_at() on
 * devpts mounts that a container may have prepared for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "io.h"
#include "relay.h"

static char dir[] = "/tmp/test-ptmx-XXXXXX";
static char path[64];

static int open_pair(void)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int master = -1, slave = -1;
	struct err e = { 0 };
	int r = pty_open_at(fd, &master, &slave, &e);

	if (r < 0 && (master >= 0 || slave >= 0 || !e.msg[0]))
		return -ECANCELED; /* out parameters are for success, a failure is explained */
	return r;
}

/* Plain directories: no test of these may open what it finds. */
static void test_no_devpts(void **state)
{
	int r;

	(void)state;
	assert_int_equal(open_pair(), -ENOTTY); /* no ptmx at all */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_pair(), -ENOTTY);
	assert_int_equal(unlink(path), 0);
	r = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(r >= 0);
	(void)close(r);
	assert_int_equal(open_pair(), -ENOTTY);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/pts/ptmx", path), 0);
	assert_int_equal(open_pair(), -ENOTTY);
	assert_int_equal(unlink(path), 0);
	if (mknod(path, S_IFCHR | 0600, makedev(5, 2)) == 0) {
		assert_int_equal(open_pair(), -ENOTTY); /* a ptmx, but not one of ours to trust */
		assert_int_equal(unlink(path), 0);
	}
}

static int own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static int mount_devpts(const char *options)
{
	return mount("devpts", dir, "devpts", MS_NOSUID | MS_NOEXEC, options) < 0 ? -errno : 0;
}

/* @cover is bound over ptmx; the pair must not be made with it. */
static int covered(const char *cover)
{
	if (mount_devpts("newinstance,ptmxmode=0666") < 0 ||
	    mount(cover, path, NULL, MS_BIND, NULL) < 0)
		return -ECANCELED;
	return open_pair();
}

static int case_good(void)
{
	_cleanup_close_ int fd = -1, master = -1, slave = -1;
	int n, r = mount_devpts("newinstance,ptmxmode=0666");
	struct stat st;
	char c;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!r)
		r = pty_open_at(fd, &master, &slave, NULL);
	if (r < 0)
		return r;
	/* It is that mount's first, unlocked, and the two are connected. */
	if (ioctl(master, TIOCGPTN, &n) < 0 || n != 0 || !isatty(slave) ||
	    fstatat(fd, "0", &st, 0) < 0 || io_write_all(slave, "x", 1) < 0 ||
	    io_read_all(master, &c, 1) < 0 || c != 'x')
		return -ECANCELED;
	if (!(fcntl(master, F_GETFD) & FD_CLOEXEC) || !(fcntl(slave, F_GETFD) & FD_CLOEXEC))
		return -ECANCELED;
	return 0;
}

static int case_fifo(void)
{
	char fifo[80];

	(void)snprintf(fifo, sizeof(fifo), "%s-fifo", dir);
	return mkfifo(fifo, 0600) < 0 ? -ECANCELED : (covered(fifo));
}

static int case_file(void)
{
	return covered("/proc/self/status");
}

static int case_device(void)
{
	return covered("/dev/null");
}

static int case_other_ptmx(void)
{
	return covered("/dev/ptmx");
}

static int case_full(void)
{
	_cleanup_close_ int fd = -1, master = -1, slave = -1;

	if (mount_devpts("newinstance,ptmxmode=0666,max=1") < 0)
		return -ECANCELED;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pty_open_at(fd, &master, &slave, NULL) < 0)
		return -ECANCELED;
	return open_pair();
}

static int case_mode(void)
{
	if (mount_devpts("newinstance,ptmxmode=0000") < 0 || chmod(dir, 0755) < 0)
		return -ECANCELED;
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		return -ECANCELED;
	return open_pair();
}

/* In a child with mounts of its own. Exit status: errno, 77 for a skip. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int r = own_mounts();

		if (r < 0)
			_exit(77);
		_exit(-fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_devpts(void **state)
{
	static const struct {
		const char *name;
		int (*fn)(void);
		int want;
	} table[] = {
		{ "fresh instance", case_good, 0 },
		{ "FIFO over ptmx", case_fifo, EXDEV },
		{ "file over ptmx", case_file, EXDEV },
		{ "device over ptmx", case_device, EXDEV },
		{ "another instance's ptmx over it", case_other_ptmx, EXDEV },
		{ "no ptys left", case_full, ENOSPC },
		{ "ptmxmode=0000", case_mode, EACCES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int got = in_child(table[i].fn);

		if (got == 77) {
			const char *must = getenv("MUST_RUN");

			print_message("mount namespaces are not permitted here: skipped\n");
			assert_false(must && strstr(must, "userns"));
			skip();
		}
		if (got != table[i].want)
			print_error("%s: %s, not %s\n", table[i].name, err_str(got),
				    err_str(table[i].want));
		assert_int_equal(got, table[i].want);
	}
}

/* What the command gets for each kind of descriptor: t terminal, o other; s slave, p pipe, and
 * o the caller's own; = the same pipe as stdout. */
static void test_decisions(void **state)
{
	static const struct {
		enum pty_mode mode;
		const char *user, *child;
	} table[] = {
		{ PTY_AUTO, "ttt", "sss" },   { PTY_AUTO, "ott", "oss" },
		{ PTY_AUTO, "tto", "sso" },   { PTY_AUTO, "oto", "oso" },
		{ PTY_AUTO, "tot", "pop" },   { PTY_AUTO, "too", "poo" },
		{ PTY_AUTO, "oot", "oop" },   { PTY_AUTO, "ooo", "ooo" },
		{ PTY_NEVER, "ttt", "pp=" },  { PTY_NEVER, "tot", "pop" },
		{ PTY_NEVER, "oto", "opo" },  { PTY_NEVER, "ooo", "ooo" },
		{ PTY_ALWAYS, "ttt", "sss" }, { PTY_ALWAYS, "ooo", "sss" },
		{ PTY_ALWAYS, "too", "sss" },
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), tty, master, pts;

	(void)state;
	pts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(null >= 0);
	assert_int_equal(pty_open_at(pts, &master, &tty, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct relay r;
		int user[3];

		for (int k = 0; k < 3; k++)
			user[k] = table[i].user[k] == 't' ? tty : null;
		assert_int_equal(relay_init(&r, table[i].mode, user, NULL), 0);
		assert_int_equal(r.pty, strchr(table[i].child, 's') != NULL);
		for (int k = 0; k < 3; k++) {
			char is = r.child_fd[k] == RELAY_SLAVE               ? 's'
				  : r.child_fd[k] == null                    ? 'o'
				  : k == 2 && r.child_fd[2] == r.child_fd[1] ? '='
									     : 'p';

			assert_int_not_equal(r.child_fd[k], tty); /* never the terminal */
			if (is != table[i].child[k])
				print_error("case %zu, descriptor %d: %c\n", i, k, is);
			assert_int_equal(is, table[i].child[k]);
		}
		relay_fini(&r);
	}
	(void)close(null);
	(void)close(pts);
	(void)close(tty);
	(void)close(master);
}

/* A pipe belongs to whom it is given, so that /dev/stderr can be opened by its user. */
static void test_own_pipes(void **state)
{
	int pts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC), tty, master;
	struct stat st;
	struct relay r;

	(void)state;
	assert_int_equal(pty_open_at(pts, &master, &tty, NULL), 0);
	assert_int_equal(relay_init(&r, PTY_NEVER, (int[]){ tty, tty, tty }, NULL), 0);
	if (geteuid() == 0) {
		assert_int_equal(relay_own_pipes(&r, 65534), 0);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(fstat(r.child_fd[k], &st), 0);
			assert_int_equal(st.st_uid, 65534);
		}
	}
	relay_fini(&r);
	(void)close(pts);
	(void)close(tty);
	(void)close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_own_pipes),
		cmocka_unit_test(test_no_devpts),
		cmocka_unit_test(test_devpts),
	};
	char fifo[80];
	int failed;

	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/ptmx", dir);
	(void)snprintf(fifo, sizeof(fifo), "%s-fifo", dir);
	failed = cmocka_run_group_tests_name("ptmx", tests, NULL, NULL);
	(void)unlink(fifo);
	(void)rmdir(dir);
	return failed;
}
