/* SPDX-License-Identifier: MIT */
/* relay_init.c - who gets which descriptor: before the fork, and in the child. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "relay.h"

/* A terminal emulator's usual size, for a pty without a terminal behind it. */
#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80

static bool same_tty(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_rdev == sb.st_rdev;
}

/* A pipe in place of descriptor @i; only our end does not block. */
static int make_pipe(struct relay *r, int i)
{
	int end[2], ours = i == STDIN_FILENO ? 1 : 0;

	if (pipe2(end, O_CLOEXEC) < 0)
		return -errno;
	r->pipe_fd[i] = end[ours];
	r->pipe_child[i] = r->child_fd[i] = end[!ours];
	return fcntl(end[ours], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_pipes(struct relay *r, const bool tty[3])
{
	for (int i = 0; i < 3; i++) {
		int res;

		if (!tty[i])
			continue;
		/* Through one pipe, lines on both keep their order. */
		if (i == STDERR_FILENO && tty[STDOUT_FILENO] &&
		    same_tty(r->user_fd[STDOUT_FILENO], r->user_fd[i])) {
			r->child_fd[i] = r->child_fd[STDOUT_FILENO];
			continue;
		}
		res = make_pipe(r, i);
		if (res < 0)
			return res;
	}
	return 0;
}

static void note_terminal(struct relay *r, const bool tty[3])
{
	static const int order[] = { STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO };

	for (int i = 0; i < 3 && r->size_fd < 0; i++) {
		if (tty[order[i]])
			r->size_fd = r->user_fd[order[i]];
	}
	r->winsize = (struct winsize){ .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLS };
	if (r->size_fd < 0)
		return;
	(void)ioctl(r->size_fd, TIOCGWINSZ, &r->winsize);
	r->have_termios = tcgetattr(r->keys_tty ? r->keys_fd : r->size_fd, &r->termios) == 0;
}

static void default_sigchld(void)
{
	struct sigaction sa;

	if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		(void)signal(SIGCHLD, SIG_DFL);
}

int relay_init(struct relay *r, enum pty_mode mode, const int user_fd[3], struct err *e)
{
	bool tty[3];
	int res = 0;

	*r = (struct relay){ .keys_fd = -1, .size_fd = -1, .forced = mode == PTY_ALWAYS };
	for (int i = 0; i < 3; i++) {
		tty[i] = isatty(user_fd[i]);
		r->user_fd[i] = r->child_fd[i] = user_fd[i];
		r->pipe_fd[i] = r->pipe_child[i] = -1;
	}
	default_sigchld();
	r->pty = r->forced || (mode == PTY_AUTO && tty[STDOUT_FILENO]);
	if (r->forced || tty[STDIN_FILENO])
		r->keys_fd = user_fd[STDIN_FILENO];
	else if (r->pty)
		r->keys_fd = user_fd[STDOUT_FILENO];
	r->keys_tty = r->keys_fd >= 0 && isatty(r->keys_fd);
	note_terminal(r, tty);
	for (int i = 0; i < 3 && r->pty; i++) {
		if (r->forced || tty[i])
			r->child_fd[i] = RELAY_SLAVE;
	}
	if (!r->pty)
		res = make_pipes(r, tty);
	if (res < 0) {
		relay_fini(r);
		return err_set(e, -res, "making a pipe to the command: %s", err_str(res));
	}
	return 0;
}

void relay_init_given(struct relay *r, const int fd[3], const struct termios *modes,
		      const struct winsize *size)
{
	*r = (struct relay){ .keys_fd = -1, .size_fd = -1, .winsize = *size };
	for (int i = 0; i < 3; i++) {
		r->child_fd[i] = fd[i];
		r->pty |= fd[i] == RELAY_SLAVE;
		r->user_fd[i] = r->pipe_fd[i] = r->pipe_child[i] = -1;
	}
	r->have_termios = modes;
	if (modes)
		r->termios = *modes;
}

void relay_fini(struct relay *r)
{
	for (int i = 0; i < 3; i++) {
		closep(&r->pipe_fd[i]);
		closep(&r->pipe_child[i]);
		r->pipe_fd[i] = r->pipe_child[i] = -1;
	}
}

int relay_own_pipes(const struct relay *r, uid_t uid)
{
	for (int i = 0; i < 3; i++) {
		if (r->pipe_child[i] >= 0 && fchown(r->pipe_child[i], uid, (gid_t)-1) < 0)
			return -errno;
	}
	return 0;
}

static int take_slave(const struct relay *r, int slave, uid_t owner, struct err *e)
{
	if (r->have_termios && tcsetattr(slave, TCSANOW, &r->termios) < 0)
		return err_set(e, errno, "setting the terminal's modes: %s", err_str(errno));
	if (ioctl(slave, TIOCSWINSZ, &r->winsize) < 0)
		return err_set(e, errno, "setting the terminal's size: %s", err_str(errno));
	/* Not permitted where the user namespace does not map the owner; then the
	 * descriptors work, only opening /dev/pts/N again does not. */
	if (owner != (uid_t)-1 && fchown(slave, owner, (gid_t)-1) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return err_set(e, errno, "giving the terminal to user %u: %s", owner,
			       err_str(errno));
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "taking the controlling terminal: %s", err_str(errno));
	return 0;
}

/* In two steps, for the source of one may be the target of another. */
static int take_std(const struct relay *r, int slave)
{
	_cleanup_close_ int a = -1, b = -1, c = -1;
	int *const high[3] = { &a, &b, &c };

	for (int i = 0; i < 3; i++) {
		int from = r->child_fd[i] == RELAY_SLAVE ? slave : r->child_fd[i];

		*high[i] = fcntl(from, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (*high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(*high[i], i) < 0)
			return -errno;
	}
	return 0;
}

int relay_child_take(struct relay *r, int slave, uid_t owner, struct err *e)
{
	int res;

	/* With pipes too, or the user's terminal would stay the controlling one. */
	if (setsid() < 0 && getsid(0) != getpid())
		return err_set(e, errno, "starting a session: %s", err_str(errno));
	if (r->pty) {
		res = take_slave(r, slave, owner, e);
		if (res < 0)
			return res;
	}
	res = take_std(r, slave);
	if (res < 0)
		return err_set(e, -res, "placing the command's descriptors: %s", err_str(res));
	relay_fini(r);
	return 0;
}
