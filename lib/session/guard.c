/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "guard"
#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
#include "stat.h"

#define SWEEPS_MAX   2000
#define SWEEP_GAP_NS 1000000 /* 1 ms: killed processes take a moment to go */

/* What has ended waits for its parent, and cannot be ended again. */
static bool in_session(int procfd, pid_t session)
{
	struct proc_stat st;

	return !proc_stat_read(procfd, &st) && st.state != 'Z' && st.session == session;
}

static bool is_marked(int procfd, const struct guard_mark *mark, ino_t mntns)
{
	struct stat st;
	bool in_ns = fstatat(procfd, "ns/mnt", &st, 0) == 0 && st.st_ino == mntns;

	if (in_ns == mark->either)
		return in_ns;
	return in_session(procfd, mark->session);
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

void guard_sweep(struct guard_mark mark, int proc)
{
	_cleanup_close_ int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct timespec gap = { .tv_nsec = SWEEP_GAP_NS };
	struct stat st;

	if (!dir || fstat(mark.mntns, &st) < 0)
		return;
	(void)take_fd(&fd);
	for (int i = 0; i < SWEEPS_MAX; i++) {
		if (!sweep_once(dir, &mark, st.st_ino))
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

/*
 * Nothing of the caller is kept: a pipe that somebody waits on must see its end, and the
 * file system of its working directory can be unmounted.
 */
static void keep_only(int sock, int parent, int mntns)
{
	const int keep[] = { sock, parent, mntns };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			(void)close(fd);
	(void)!io_close_others(keep, ARRAY_SIZE(keep));
	(void)!chdir("/");
}

_Noreturn void guard_run(int sock, int parent, struct guard_mark mark, char **argv)
{
	struct pollfd pfd = { .events = POLLIN };
	int proc;

	for (int sig = 1; sig < SIGSYS; sig++) /* the user's terminal or shell must not end us */
		(void)signal(sig, SIG_IGN);
	(void)!send(sock, "", 1, MSG_NOSIGNAL);
	(void)setpgid(0, 0);
	rename_self(argv);
	keep_only(sock, parent, mark.mntns);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pfd.fd = parent;
	while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
		;
	/* The caller is dead. What the child sent before is in the socket, even if it is dead too. */
	if (mark.mntns < 0) {
		size_t nfds = 0;
		char byte;

		if (io_recv_fds(sock, &byte, 1, &mark.mntns, 1, &nfds) < 1 || !nfds)
			_exit(0);
	}
	guard_sweep(mark, proc);
	_exit(0);
}

int guard_tell(int sock, int mntns)
{
	char byte;

	if (recv(sock, &byte, 1, 0) < 1)
		return -ECHILD;
	if (mntns < 0)
		return 0;
	return io_send_fds(sock, "", 1, &mntns, 1);
}
