/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "child"
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "start.h"
#include "tools_lock.h"

/* Joined before the user namespace, by a caller who may. */
#define CLONE_OUTER (CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWTIME | CLONE_NEWCGROUP)

/* What the child gathers on its way. Plain process memory: execve() or _exit() frees it. */
struct child {
	const struct child_ctx *c;
	int joined; /* CLONE_NEW* flags of namespaces that it has joined */
	int rootfd; /* the target's root, in a mount namespace that we may clone from */
	struct tools tools;
	struct view_parts parts;
	struct ns_cred_report report;
	int pts; /* root of a devpts, or -1 */
	int exit_code;
};

static _Noreturn void fail(const struct child_ctx *c, int exit_code, const struct err *e)
{
	struct child_msg msg = { .kind = CHILD_FAILED, .exit_code = exit_code, .err = *e };

	(void)!io_send_fds(c->sock, &msg, sizeof(msg), NULL, 0);
	_exit(exit_code);
}

static bool foreign_user(const struct target *t)
{
	return t->ns.fd[NS_USER] >= 0 && !t->ns.ours[NS_USER];
}

/*
 * A copy of the mount namespace that belongs to the user namespace that we are in. If the
 * target is in that mount namespace, too, its root is found again by what unshare(2) does to
 * the working directory.
 */
static int copy_mounts(struct child *ch, struct err *e)
{
	const struct target *t = ch->c->s->target;
	bool shared = t->ns.ours[NS_MNT];

	if ((shared && fchdir(t->rootfd) < 0) || unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "unsharing the mount namespace: %s", err_str(errno));
	if (!shared)
		return 0;
	ch->rootfd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ch->rootfd < 0 ? err_set(e, errno, "opening the target's root: %s", err_str(errno))
			      : 0;
}

/*
 * A user without rights on the host has them over their own container's user
 * namespace: joined early, with a copy of the host's mounts that belongs to it.
 */
static int enter_user_early(struct child *ch, struct err *e)
{
	const struct target *t = ch->c->s->target;
	int r;

	if (!foreign_user(t))
		return err_set(e, EPERM, "attaching to this %s takes root", ns_words.what);
	r = ns_enter(&t->ns, CLONE_NEWUSER, &ch->joined, e);
	if (r < 0)
		return r;
	return ch->c->s->view ? copy_mounts(ch, e) : 0;
}

static int take_served(struct child *ch, struct err *e)
{
	ch->tools.mount[0].path = strdup("");
	if (!ch->tools.mount[0].path)
		return err_set(e, ENOMEM, "no memory");
	ch->tools.mount[0].fd = ch->c->served;
	ch->tools.n = 1;
	return 0;
}

/* Detached mounts of what is the host's: made before its mount namespace is left. */
static int take_host(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	bool early = ch->joined & CLONE_NEWUSER;
	int userns = foreign_user(s->target) && !early ? s->target->ns.fd[NS_USER] : -1;
	int r = dev_take_nodes(&ch->parts.dev, !foreign_user(s->target), e);

	if (!r)
		r = ch->c->served >= 0
			    ? take_served(ch, e)
			    : tools_clone(s->tools, s->view->writable, userns, &ch->tools, e);
	if (r != -EPERM || early)
		return r;
	r = enter_user_early(ch, e);
	return r < 0 ? r : take_host(ch, e);
}

/* A union needs none: overlayfs never writes to a lower layer, and takes no locked mount for one. */
static int lock_tools(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	int r;

	if (!foreign_user(s->target) || s->view->writable || s->view->kind != VIEW_BIND)
		return 0;
	r = tools_lock(&ch->tools, e);
	if (!r || !(ch->joined & CLONE_NEWUSER))
		return r;
	/* The container and the tools are the same user's: it may go on as it is. */
	log_info("%s", e->msg);
	tools_fini(&ch->tools);
	return tools_clone(s->tools, s->view->writable, -1, &ch->tools, e);
}

/*
 * Files are made with the file system ids of a user that the namespace knows:
 * its root, else the target's own.
 */
static int become_inner_root(const struct child *ch, struct err *e)
{
	const struct ns_cred *cred = &ch->c->s->target->cred;
	uint32_t out;
	uid_t uid = proc_idmap_out(&cred->uid_map, 0, &out) < 0 ? cred->uid : 0;
	gid_t gid = proc_idmap_out(&cred->gid_map, 0, &out) < 0 ? cred->gid : 0;

	if (ch->c->s->view && (uid == (uid_t)-1 || gid == (gid_t)-1))
		return err_set(e, ERANGE,
			       "the %s's user namespace has no ids, so that no file can be "
			       "made in it; '%s' may do",
			       ns_words.what, ns_words.bare);
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_set(e, errno, "becoming root of the %s's user namespace: %s",
			       ns_words.what, err_str(errno));
	return 0;
}

static int enter_all(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	const struct target *t = s->target;
	int r = ns_enter(&t->ns, CLONE_OUTER, &ch->joined, e);

	if (s->view && (!r || r == -EPERM))
		view_prepare(s->view, ch->rootfd, &ch->parts);
	if (!r || r == -EPERM)
		r = ns_enter(&t->ns, CLONE_OUTER | CLONE_NEWUSER | CLONE_NEWNS, &ch->joined, e);
	if (r < 0)
		return r;
	if (foreign_user(t))
		r = become_inner_root(ch, e);
	if (!r && s->view && foreign_user(t) && t->ns.ours[NS_MNT] && ch->rootfd == t->rootfd)
		r = copy_mounts(ch, e);
	return r;
}

/* The view: parts of the container, then a mount namespace of our own, then all put together. */
static int build_view(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	int r = view_collect(s->view, &ch->tools, ch->rootfd, &ch->parts, e);

	if (r < 0)
		return r;
	ch->parts.mountinfo = s->target->mountinfo;
	ch->parts.mountinfo_len = s->target->mountinfo_len;
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "unsharing the mount namespace: %s", err_str(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "cutting off mount propagation: %s", err_str(errno));
	return view_build(s->view, &ch->tools, &ch->parts, &ch->pts, e);
}

/* The container's own view: its root, and a terminal of its own devpts if it has one. */
static int enter_root(struct child *ch, struct err *e)
{
	int rootfd = ch->c->s->target->rootfd;

	if (fchdir(rootfd) < 0 || chroot(".") < 0)
		return err_set(e, errno, "entering the %s's root: %s%s", ns_words.what,
			       err_str(errno), errno == EPERM ? "; it takes root" : "");
	ch->pts = mnt_open_nolink(rootfd, "dev/pts", O_PATH | O_DIRECTORY);
	return 0;
}

static int open_pty(struct child *ch, int *ret_master, int *ret_slave, struct err *e)
{
	_cleanup_close_ int fresh = -1;

	if (ch->pts >= 0 && !pty_open_at(ch->pts, ret_master, ret_slave, e))
		return 0;
	fresh = mnt_new("devpts", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (fresh < 0)
		return err_set(e, -fresh, "making a terminal: %s", err_str(fresh));
	return pty_open_at(fresh, ret_master, ret_slave, e);
}

/* Tell the caller and the guard what the session consists of, before the command can do anything. */
static int report_ready(struct child *ch, int mntns, int master, struct err *e)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct child_msg msg = { .kind = CHILD_READY,
				 .report = ch->report,
				 .owners_unmapped = ch->tools.owners_unmapped };
	bool none = proc < 0 || (ch->c->s->view && ch->parts.proc < 0); /* could be had */
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fds[4] = { mntns, none ? ch->c->proc : proc, root, master };
	char byte;
	int r;

	msg.pid = none ? 0 : getpid();
	r = root < 0 ? -errno
		     : io_send_fds(ch->c->sock, &msg, sizeof(msg), fds, master < 0 ? 3 : 4);
	/* What leads into the view is made before the command looks for it. */
	if (!r && ch->c->s->forwards && recv(ch->c->sock, &byte, 1, 0) < 1)
		_exit(PTY_EXIT_FAILED);
	return r < 0 ? err_set(e, -r, "reporting to the parent: %s", err_str(r)) : 0;
}

static int take_stdio(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	_cleanup_close_ int mntns = openat(ch->c->proc, "thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int master = -1, slave = -1;
	int r = 0;

	if (mntns < 0)
		return err_set(e, errno, "opening the mount namespace: %s", err_str(errno));
	if (s->relay->pty)
		r = open_pty(ch, &master, &slave, e);
	if (r < 0)
		return r;
	r = guard_tell(ch->c->guard, s->view ? mntns : -1);
	if (r < 0)
		return err_set(e, -r, "telling the guard: %s", err_str(r));
	r = report_ready(ch, mntns, master, e);
	if (!r)
		r = relay_child_take(s->relay, slave, s->target->cred.uid, e);
	return r;
}

int session_find_program(const char *name, const char *path, char ret[PATH_MAX])
{
	int r = -ENOENT;
	struct stat st;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/'))
		path = "";
	for (;; path++) {
		size_t len = strcspn(path, ":");
		int n = snprintf(ret, PATH_MAX, "%.*s%s%s", (int)len, path, len ? "/" : "", name);

		if (n < PATH_MAX && faccessat(AT_FDCWD, ret, X_OK, AT_EACCESS) == 0 &&
		    stat(ret, &st) == 0) {
			if (!S_ISDIR(st.st_mode))
				return 0;
			r = -EISDIR;
		} else if (n < PATH_MAX && errno != ENOENT && errno != ENOTDIR) {
			r = -errno;
		}
		path += len;
		if (!*path)
			return r;
	}
}

static int find_command(struct child *ch, char program[PATH_MAX], struct err *e)
{
	const struct session *s = ch->c->s;
	const char *path = env_get(s->env, "PATH");
	int r = session_find_program(s->argv[0], path ? path : ENV_DEFAULT_PATH, program);

	if (!r)
		return 0;
	ch->exit_code = pty_exec_exit_code(r);
	if (r == -ENOENT && !strchr(s->argv[0], '/'))
		return err_set(e, ENOENT, "no '%s' on the PATH %s%s", s->argv[0],
			       s->view ? "of the tools" : "in the ", s->view ? "" : ns_words.what);
	return err_set(e, -r, "executing '%s': %s", s->argv[0], err_str(r));
}

/* A script without a "#!" line: what execvp(3) does. */
static int exec_script(const char *program, const char *const *argv, char *const *envp)
{
	const char *sh[64] = { "sh", program };
	size_t n = 2;

	while (*++argv && n + 1 < ARRAY_SIZE(sh))
		sh[n++] = *argv;
	if (*argv)
		return -E2BIG;
	(void)execve("/bin/sh", (char *const *)(uintptr_t)sh, envp);
	return -errno;
}

/* Nothing may be left if the caller has gone before we asked to be killed with it. */
static void die_with_parent(const struct child_ctx *c)
{
	struct pollfd pfd = { .fd = c->parent, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&pfd, 1, 0) != 0)
		_exit(PTY_EXIT_FAILED);
}

/*
 * The container may have had a part in the name, and may change what it leads to at
 * any time: a link such as /proc/self/fd/N would lead out of it.
 */
static int enter_workdir(const struct session *s, struct err *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int dir = mnt_open_in(root, s->workdir, O_PATH | O_DIRECTORY);
	int r = dir < 0 ? dir : fchdir(dir) < 0 ? -errno : 0;

	if (!r || (!s->workdir_given && chdir("/") == 0))
		return 0;
	return err_set(e, -r, "changing to the directory '%s': %s", s->workdir, err_str(r));
}

/*
 * What is executed is found by names that the container may choose: by then nothing of the
 * host's is open that /proc/self/fd could lead to, nor any further descriptor of the caller's.
 */
static int close_all(const struct child_ctx *c, struct err *e)
{
	const int keep[] = { c->sock, c->parent };
	int r = io_close_others(keep, ARRAY_SIZE(keep));

	return r < 0 ? err_set(e, -r, "closing descriptors: %s", err_str(r)) : 0;
}

static int become_command(struct child *ch, struct err *e)
{
	const struct session *s = ch->c->s;
	char *const *argv = (char *const *)(uintptr_t)s->argv;
	char program[PATH_MAX];
	int r = enter_workdir(s, e);

	if (!r)
		r = ns_cred_apply(&s->target->cred, ch->c->proc, &ch->report, e);
	if (!r)
		r = close_all(ch->c, e);
	if (!r)
		r = find_command(ch, program, e);
	if (r < 0)
		return r;
	die_with_parent(ch->c); /* again: a change of ids clears the death signal */
	if (!s->target->cred.privileged) {
		r = ns_seccomp_install(&s->target->seccomp);
		if (r < 0)
			return err_set(e, -r, "installing the %s's seccomp filter: %s",
				       ns_words.what, err_str(r));
	}
	start_command();
	(void)execve(program, argv, s->env->v);
	r = errno == ENOEXEC ? exec_script(program, s->argv, s->env->v) : -errno;
	ch->exit_code = pty_exec_exit_code(r);
	if (r == -ENOENT) /* it was there a moment ago */
		return err_set(e, ENOENT, "executing '%s': its interpreter or loader is missing",
			       program);
	return err_set(e, -r, "executing '%s': %s", program, err_str(r));
}

static int child_steps(struct child *ch, bool in_v2, struct err *e)
{
	const struct session *s = ch->c->s;
	int r;

	ns_cred_prepare(&s->target->cred, ch->c->proc, &ch->report);
	r = s->view ? take_host(ch, e) : 0;
	if (!r && s->view)
		r = lock_tools(ch, e);
	if (!r)
		r = enter_all(ch, e);
	if (!r)
		r = s->view ? build_view(ch, e) : enter_root(ch, e);
	if (!r)
		r = cgjoin_self(&s->target->join, !in_v2, e);
	if (!r)
		r = take_stdio(ch, e);
	return r < 0 ? r : become_command(ch, e);
}

static _Noreturn void child_run(const struct child_ctx *c, int joined, int rootfd, bool in_v2)
{
	struct child ch = { .c = c,
			    .joined = joined,
			    .rootfd = rootfd,
			    .parts = VIEW_PARTS_INIT,
			    .pts = -1,
			    .exit_code = PTY_EXIT_FAILED };
	struct err e = { 0 };

	die_with_parent(c);
	(void)umask(0);          /* modes are said in full */
	(void)close(c->guarded); /* so that a guard that is gone is noticed */
	(void)!child_steps(&ch, in_v2, &e);
	fail(c, ch.exit_code, &e);
}

/* Like fork(); the child may start in cgroup @v2, and have our parent for its own (CLONE_PARENT). */
static pid_t clone_child(uint64_t flags, int v2, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (v2 >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = v2 >= 0 ? (uint64_t)v2 : 0,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* @ch: what has been joined already; the pid namespace for one. */
static pid_t spawn(const struct child *ch, uint64_t flags, int *ret_pidfd, struct err *e)
{
	int v2 = ch->c->s->target->join.v2;
	pid_t pid = clone_child(flags, v2, ret_pidfd);

	if (pid < 0 && v2 >= 0) { /* Linux < 5.7, or a threaded cgroup */
		v2 = -1;
		pid = clone_child(flags, v2, ret_pidfd);
	}
	if (!pid)
		child_run(ch->c, ch->joined, ch->rootfd, v2 >= 0);
	return pid < 0 ? err_set(e, errno, "starting a process in the %s: %s", ns_words.what,
				 err_str(errno))
		       : pid;
}

static _Noreturn void guard(const struct child_ctx *c, pid_t child)
{
	struct guard_mark mark = { .mntns = -1, .session = child, .either = true };

	if (!c->s->view)
		mark = (struct guard_mark){ .mntns = c->s->target->ns.fd[NS_MNT],
					    .session = child };
	guard_run(c->guarded, c->parent, mark, c->s->main_argv);
}

int child_start(const struct child_ctx *c, struct child_born *ret, struct err *e)
{
	_cleanup_close_ int own = openat(c->proc, "self/ns/pid", O_RDONLY | O_CLOEXEC);
	struct child ch = { .c = c, .rootfd = c->s->target->rootfd };
	int dumpable = prctl(PR_GET_DUMPABLE), r;

	if (own < 0)
		return err_set(e, errno, "opening our pid namespace: %s", err_str(errno));
	r = ns_enter(&c->s->target->ns, CLONE_NEWPID, &ch.joined, e);
	if (r < 0)
		return r;
	(void)prctl(PR_SET_DUMPABLE, 0); /* the child's, from its first instruction */
	ret->pid = spawn(&ch, 0, &ret->pidfd, e);
	(void)prctl(PR_SET_DUMPABLE, dumpable);
	if (ch.joined && setns(own, CLONE_NEWPID) < 0)
		return err_set(e, errno, "returning to our pid namespace: %s", err_str(errno));
	if (ret->pid < 0)
		return ret->pid;
	ret->guard = fork();
	if (!ret->guard)
		guard(c, ret->pid);
	return ret->guard < 0 ? err_set(e, errno, "forking: %s", err_str(errno)) : 0;
}

/* Without rights on the host: root of the container's user namespace may enter what belongs to it. */
static int enter_pid_early(struct child *ch, struct err *e)
{
	int r = enter_user_early(ch, e);

	return r < 0 ? r : ns_enter(&ch->c->s->target->ns, CLONE_NEWPID, &ch->joined, e);
}

_Noreturn void child_helper(const struct child_ctx *c)
{
	struct child ch = { .c = c, .rootfd = c->s->target->rootfd, .parts = VIEW_PARTS_INIT };
	struct child_msg msg = { .kind = CHILD_BORN };
	struct err e = { 0 };
	int pidfd = -1;

	(void)prctl(PR_SET_DUMPABLE, 0);
	if (enter_pid_early(&ch, &e) < 0)
		fail(c, PTY_EXIT_FAILED, &e);
	msg.pid = spawn(&ch, CLONE_PARENT, &pidfd, &e);
	if (msg.pid < 0)
		fail(c, PTY_EXIT_FAILED, &e);
	(void)!io_send_fds(c->sock, &msg, sizeof(msg), &pidfd, 1);
	guard(c, msg.pid);
}
