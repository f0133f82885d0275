/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "guard"
#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "pidfd.h"

#define SWEEPS_MAX   2000
#define SWEEP_GAP_NS 1000000 /* 1 ms: killed processes take a moment to go */

/* Field 6 of /proc/PID/stat; the name in field 2 may hold anything, the last ")" ends it. */
static pid_t session_of(int procfd)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	int session;

	if (io_read_at(procfd, "stat", 4096, &text, NULL) < 0)
		return -1;
	p = strrchr(text, ')');
	if (!p || sscanf(p, ") %*c %*d %*d %d", &session) != 1)
		return -1;
	return session;
}

static bool is_marked(int procfd, const struct guard_mark *mark, ino_t mntns)
{
	struct stat st;

	if (fstatat(procfd, "ns/mnt", &st, 0) < 0 || st.st_ino != mntns)
		return false;
	return mark->whole || session_of(procfd) == mark->session;
}

/* A /proc/PID directory stands for its process: it is looked at and killed through one descriptor. */
static bool end_if_marked(int proc, const char *pid, const struct guard_mark *mark, ino_t mntns)
{
	_cleanup_close_ int procfd = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return procfd >= 0 && is_marked(procfd, mark, mntns) && !pidfd_signal(procfd, SIGKILL);
}

static size_t sweep_once(DIR *dir, const struct guard_mark *mark, ino_t mntns)
{
	size_t found = 0;
	struct dirent *d;

	rewinddir(dir);
	while ((d = readdir(dir)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			found += end_if_marked(dirfd(dir), d->d_name, mark, mntns);
	return found;
}

void guard_sweep(const struct guard_mark *mark, int mntns, int proc)
{
	_cleanup_close_ int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct timespec gap = { .tv_nsec = SWEEP_GAP_NS };
	struct stat st;

	if (!dir || fstat(mntns, &st) < 0)
		return;
	(void)take_fd(&fd);
	for (int i = 0; i < SWEEPS_MAX; i++) {
		if (!sweep_once(dir, mark, st.st_ino))
			return;
		(void)nanosleep(&gap, NULL);
	}
	log_warn("some processes of the session could not be ended");
}

static void rename_self(char **argv)
{
	(void)prctl(PR_SET_NAME, "attach-guard");
	for (; argv && *argv; argv++)
		memset(*argv, 0, strlen(*argv));
}

static void guard_run(int sock, int parent)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct pollfd pfd = { .fd = parent, .events = POLLIN };
	struct guard_mark mark, last = { 0 };
	size_t nfds;
	int mntns = -1, fd;

	while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
		;
	/* The parent is dead; what it or its child sent before is still in the socket. */
	while (io_recv_fds(sock, &mark, sizeof(mark), &fd, 1, &nfds) == sizeof(mark)) {
		if (!nfds)
			continue;
		closep(&mntns);
		mntns = fd;
		last = mark;
	}
	if (mntns >= 0)
		guard_sweep(&last, mntns, proc);
	_exit(0);
}

static void guard_child(int sock, int parent, char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < SIGSYS; sig++) /* the user's terminal or shell must not end us */
		(void)signal(sig, sig == SIGCHLD ? SIG_DFL : SIG_IGN);
	(void)setsid();
	(void)!chdir("/");
	rename_self(argv);
	/* Nothing of the caller is kept open: a pipe that it waits on must see its end. */
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    dup2(sock, 100) < 0 || dup2(parent, 101) < 0)
		_exit(1);
	(void)close_range(3, 99, 0); /* Linux 5.9 */
	(void)close_range(102, ~0U, 0);
	(void)fcntl(100, F_SETFL, O_NONBLOCK);
	guard_run(100, 101);
}

int guard_start(struct guard *g, char **argv, struct err *e)
{
	_cleanup_close_ int parent = pidfd_open_nr(getpid());
	int sock[2];
	pid_t pid;

	if (parent < 0)
		return err_set(e, -parent, "opening a pidfd: %s", err_str(parent));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	pid = fork();
	if (!pid)
		guard_child(sock[1], parent, argv);
	(void)close(sock[1]);
	if (pid < 0) {
		(void)close(sock[0]);
		return err_set(e, errno, "starting the guard process: %s", err_str(errno));
	}
	*g = (struct guard){ .pid = pid, .sock = sock[0] };
	return 0;
}

int guard_mark(const struct guard *g, const struct guard_mark *mark, int mntns)
{
	return io_send_fds(g->sock, mark, sizeof(*mark), &mntns, 1);
}

void guard_stop(const struct guard *g)
{
	if (g->pid > 0)
		(void)kill(g->pid, SIGKILL);
}

void guard_fini(struct guard *g)
{
	guard_stop(g);
	if (g->pid > 0)
		(void)waitpid(g->pid, NULL, 0);
	closep(&g->sock);
	*g = (struct guard)GUARD_INIT;
}
