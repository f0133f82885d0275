/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "target"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "environ.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"
#include "stat.h"
#include "status.h"

void target_close(struct target *t)
{
	pid_close(&t->ref);
	ns_set_close(&t->ns);
	closep(&t->rootfd);
	free(t->cwd);
	free(t->exe);
	cgroup_dirs_free(&t->cgroups);
	cgjoin_close(&t->join);
	ns_cred_fini(&t->cred);
	ns_seccomp_fini(&t->seccomp);
	free(t->environ);
	free(t->mountinfo);
	*t = (struct target)TARGET_INIT;
}

static bool has_ended(const struct target *t)
{
	struct proc_stat st;
	int r = proc_stat_read(t->ref.procfd, &st);

	return r == -ESRCH || (!r && proc_stat_exiting(&st));
}

int target_check(const struct target *t, struct err *e)
{
	return !has_ended(t) ? 0
			     : err_set(e, ESRCH, "the %s's process %d has ended meanwhile",
				       ns_words.what, t->ref.pid);
}

/* As __ptrace_may_access() of the kernel decides: who has not CAP_SYS_PTRACE needs all that the other has. */
static int denied_root(const struct target *t, int r, const char *what, struct err *e)
{
	_cleanup_pid_ struct pid_ref self = PID_REF_INIT;
	_cleanup_status_ struct proc_status ours = { 0 }, theirs = { 0 };
	char name[NS_CAP_NAME_MAX];
	uint64_t lacking;

	if (pid_open(getpid(), &self, NULL) < 0 || proc_status_read(&self, &ours, NULL) < 0 ||
	    proc_status_read(&t->ref, &theirs, NULL) < 0 || ours.caps.eff >> CAP_SYS_PTRACE & 1)
		return err_set(e, -r, "reading %s of process %d: %s", what, t->ref.pid, err_str(r));
	lacking = theirs.caps.prm & ~ours.caps.eff & ~(UINT64_C(1) << CAP_SYS_PTRACE);
	if (!lacking)
		return err_set(e, -r,
			       "attaching to process %d takes capability sys_ptrace, which this "
			       "root lacks",
			       t->ref.pid);
	ns_cap_name(__builtin_ctzll(lacking), name);
	return err_set(
		e, -r,
		"process %d has capabilities that this root lacks, such as %s: attaching to it "
		"takes them, or sys_ptrace",
		t->ref.pid, name);
}

/* The errors of files in another process's /proc directory, as a sentence about the process. */
static int denied(const struct target *t, int r, const char *what, struct err *e)
{
	/* of one that is gone, links to its namespaces say EACCES (proc_ns_get_link(), Linux 6.18) */
	if (r == -ESRCH || r == -ENOENT || has_ended(t))
		return err_set(e, ESRCH, "process %d has just ended", t->ref.pid);
	if ((r == -EACCES || r == -EPERM) && geteuid())
		return err_set(e, -r,
			       "process %d belongs to another user or has more rights than you: "
			       "run as root to attach to it",
			       t->ref.pid);
	if (r == -EACCES || r == -EPERM)
		return denied_root(t, r, what, e);
	return err_set(e, -r, "reading %s of process %d: %s", what, t->ref.pid, err_str(r));
}

static int check_kind(const struct target *t, struct err *e)
{
	_cleanup_status_ struct proc_status st = { 0 };
	int r = proc_status_read(&t->ref, &st, e);

	if (r < 0)
		return r;
	if (st.state == 'Z' || st.state == 'X')
		return err_set(e, ESRCH, "process %d has ended and waits for its parent",
			       t->ref.pid);
	if (st.tgid != t->ref.pid)
		return err_set(e, EINVAL, "%d is a thread of process %d; attach to that",
			       t->ref.pid, st.tgid);
	if (st.ppid == 2 || t->ref.pid == 2) /* kthreadd, Linux 2.6 */
		if (faccessat(t->ref.procfd, "exe", F_OK, 0) < 0 && errno == ENOENT)
			return err_set(e, EINVAL, "process %d is a kernel thread", t->ref.pid);
	return 0;
}

static int open_files(struct target *t, int flags, struct err *e)
{
	int r;

	t->rootfd = openat(t->ref.procfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->rootfd < 0)
		return denied(t, -errno, "the root directory", e);
	r = io_readlink_at(t->ref.procfd, "cwd", &t->cwd);
	if (r < 0)
		return denied(t, r, "the working directory", e);
	(void)!io_readlink_at(t->ref.procfd, "exe", &t->exe);
	r = io_read_at(t->ref.procfd, "environ", ENV_SIZE_MAX, &t->environ, &t->environ_len);
	if (r < 0)
		return denied(t, r, "the environment", e);
	if (!(flags & TARGET_MOUNTS))
		return 0;
	r = io_read_at(t->ref.procfd, "mountinfo", MOUNTINFO_SIZE_MAX, &t->mountinfo,
		       &t->mountinfo_len);
	if (r == -EINVAL) /* it has left its mount namespace: it is exiting */
		r = -ESRCH;
	return r < 0 ? denied(t, r, "the mounts", e) : 0;
}

static int open_cgroups(struct target *t, int flags, struct err *e)
{
	int r = cgroup_dirs_read(t->ref.procfd, &t->cgroups, e);

	if (r < 0)
		return r;
	if (!(flags & TARGET_PAUSED) && cgroup_dirs_frozen(&t->cgroups))
		return err_set(
			e, EBUSY,
			"the %s is paused (its cgroup is frozen); whatever joined it would stop as well: "
			"unpause it first",
			ns_words.what);
	return cgjoin_open(&t->cgroups, &t->join, e);
}

/* From the process, else from the engine's configuration; what is not known is said, not guessed. */
static int read_filter(struct target *t, const char *oci_config, struct err *e)
{
	struct err why = { 0 };
	int r = ns_seccomp_read(&t->ref, &t->seccomp, &why);

	if (!r) {
		t->filter = t->seccomp.n ? FILTER_PROCESS : FILTER_NONE;
		return 0;
	}
	if (r == -EOPNOTSUPP || r == -ESRCH) {
		*e = why;
		return r;
	}
	log_info("%s", why.msg);
	if (oci_config) {
		ns_seccomp_fini(&t->seccomp);
		r = ns_seccomp_from_oci(oci_config, &t->seccomp, &why);
		if (!r && t->seccomp.n) {
			t->filter = FILTER_CONFIG;
			return 0;
		}
	}
	t->filter = FILTER_UNKNOWN;
	memcpy(t->filter_why, why.msg, sizeof(t->filter_why));
	return 0;
}

int target_open(struct pid_ref *ref, const char *oci_config, int flags, struct target *ret,
		struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int r;

	t.ref = *ref;
	*ref = (struct pid_ref)PID_REF_INIT;
	r = check_kind(&t, e);
	if (!r)
		r = open_files(&t, flags, e);
	if (r < 0)
		return r;
	r = ns_set_open(&t.ref, &t.ns, e);
	if (r < 0)
		return denied(&t, r, "the namespaces", e);
	r = open_cgroups(&t, flags, e);
	if (!r)
		r = ns_cred_read(&t.ref, &t.cred, e);
	if (!r && flags & TARGET_RIGHTS)
		r = read_filter(&t, oci_config, e);
	if (!r)
		r = target_check(&t, e);
	if (r == -ESRCH)
		return denied(&t, r, NULL, e);
	if (r < 0)
		return r;
	*ret = t;
	t = (struct target)TARGET_INIT;
	return 0;
}

int target_read_file(const struct target *t, const char *path, size_t max, char **ret_text,
		     size_t *ret_len)
{
	_cleanup_close_ int fd = mnt_open_in(t->rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	return io_read_fd(fd, max, ret_text, ret_len);
}
