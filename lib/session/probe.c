/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "filter.h"
#include "io.h"
#include "mnt.h"
#include "mountinfo.h"
#include "pidfd.h"

/* Run @fn in a child, in a user namespace of its own if we lack the rights. 0 or its -errno. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
			_exit(errno);
		_exit(-fn());
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static enum probe_result verdict(struct probe *p, int r, enum probe_result otherwise)
{
	if (!r)
		return PROBE_YES;
	(void)snprintf(p->detail, sizeof(p->detail), "%s", err_str(r));
	return otherwise;
}

static enum probe_result probe_api(struct probe *p)
{
	struct err e = { 0 };

	return verdict(p, mnt_api_check(&e), PROBE_NO);
}

static int clone_root(void)
{
	int mfd;

	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	mfd = mnt_clone(open("/", O_PATH | O_DIRECTORY), true, MS_PRIVATE);
	return mfd < 0 ? mfd : mnt_set(mfd, MOUNT_ATTR_RDONLY, 0, true);
}

static enum probe_result probe_clone(struct probe *p)
{
	return verdict(p, in_child(clone_root), PROBE_NO);
}

static int idmap_root(void)
{
	int root = open("/", O_PATH | O_DIRECTORY), mfd = mnt_clone(root, false, MS_PRIVATE), r;
	int ns = -1, sync[2];
	char path[64];
	pid_t pid;

	if (mfd < 0 || pipe(sync) < 0)
		return mfd < 0 ? mfd : -errno;
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) == 0)
			(void)!write(sync[1], "", 1);
		(void)pause();
		_exit(0);
	}
	(void)!read(sync[0], path, 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	r = io_write_at(AT_FDCWD, path, "0 100000 1", 10);
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (!r)
		r = io_write_at(AT_FDCWD, path, "0 100000 1", 10);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (!r)
		r = ns < 0 ? -errno : mnt_idmap(mfd, ns);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

static enum probe_result probe_idmap(struct probe *p)
{
	return verdict(p, in_child(idmap_root), PROBE_DEGRADED);
}

static int new_overlay(void)
{
	static const struct mnt_param params[] = { { "lowerdir", "/usr:/etc" }, { 0 } };
	int mfd;

	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	mfd = mnt_new("overlay", params, 0);
	return mfd < 0 ? mfd : 0;
}

static enum probe_result probe_overlay(struct probe *p)
{
	return verdict(p, in_child(new_overlay), PROBE_DEGRADED);
}

/* A bad descriptor is told from an unknown flag, and nothing is cloned. */
static enum probe_result probe_into_cgroup(struct probe *p)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .cgroup = UINT32_MAX >> 1 };

	if (syscall(SYS_clone3, &args, sizeof(args)) < 0 && errno == EBADF)
		return PROBE_YES;
	return verdict(p, -errno, PROBE_DEGRADED);
}

static enum probe_result probe_timens(struct probe *p)
{
	return verdict(p, access("/proc/self/ns/time", F_OK) < 0 ? -errno : 0, PROBE_DEGRADED);
}

/* A child under an empty filter, and the question for it. */
static enum probe_result probe_filter(struct probe *p)
{
	static struct sock_filter allow = { .code = BPF_RET, .k = 0x7fff0000 };
	struct ns_seccomp_filter f = { .insns = &allow, .n = 1 };
	struct ns_seccomp one = { .v = &f, .n = 1 }, got = { 0 };
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	int sync[2], r;
	char byte;
	pid_t pid;

	if (pipe(sync) < 0)
		return verdict(p, -errno, PROBE_DEGRADED);
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (!ns_seccomp_install(&one))
			(void)!write(sync[1], "", 1);
		(void)pause();
		_exit(0);
	}
	(void)close(sync[1]);
	r = read(sync[0], &byte, 1) == 1 ? pid_open(pid, &ref, &e) : -ECHILD;
	if (!r)
		r = ns_seccomp_read(&ref, &got, &e);
	ns_seccomp_fini(&got);
	(void)close(sync[0]);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return verdict(p, r, PROBE_DEGRADED);
}

static enum probe_result has_cap(cap_value_t cap, enum probe_result otherwise)
{
	cap_flag_value_t v = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	(void)cap_get_flag(caps, cap, CAP_EFFECTIVE, &v);
	(void)cap_free(caps);
	return v == CAP_SET ? PROBE_YES : otherwise;
}

static enum probe_result probe_root(struct probe *p)
{
	(void)snprintf(p->detail, sizeof(p->detail), "you are uid %u", geteuid());
	return has_cap(CAP_SYS_ADMIN, PROBE_DEGRADED);
}

static enum probe_result probe_resource(struct probe *p)
{
	(void)p;
	return has_cap(CAP_SYS_RESOURCE, PROBE_DEGRADED);
}

static enum probe_result probe_cgroups(struct probe *p)
{
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	_cleanup_free_ char *text = NULL;
	bool v1 = false, v2 = false;
	struct cursor c;
	size_t len;
	int r = io_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &text, &len);

	if (r < 0 || !m)
		return verdict(p, r < 0 ? r : -ENOMEM, PROBE_NO);
	c = cur_of(text, len);
	while ((r = mountinfo_next(&c, m)) != 0) {
		v1 = v1 || (r > 0 && span_eq(m->fstype, "cgroup"));
		v2 = v2 || (r > 0 && span_eq(m->fstype, "cgroup2"));
	}
	(void)snprintf(p->detail, sizeof(p->detail), "%s",
		       v1 && v2 ? "version 1 and 2 (hybrid)"
		       : v1     ? "version 1"
		       : v2     ? "version 2"
				: "none mounted");
	return v1 || v2 ? PROBE_YES : PROBE_DEGRADED;
}

static const struct {
	struct probe p;
	enum probe_result (*run)(struct probe *p);
} probes[] = {
	{ { .name = "mount API", .needs = "Linux 5.12", .without = "attach does not work" },
	  probe_api },
	{ { .name = "detached mounts",
	    .needs = "CAP_SYS_ADMIN, or a user namespace",
	    .without = "attach does not work" },
	  probe_clone },
	{ { .name = "containers of others",
	    .needs = "CAP_SYS_ADMIN",
	    .without = "only your own rootless containers can be attached to" },
	  probe_root },
	{ { .name = "idmapped mounts",
	    .needs = "root, a file system that can",
	    .without = "in user-namespaced containers the tools appear as nobody's" },
	  probe_idmap },
	{ { .name = "overlayfs",
	    .needs = "overlayfs (for users: Linux 5.11)",
	    .without = "--view union does not work" },
	  probe_overlay },
	{ { .name = "seccomp filters",
	    .needs = "CAP_SYS_ADMIN, CONFIG_CHECKPOINT_RESTORE",
	    .without = "the seccomp filter comes from the engine's configuration, or is missing" },
	  probe_filter },
	{ { .name = "time namespaces", .needs = "Linux 5.6", .without = "clocks are the host's" },
	  probe_timens },
	{ { .name = "birth in a cgroup",
	    .needs = "Linux 5.7",
	    .without = "joining a version 2 cgroup takes milliseconds" },
	  probe_into_cgroup },
	{ { .name = "cgroups",
	    .needs = "a mounted hierarchy",
	    .without = "the container's limits do not hold for you" },
	  probe_cgroups },
	{ { .name = "higher limits",
	    .needs = "CAP_SYS_RESOURCE",
	    .without = "limits and oom_score_adj above yours are set as near as possible" },
	  probe_resource },
};

size_t probe_all(struct probe ret[PROBES_MAX])
{
	size_t n = 0;

	for (; n < ARRAY_SIZE(probes) && n < PROBES_MAX; n++) {
		ret[n] = probes[n].p;
		ret[n].result = probes[n].run(&ret[n]);
	}
	return n;
}
