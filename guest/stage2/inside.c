/* SPDX-License-Identifier: MIT */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "container.h"
#include "enter.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "session.h"

/* Its own process is its memory. */
static struct {
	struct target target;
	struct ns_user user;
} with;

/* An initramfs may not have mounted it; then it is mounted where nobody else sees it. */
static int see_proc(struct err *e)
{
	_cleanup_close_ int root = -1, mfd = -1;
	struct statfs fs;
	int r;

	if (statfs("/proc", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "unsharing the mount namespace: %s", err_str(errno));
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mfd = mnt_new("proc", NULL, 0);
	r = mfd < 0 ? mfd : mnt_attach_at(mfd, root, "proc");
	return r < 0 ? err_set(e, -r, "the guest has no /proc: %s", err_str(r)) : 0;
}

/* The user that is asked for, else the line of the one that the process is. */
static int settle_user(const struct wire_request *req, struct err *e)
{
	_cleanup_free_ char *passwd = NULL, *group = NULL;
	size_t passwd_len = 0, group_len = 0;
	struct span pw, gr;
	int r;

	(void)!target_read_file(&with.target, "/etc/passwd", NS_PASSWD_MAX, &passwd, &passwd_len);
	(void)!target_read_file(&with.target, "/etc/group", NS_PASSWD_MAX, &group, &group_len);
	pw = (struct span){ passwd ? passwd : "", passwd_len };
	gr = (struct span){ group ? group : "", group_len };
	if (!req->user) {
		(void)!ns_passwd_by_uid(pw, with.target.cred.uid, &with.user);
		return 0;
	}
	r = ns_user_resolve(req->user, req->container ? "container's" : "guest's", pw, gr,
			    &with.user, e);
	return r < 0 ? r : ns_cred_set_user(&with.target.cred, &with.user, e);
}

static int find_process(const struct wire_request *req, pid_t *ret, struct err *e)
{
	_cleanup_close_ int proc = -1, root = -1;

	*ret = req->pid;
	if (!req->container)
		return 0;
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	root = openat(proc, "1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return container_find(proc, root, req->container, ret, e);
}

static int open_target(const struct wire_request *req, struct err *e)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	pid_t pid;
	int r = find_process(req, &pid, e);

	if (r < 0)
		return r;
	r = pid_open(pid, &ref, e);
	if (!r)
		r = target_open(&ref, NULL, req->privileged ? 0 : TARGET_RIGHTS, &with.target, e);
	/* a pid of the guest's, which on the host may be another process */
	if (r < 0)
		return err_wrap(e, r, "in the guest");
	with.target.cred.privileged = req->privileged;
	return settle_user(req, e);
}

static const char *home(void)
{
	if (with.user.known && with.user.home[0] == '/')
		return with.user.home;
	return with.target.cred.uid ? "/" : "/root";
}

/* The target's, less what would run its code in our tools; over it what the host says. */
static int make_env(const struct wire_request *req, struct env *env, struct err *e)
{
	int r = env_add_block(env, with.target.environ, with.target.environ_len);

	env_drop_hooks(env);
	if (!r)
		r = env_set(env, "PATH", ENV_DEFAULT_PATH);
	if (!r)
		r = env_set(env, "HOME", home());
	for (size_t i = 0; !r && i < req->nenv; i++)
		r = env_put(env, req->env[i]);
	return r < 0 ? err_set(e, -r, "making the environment: %s", err_str(r)) : 0;
}

static void pass_signal(int sock, pid_t pid, int pidfd, bool *ended)
{
	struct inside_signal s;
	ssize_t n = recv(sock, &s, sizeof(s), 0);

	if (n < 0 && errno == EINTR)
		return;
	*ended = n != sizeof(s);
	if (*ended)
		(void)pidfd_signal(pidfd, SIGKILL);
	/* It is not reaped, so its number is nobody else's. */
	else if (!s.group || kill(-pid, s.number) < 0)
		(void)pidfd_signal(pidfd, s.number);
}

/* In the place of a relay: stage 2 has the streams, and gets the terminal. */
static int attend(void *arg, pid_t pid, int pidfd, int master, struct err *e)
{
	const struct inside *in = arg;
	const struct inside_msg msg = { .kind = INSIDE_READY };
	int r = io_send_fds(in->sock, &msg, sizeof(msg), &master, master >= 0);
	bool ended = false;
	siginfo_t si;

	closep(&master);
	if (r < 0)
		return err_set(e, -r, "the session was ended");
	for (;;) {
		struct pollfd p[2] = { { .fd = pidfd, .events = POLLIN },
				       { .fd = ended ? -1 : in->sock, .events = POLLIN } };

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "waiting for the command: %s", err_str(errno));
		if (p[1].revents)
			pass_signal(in->sock, pid, pidfd, &ended);
		if (p[0].revents && waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | __WALL) == 0)
			return pty_exit_code(&si);
	}
}

static int run(const struct inside *in, int *ret_exit, struct err *e)
{
	const struct wire_request *req = in->req;
	const struct winsize size = { req->size.rows, req->size.cols, req->size.xpixel,
				      req->size.ypixel };
	struct view_opts view = { .kind = VIEW_FUSE, .base = INSIDE_BASE };
	_cleanup_env_ struct env env = { 0 };
	struct session s = { .target = &with.target, .env = &env, .argv = req->argv };
	struct relay relay;
	int r = see_proc(e);

	ns_words.what = req->container ? "container" : "guest";
	ns_words.bare = "vmsh attach --tools none";
	with.target = (struct target)TARGET_INIT;
	if (!r)
		r = open_target(req, e);
	if (!r)
		r = make_env(req, &env, e);
	if (r < 0)
		return r;
	view.writable = req->writable || req->tools == WIRE_TOOLS_ARCHIVE;
	view.unmasked = req->privileged;
	view.uid = with.target.cred.uid;
	view.gid = with.target.cred.gid;
	view.home = home();
	relay_init_given(&relay, in->fd, req->has_termios ? &req->termios : NULL, &size);
	s.relay = &relay;
	s.view = in->tree < 0 ? NULL : &view;
	s.tree = in->tree < 0 ? NULL : &in->tree;
	s.main_argv = in->argv;
	s.workdir = req->cwd ? req->cwd : in->tree < 0 ? "/" : INSIDE_BASE;
	s.workdir_given = req->cwd;
	s.attend = attend;
	s.attend_arg = (void *)(uintptr_t)in;
	return session_run(&s, ret_exit, e);
}

_Noreturn void inside_run(const struct inside *in, pid_t parent)
{
	const int keep[] = { in->tree, in->fd[0], in->fd[1], in->fd[2], in->sock };
	struct inside_msg msg = { .kind = INSIDE_ENDED, .exit_code = PTY_EXIT_FAILED };
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(PTY_EXIT_FAILED);
	/* the command begins with what a kernel starts a process with */
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	if (dup2(in->notes, STDERR_FILENO) < 0)
		_exit(PTY_EXIT_FAILED);
	(void)!io_close_others(keep, ARRAY_SIZE(keep));
	log_init("vmsh", "VMSH_LOG", false);
	r = run(in, &msg.exit_code, &msg.err);
	if (r >= 0)
		msg.err.code = 0;
	(void)!io_send_fds(in->sock, &msg, sizeof(msg), NULL, 0);
	_exit(0);
}
