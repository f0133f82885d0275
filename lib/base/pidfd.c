/* SPDX-License-Identifier: MIT */
#include "pidfd.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

int pidfd_open_nr(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0); /* Linux 5.3 */

	return fd < 0 ? -errno : (int)fd;
}

int pidfd_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

/* As a zombie at least, so that nobody else has its number. */
static bool is_there(const struct pid_ref *p)
{
	int r = pidfd_signal(p->pidfd, 0);

	return !r || r == -EPERM;
}

bool pid_alive(const struct pid_ref *p)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

void pid_close(struct pid_ref *p)
{
	closep(&p->pidfd);
	closep(&p->procfd);
	*p = (struct pid_ref)PID_REF_INIT;
}

int pid_open(pid_t pid, struct pid_ref *ret, struct err *e)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	char path[32];

	p.pid = pid;
	p.pidfd = pidfd_open_nr(pid);
	if (p.pidfd == -ESRCH || p.pidfd == -EINVAL)
		return err_set(e, ESRCH, "no process has the pid %d", pid);
	if (p.pidfd < 0)
		return err_set(e, -p.pidfd, "opening a pidfd of process %d: %s", pid,
			       err_str(p.pidfd));
	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	p.procfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.procfd < 0 || !is_there(&p))
		return err_set(e, ESRCH, "process %d has just ended", pid);
	*ret = p;
	p = (struct pid_ref)PID_REF_INIT;
	return 0;
}
