/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "pidfd.h"

/* In the child: everything up to exec. The master goes over @sock. */
static int enter(struct relay *r, int sock, struct err *e)
{
	_cleanup_close_ int devpts = -1, master = -1, slave = -1;
	int res;

	if (r->pty) {
		devpts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (devpts < 0)
			return err_set(e, errno, "opening /dev/pts: %s", err_str(errno));
		res = pty_open_at(devpts, &master, &slave, e);
		if (res >= 0)
			res = io_send_fds(sock, "m", 1, &master, 1);
		if (res < 0)
			return res;
	}
	return relay_child_take(r, slave, (uid_t)-1, e);
}

static int child(struct relay *r, int sock, const char *const *argv)
{
	struct err e = { 0 };

	/* The relay may be killed any time; nothing is to be left behind. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || enter(r, sock, &e) < 0) {
		(void)dprintf(STDERR_FILENO, "pty-try: %s\n", e.msg);
		return PTY_EXIT_FAILED;
	}
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv); /* its prototype lacks a const */
	(void)dprintf(STDERR_FILENO, "pty-try: %s: %s\n", argv[0], err_str(errno));
	return pty_exec_exit_code(errno);
}

static int parent(struct relay *r, int sock, pid_t pid)
{
	_cleanup_close_ int pidfd = pidfd_open_nr(pid);
	struct err e = { 0 };
	size_t nfds = 0;
	int master = -1, res;
	char c;

	if (r->pty && io_recv_fds(sock, &c, 1, &master, 1, &nfds) <= 0)
		return PTY_EXIT_FAILED;
	res = relay_run(r, pidfd, master, &e);
	if (res < 0)
		(void)dprintf(STDERR_FILENO, "pty-try: %s\n", e.msg);
	return res < 0 ? PTY_EXIT_FAILED : res;
}

int session_run(enum pty_mode mode, const char *const *argv)
{
	static const int std[3] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	_cleanup_close_ int ours = -1, theirs = -1;
	_cleanup_relay_ struct relay r;
	struct err e = { 0 };
	int sock[2];
	pid_t pid;

	if (relay_init(&r, mode, std, &e) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0) {
		(void)dprintf(STDERR_FILENO, "pty-try: %s\n", e.msg);
		return PTY_EXIT_FAILED;
	}
	ours = sock[0];
	theirs = sock[1];
	pid = fork();
	if (pid < 0)
		return PTY_EXIT_FAILED;
	if (!pid)
		_exit(child(&r, theirs, argv));
	closep(&theirs);
	theirs = -1;
	return parent(&r, ours, pid);
}
