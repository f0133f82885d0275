/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "session"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "cleanup.h"
#include "enter.h"
#include "io.h"
#include "log.h"
#include "view_server.h"

/* What the caller knows of the running command. */
struct running {
	struct child_born born;
	struct view_server server;
	pid_t session; /* its terminal session, as @proc shows it */
	int mntns;
	int root;   /* of its view, until it is ready */
	int proc;   /* the /proc of its view */
	int master; /* of its terminal, or -1 */
};

#define RUNNING_INIT                                                                          \
	{                                                                                     \
		.born = { .pidfd = -1 }, .server = VIEW_SERVER_INIT, .mntns = -1, .root = -1, \
		.proc = -1, .master = -1                                                      \
	}

static void running_close(struct running *r)
{
	closep(&r->born.pidfd);
	closep(&r->mntns);
	closep(&r->root);
	closep(&r->proc);
	closep(&r->master);
}

/* One warning each, for what could not be given to the command as the container has it. */
static void warn_about(const struct session *s, const struct child_msg *msg)
{
	char text[256];

	if (s->target->cred.privileged)
		return;
	if (ns_cred_report_text(&msg->report, text, sizeof(text)))
		log_warn("not as in the %s, for want of rights: %s", ns_words.what, text);
	if (*s->target->join.denied)
		log_warn("these cgroups of the %s could not be joined, their limits do not "
			 "hold: %s",
			 ns_words.what, s->target->join.denied);
	if (msg->owners_unmapped)
		log_warn(
			"the file system of the tools cannot map owners: files appear as nobody's");
}

static int take_message(const struct session *s, const struct child_msg *msg, int fds[4],
			size_t nfds, struct running *run)
{
	if (msg->kind == CHILD_BORN && nfds == 1) {
		run->born.pid = msg->pid;
		run->born.pidfd = fds[0];
		return 0;
	}
	if (msg->kind == CHILD_READY && nfds >= 3) {
		run->session = msg->pid;
		run->mntns = fds[0];
		run->proc = fds[1];
		run->root = fds[2];
		run->master = nfds == 4 ? fds[3] : -1;
		warn_about(s, msg);
		return 0;
	}
	for (size_t i = 0; i < nfds; i++)
		(void)close(fds[i]);
	return -EPROTO;
}

/* The child waits for that. The root of its view is not kept: it would hold what is mounted there. */
static int child_is_ready(const struct session *s, int sock, struct running *run, struct err *e)
{
	_cleanup_close_ int root = take_fd(&run->root);
	int r = s->forwards ? forwards_start(s->forwards, s->target, root, e) : 0;

	if (!r && s->forwards && send(sock, "", 1, MSG_NOSIGNAL) < 0)
		r = err_set(e, errno, "telling the child: %s", err_str(errno));
	return r;
}

/* Read until the socket closes, which execve() does, or somebody fails. */
static int hear_children(const struct session *s, int sock, struct running *run, int *ret_exit,
			 struct err *e)
{
	struct child_msg msg;
	ssize_t n;

	for (;;) {
		size_t nfds = 0;
		int fds[4], r;

		n = io_recv_fds(sock, &msg, sizeof(msg), fds, ARRAY_SIZE(fds), &nfds);
		if (n <= 0)
			break;
		if ((size_t)n == sizeof(msg) && msg.kind == CHILD_FAILED) {
			*ret_exit = msg.exit_code;
			*e = msg.err;
			return -msg.err.code;
		}
		if ((size_t)n != sizeof(msg) || take_message(s, &msg, fds, nfds, run) < 0)
			return err_set(e, EPROTO, "a malformed message from our own child");
		r = msg.kind == CHILD_READY ? child_is_ready(s, sock, run, e) : 0;
		if (r < 0)
			return r;
	}
	if (n < 0)
		return err_set(e, (int)-n, "hearing from the child: %s", err_str((int)n));
	if (run->mntns < 0)
		return err_set(e, ECHILD,
			       "the process in the %s was killed while it was "
			       "being set up (out of memory there?)",
			       ns_words.what);
	return 0;
}

struct pair {
	int fd[2];
};
#define PAIR_INIT              \
	{                      \
		{              \
			-1, -1 \
		}              \
	}

static void pair_close(const struct pair *p)
{
	closep(&p->fd[0]);
	closep(&p->fd[1]);
}

static int fork_helper(const struct child_ctx *ctx, pid_t *ret, struct err *e)
{
	*ret = fork();
	if (!*ret)
		child_helper(ctx);
	return *ret < 0 ? err_set(e, errno, "forking: %s", err_str(errno)) : 0;
}

/* Sockets come in pairs: [0] is the caller's or the guard's end, [1] the child's. */
static int start_child(const struct session *s, int sock[2], int guard[2], struct running *run,
		       struct err *e)
{
	_cleanup_close_ int parent = pidfd_open_nr(getpid());
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct child_ctx ctx = { .s = s,
				 .sock = sock[1],
				 .guard = guard[1],
				 .guarded = guard[0],
				 .parent = parent,
				 .proc = proc,
				 .served = s->tree ? *s->tree : run->server.mount };
	int r;

	if (parent < 0 || proc < 0)
		return err_set(e, errno, "opening /proc and a pidfd: %s", err_str(errno));
	r = child_start(&ctx, &run->born, e);
	return r == -EPERM ? fork_helper(&ctx, &run->born.guard, e) : r;
}

static int start(const struct session *s, struct running *run, int *ret_exit, struct err *e)
{
	_cleanup_(pair_close) struct pair sock = PAIR_INIT, guard = PAIR_INIT;
	int r = 0;

	if (s->view && s->view->kind == VIEW_FUSE && !s->tree)
		r = view_server_start(s, &run->server, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock.fd) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, guard.fd) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	r = start_child(s, sock.fd, guard.fd, run, e);
	if (r < 0)
		return r;
	closep(&run->server.mount); /* its end comes with the session's */
	run->server.mount = -1;
	closep(&sock.fd[1]);
	closep(&guard.fd[0]);
	sock.fd[1] = guard.fd[0] = -1;
	return hear_children(s, sock.fd[0], run, ret_exit, e);
}

static void sweep(const struct session *s, const struct running *run)
{
	struct guard_mark mark = { .mntns = run->mntns,
				   .session = run->session ? run->session : run->born.pid,
				   .either = true };

	if (s->view && run->mntns >= 0)
		guard_sweep(mark, run->proc);
}

static int attend(const struct session *s, struct running *run, struct err *e)
{
	int master = take_fd(&run->master);

	if (s->attend)
		return s->attend(s->attend_arg, run->born.pid, run->born.pidfd, master, e);
	return relay_run(s->relay, run->born.pidfd, master, e);
}

int session_run(const struct session *s, int *ret_exit, struct err *e)
{
	_cleanup_(running_close) struct running run = RUNNING_INIT;
	int r;

	*ret_exit = PTY_EXIT_FAILED;
	r = start(s, &run, ret_exit, e);
	if (!r) {
		r = attend(s, &run, e);
		*ret_exit = r < 0 ? PTY_EXIT_FAILED : r;
	}
	if (r < 0 && run.born.pidfd >= 0) {
		(void)pidfd_signal(run.born.pidfd, SIGKILL);
		(void)waitpid(run.born.pid, NULL, 0);
	}
	if (r < 0 && *ret_exit == PTY_EXIT_FAILED)
		(void)!target_check(s->target, e);
	sweep(s, &run);
	if (s->forwards)
		forwards_stop(s->forwards);
	if (run.born.guard > 0) {
		(void)kill(run.born.guard, SIGKILL);
		(void)waitpid(run.born.guard, NULL, 0);
	}
	closep(&run.mntns); /* the last that holds the view */
	run.mntns = -1;
	view_server_stop(&run.server, r >= 0 && s->view && (s->view->writable || s->view->merge));
	return r < 0 ? r : 0;
}
