/* SPDX-License-Identifier: MIT */
#include "nsid.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"

const struct ns_desc ns_desc[NS_KINDS] = {
	[NS_USER] = { "user", CLONE_NEWUSER }, [NS_PID] = { "pid", CLONE_NEWPID },
	[NS_NET] = { "net", CLONE_NEWNET },    [NS_UTS] = { "uts", CLONE_NEWUTS },
	[NS_IPC] = { "ipc", CLONE_NEWIPC },    [NS_TIME] = { "time", CLONE_NEWTIME },
	[NS_MNT] = { "mnt", CLONE_NEWNS },     [NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
};

static void ns_path(char path[32], enum ns_kind kind)
{
	(void)snprintf(path, 32, "ns/%s", ns_desc[kind].name);
}

int ns_ino(int procfd, enum ns_kind kind, uint64_t *ret)
{
	char path[32];
	struct stat st;

	ns_path(path, kind);
	if (fstatat(procfd, path, &st, 0) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

void ns_set_close(struct ns_set *s)
{
	for (int k = 0; k < NS_KINDS; k++)
		closep(&s->fd[k]);
	*s = (struct ns_set)NS_SET_INIT;
}

int ns_set_open(const struct pid_ref *p, struct ns_set *ret, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ns_set s = NS_SET_INIT;

	for (enum ns_kind k = 0; k < NS_KINDS; k++) {
		uint64_t own;
		struct stat st;
		char path[32];

		ns_path(path, k);
		s.fd[k] = openat(p->procfd, path, O_RDONLY | O_CLOEXEC);
		if (s.fd[k] < 0 && errno == ENOENT && pid_alive(p))
			continue;
		if (s.fd[k] < 0 || fstat(s.fd[k], &st) < 0) {
			int code = errno == ENOENT ? ESRCH : errno;

			ns_set_close(&s);
			return err_set(e, code, "opening the %s namespace of process %d: %s",
				       ns_desc[k].name, p->pid, err_str(code));
		}
		s.ino[k] = st.st_ino;
		s.ours[k] = !ns_ino(self, k, &own) && own == s.ino[k];
	}
	*ret = s;
	return 0;
}
