/* SPDX-License-Identifier: MIT */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* Raised by what we do ourselves: they cannot wait in a signalfd. */
static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP };

#define NFATAL (sizeof(fatal) / sizeof(fatal[0]))

static struct {
	volatile sig_atomic_t raw; /* the rest is valid; set last, cleared first */
	int fd;
	pid_t pid;
	struct termios saved; /* before */
	struct termios set;   /* what we made of it */
	struct sigaction old[NFATAL];
} tty;

bool tty_is_ours(int fd)
{
	pid_t pgrp = tcgetpgrp(fd);

	if (pgrp < 0)
		return errno == ENOTTY && isatty(fd);
	return pgrp == getpgrp();
}

bool tty_is_canonical(int fd)
{
	struct termios t;

	return tcgetattr(fd, &t) == 0 && (t.c_lflag & ICANON);
}

bool tty_is_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && a->c_cc[VMIN] == b->c_cc[VMIN];
}

void tty_restore(void)
{
	sigset_t ttou, old;
	struct termios now;
	int saved_errno = errno;

	if (!tty.raw || tty.pid != getpid())
		return;
	tty.raw = 0;
	for (size_t i = 0; i < NFATAL; i++)
		(void)sigaction(fatal[i], &tty.old[i], NULL);
	/* With SIGTTOU blocked the change is allowed from the background too. There, only
	 * if the modes are still ours: a shell sets its own when it takes over. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &ttou, &old);
	if (tcgetattr(tty.fd, &now) == 0 && (tty_is_ours(tty.fd) || same_modes(&now, &tty.set)))
		(void)tcsetattr(tty.fd, TCSANOW, &tty.saved);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved_errno;
}

static void on_fatal(int sig, siginfo_t *si, void *context)
{
	(void)context;
	tty_restore();
	/* The old handler is back. A real fault comes again on return; what was sent does not. */
	if (si->si_code <= 0)
		(void)raise(sig);
}

static void guard_fatal(void)
{
	struct sigaction sa = { .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < NFATAL; i++)
		(void)sigaction(fatal[i], &sa, &tty.old[i]);
}

int tty_raw(int fd)
{
	static bool at_exit;
	struct termios now, raw;

	if (tcgetattr(fd, &now) < 0)
		return -errno;
	if (tty.raw && tty.fd == fd && same_modes(&now, &tty.set))
		return 0;
	raw = now;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (!at_exit && atexit(tty_restore) != 0)
		return -ENOMEM;
	at_exit = true;
	if (!tty.raw)
		guard_fatal();
	tty.fd = fd;
	tty.pid = getpid();
	tty.saved = now;
	tty.set = raw;
	tty.raw = 1;
	/* TCSANOW: the others would wait for a terminal that is stopped by ^S. */
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		int r = -errno;

		tty_restore();
		return r;
	}
	return 0;
}

void tty_set_interrupt(bool on)
{
	struct termios t = tty.set;

	if (!tty.raw || tty.pid != getpid())
		return;
	t.c_lflag = on ? t.c_lflag | ISIG : t.c_lflag & ~(tcflag_t)ISIG;
	t.c_cc[VQUIT] = on ? _POSIX_VDISABLE : tty.saved.c_cc[VQUIT];
	t.c_cc[VSUSP] = on ? _POSIX_VDISABLE : tty.saved.c_cc[VSUSP];
	if (tcsetattr(tty.fd, TCSANOW, &t) == 0)
		tty.set = t;
}

int tty_reopen(int fd, int flags)
{
	char path[40];
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* A regular file would lose its offset, another device may do things on open, and
	 * ptmx would give another terminal: its master also passes for a terminal. */
	if (!S_ISFIFO(st.st_mode) &&
	    !(S_ISCHR(st.st_mode) && st.st_rdev != makedev(5, 2) && isatty(fd)))
		return -ENOTSUP;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? -errno : own;
}
