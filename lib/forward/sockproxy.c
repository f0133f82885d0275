/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "sockets"
#include "sockproxy_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward_unix.h"
#include "io.h"
#include "log.h"

/* Both ends are our code. */
struct msg {
	struct sockproxy_job job;
	char place[64]; /* not empty: not a job, but where to bind */
};

/* A pipe that somebody waits on must see its end; the user's terminal must not end us, whom we serve does. */
void sockproxy_become(pid_t parent, const char *title, const int *keep, size_t n)
{
	for (int sig = 1; sig < SIGSYS; sig++)
		(void)signal(sig, SIG_IGN);
	(void)prctl(PR_SET_NAME, title);
	(void)umask(0);
	/* Nothing is kept busy by a working directory. */
	if (chdir("/") < 0 || io_close_others(keep, n) < 0 ||
	    forward_drop_caps(FORWARD_UNIX_CAPS) < 0)
		_exit(1);
	/* After the change of rights, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
}

/* --- the binder --- */

static int go_to(const char *name, int mfd)
{
	_cleanup_close_ int dir = openat(mfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 || fchdir(dir) < 0 ? -errno : 0;
}

/* The node that a server in the file system has just made, by the name that leads to it. */
static int carry_in(const char *name, int sock, int carrier)
{
	_cleanup_close_ int node = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const struct sockproxy_made made = { .inwards = true, .type = SOCK_STREAM };

	if (node < 0)
		return -errno;
	return io_send_fds(carrier, &made, sizeof(made), (const int[]){ sock, node }, 2);
}

static int stand_in(const struct sockproxy_job *job, int behind, int carrier, int *ret_listener)
{
	const struct sockproxy_made made = { .type = job->type };
	char name[SOCKPROXY_NAME_MAX];
	int fds[2] = { -1, behind }, r;

	(void)snprintf(name, sizeof(name), "%016" PRIx64, job->id);
	if (job->inwards)
		return carry_in(name, behind, carrier);
	fds[0] = forward_unix_bind(name, job->type, job->uid, job->gid);
	if (fds[0] < 0)
		return fds[0];
	r = io_send_fds(carrier, &made, sizeof(made), fds, 2);
	if (r < 0) {
		(void)close(fds[0]);
		return r;
	}
	*ret_listener = fds[0];
	return 0;
}

static int bind_one(int sock, int carrier)
{
	_cleanup_close_ int fd = -1, listener = -1;
	struct sockproxy_answer answer = { 0 };
	struct msg msg;
	size_t n = 0;

	if (io_recv_fds(sock, &msg, sizeof(msg), &fd, 1, &n) != sizeof(msg))
		return -EPIPE;
	if (*msg.place)
		return n ? go_to(msg.place, fd) : -EMFILE;
	answer.id = msg.job.id;
	answer.error = n ? stand_in(&msg.job, fd, carrier, &listener) : -EMFILE;
	return io_send_fds(sock, &answer, sizeof(answer), &listener, listener >= 0 ? 1 : 0);
}

static void let_go_of_stdio(bool quiet)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd < (quiet ? STDERR_FILENO + 1 : STDERR_FILENO); fd++)
		(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		(void)close(null);
}

static _Noreturn void binder_run(int sock, pid_t parent, bool quiet)
{
	int pair[2], r = 0;
	pid_t carrier;

	let_go_of_stdio(quiet);
	(void)setsid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(1);
	carrier = fork();
	if (!carrier)
		sockproxy_carry(pair[1], getppid());
	(void)close(pair[1]);
	sockproxy_become(parent, "sockets-binder", (const int[]){ sock, pair[0] }, 2);
	while (carrier > 0 && r == 0)
		r = bind_one(sock, pair[0]);
	if (r < 0 && r != -EPIPE)
		log_info("no sockets any more: %s", err_str(r));
	_exit(0);
}

/* --- whom they serve --- */

int sockproxy_start(struct sockproxy *ret, bool quiet, struct err *e)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	ret->pid = fork();
	if (!ret->pid)
		binder_run(pair[1], parent, quiet);
	(void)close(pair[1]);
	if (ret->pid < 0) {
		(void)close(pair[0]);
		return err_set(e, errno, "forking: %s", err_str(errno));
	}
	ret->sock = pair[0];
	(void)fcntl(ret->sock, F_SETFL, O_NONBLOCK);
	return 0;
}

void sockproxy_stop(struct sockproxy *p)
{
	if (p->sock >= 0)
		(void)close(p->sock);
	if (p->pid > 0) {
		(void)kill(p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	*p = (struct sockproxy)SOCKPROXY_INIT;
}

int sockproxy_place(const struct sockproxy *p, int mfd, const char *name)
{
	struct msg msg = { .place = "" };

	(void)snprintf(msg.place, sizeof(msg.place), "%s", name);
	return io_send_fds(p->sock, &msg, sizeof(msg), &mfd, 1);
}

int sockproxy_ask(const struct sockproxy *p, const struct sockproxy_job *job, int fd)
{
	struct msg msg = { .job = *job };

	return io_send_fds(p->sock, &msg, sizeof(msg), &fd, 1);
}

int sockproxy_hear(const struct sockproxy *p, struct sockproxy_answer *ret, int *ret_listener)
{
	size_t n = 0;
	ssize_t got;

	*ret_listener = -1;
	got = io_recv_fds(p->sock, ret, sizeof(*ret), ret_listener, 1, &n);
	if (got < 0)
		return (int)got;
	if (got != sizeof(*ret))
		return -EPIPE;
	return 0;
}
